"""How far results agree when a scan is perturbed, without any truth."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from simple_ct import simple_ct
from vertebra_core.command_line import main
from vertebra_core.evaluation import evaluate_consistency
from vertebra_core.evaluation.consistency import compare, consistency, consistency_table
from vertebra_core.evaluation.prediction import Prediction
from vertebra_core.evaluation.records import FoundVertebra
from vertebra_core.volume import CtVolume, to_sitk

ROW = tuple(
    FoundVertebra(f"L{k + 1}", (10.0, 20.0, -35.0 * k), grade=0, heights_mm=(26.0, 25.0, 27.0))
    for k in range(4)
)


def test_a_result_agrees_with_itself():
    same = compare("a", "noise", ROW, ROW)
    assert (same.n_vertebrae, same.n_found, same.n_new, same.n_same_level) == (4, 4, 0, 4)
    assert max(same.center_mm) == 0
    assert max(same.height_mm) == 0
    assert (same.n_graded, same.n_same_grade) == (4, 4)
    assert (same.n_new_fractures, same.n_lost_fractures) == (0, 0)


def test_every_kind_of_difference_is_counted():
    after = (
        replace(ROW[0], grade=2, heights_mm=(20.0, 25.0, 27.0)),
        replace(ROW[1], level="L3"),
        replace(ROW[2], center_lps_mm=(10.0, 20.0, -74.0), grade=None, heights_mm=None),
        FoundVertebra("S1", (80.0, 20.0, -200.0)),
    )
    found = compare("a", "thick", (*ROW[:3], replace(ROW[3], grade=1)), after)
    assert (found.n_vertebrae, found.n_found, found.n_new, found.n_same_level) == (4, 3, 1, 2)
    assert sorted(found.center_mm) == [0, 0, pytest.approx(4)]
    assert sorted(found.height_mm) == [0, 0, 0, 0, 0, pytest.approx(6)]
    assert (found.n_graded, found.n_same_grade, found.n_new_fractures) == (2, 1, 1)
    back = compare("a", "thick", (replace(ROW[0], grade=2),), ROW[:1])
    assert (back.n_new_fractures, back.n_lost_fractures) == (0, 1)


def test_places_are_compared_where_the_perturbation_moved_them():
    ct = CtVolume(np.zeros((60, 40, 40), np.int16), (2.0, 2.0, 2.0), (0.0, 0.0, -115.0))

    def predict(name, volume):
        # Found at the same voxels, whichever way the patient lies.
        centres = (ct.lps_to_index(np.array(v.center_lps_mm)) for v in ROW)
        return Prediction(
            tuple(
                replace(v, center_lps_mm=tuple(float(x) for x in volume.index_to_lps(c)))
                for v, c in zip(ROW, centres, strict=True)
            )
        )

    (turned,) = consistency("a", ct, predict, ["rotation"])
    assert turned.n_found == 4
    assert max(turned.center_mm) < 1e-6
    (cropped,) = consistency("a", ct, lambda name, volume: Prediction(ROW), ["crop"])
    assert cropped.n_vertebrae < 4
    assert cropped.n_new == 4 - cropped.n_vertebrae


def test_slices_that_are_thick_already_are_no_perturbation():
    ct = CtVolume(np.zeros((60, 40, 40), np.int16), (2.0, 2.0, 3.0), (0.0, 0.0, -115.0))
    names = []

    def predict(name, volume):
        names.append(name)
        return Prediction(ROW)

    agreements = consistency("a", ct, predict, ["resolution", "thick"])
    assert [a.perturbation for a in agreements] == ["thick"]
    assert names == ["a", "a, thick"]


def test_the_table_pools_scans_and_has_a_row_for_each_perturbation():
    runs = [compare(s, p, ROW, ROW[:n]) for s, n in (("a", 4), ("b", 3)) for p in ("blur", "thick")]
    table = consistency_table(runs)
    assert "2 scans" in table.title
    assert [row[:4] for row in table.rows] == [("blur", 8, "87.5 %", 0), ("thick", 8, "87.5 %", 0)]
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert consistency_table([]).rows == ()
    nothing = consistency_table([compare("a", "blur", (), ())])
    assert nothing.rows[0][2] is None


def test_the_command_analyses_a_file_as_it_is_and_perturbed(tmp_path, monkeypatch, capsys):
    path = tmp_path / "ct.nii.gz"
    sitk.WriteImage(to_sitk(simple_ct()), str(path))
    seen = []

    def predictor(results, analyse):
        def predict(name, ct):
            seen.append(name)
            return Prediction(ROW)

        return predict

    monkeypatch.setattr(evaluate_consistency, "predictor", predictor)
    words = ["evaluate", "consistency", str(path), "--perturb", "noise", "blur"]
    assert main(words) == 0
    assert "same grade" in capsys.readouterr().out
    assert seen == ["ct.nii.gz", "ct.nii.gz, noise", "ct.nii.gz, blur"]
    assert main([*words, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["consistency"]
    assert [f["perturbation"] for f in figures] == ["noise", "blur"]
    assert main(["evaluate", "consistency", str(tmp_path / "none.nii.gz")]) != 0
