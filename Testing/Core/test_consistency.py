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
from vertebra_core.evaluation.prediction import Prediction, failed
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
    assert [row[:5] for row in table.rows] == [
        ("blur", 2, 8, "87.5 %", 0),
        ("thick", 2, 8, "87.5 %", 0),
    ]
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert consistency_table([]).rows == ()
    nothing = consistency_table([compare("a", "blur", (), ())])
    assert nothing.rows[0][3] is None


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


def ct_files(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        sitk.WriteImage(to_sitk(simple_ct()), str(folder / name))
    return [str(folder / name) for name in names]


def answering(monkeypatch, answer):
    monkeypatch.setattr(evaluate_consistency, "predictor", lambda *_: answer)


def test_scans_of_one_file_name_are_counted_apart(tmp_path, monkeypatch, capsys):
    answering(monkeypatch, lambda name, ct: Prediction(ROW))
    paths = ct_files(tmp_path, "a/ct.nii.gz", "b/ct.nii.gz")
    # One that is given twice is still one scan.
    words = ["evaluate", "consistency", *paths, paths[0], "--perturb", "noise"]
    assert main(words) == 0
    shown = capsys.readouterr().out.splitlines()
    assert "2 scans" in shown[0] and shown[3].split()[:3] == ["noise", "2", "8"]
    assert main([*words, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["consistency"]
    assert [f["scan"] for f in figures] == paths


def test_a_scan_that_is_not_there_is_told_before_any_is_analysed(tmp_path, monkeypatch, capsys):
    seen = []
    answering(monkeypatch, lambda name, ct: seen.append(name) or Prediction(ROW))
    (path,) = ct_files(tmp_path, "a.nii.gz")
    assert main(["evaluate", "consistency", path, str(tmp_path / "none.nii.gz")]) == 2
    assert "none.nii.gz" in capsys.readouterr().err and not seen


def test_scans_that_are_refused_are_told_and_the_others_stay(tmp_path, monkeypatch, capsys):
    def predict(name, ct):
        if name.startswith("refused"):
            return failed("it is no CT", ct.hu.shape)
        if name.endswith("blur"):
            return failed("it is blurred", ct.hu.shape)
        return Prediction(ROW)

    answering(monkeypatch, predict)
    paths = ct_files(tmp_path, "good.nii.gz", "refused.nii.gz")
    (tmp_path / "text.nii.gz").write_text("no image")
    words = ["evaluate", "consistency", paths[1], str(tmp_path / "text.nii.gz"), paths[0]]
    assert main([*words, "--perturb", "noise", "blur"]) == 2
    printed = capsys.readouterr()
    assert "1 scan" in printed.out.splitlines()[0]
    assert "refused.nii.gz: no analysis: it is no CT" in printed.err
    assert "text.nii.gz: left out" in printed.err
    assert "good.nii.gz, blur: no analysis: it is blurred" in printed.err
    assert "2 of 3 scans are not in the figures" in printed.err


def test_rows_state_their_scans_and_the_slices_they_came_to():
    def ct(slice_mm):
        return CtVolume(np.zeros((60, 40, 40), np.int16), (2.0, 2.0, slice_mm), (0.0, 0.0, -115.0))

    runs = []
    for name, slice_mm in (("a", 2.0), ("b", 3.0)):
        predict = lambda *_: Prediction(ROW)  # noqa: E731
        runs += consistency(name, ct(slice_mm), predict, ["resolution", "thick"])
    table = consistency_table(runs)
    assert {row[0]: row[1] for row in table.rows} == {"resolution": 1, "thick": 2}
    assert "resolution 4 mm, thick 4 to 6 mm" in table.note
