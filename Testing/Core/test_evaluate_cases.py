"""`evaluate cases` end to end on tiny volumes, with an analysis that is told what to answer."""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import dataclass

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from vertebra_core.analysis import Flag, Heights, Manifest, SpineAnalysis, Vertebra
from vertebra_core.errors import InputError
from vertebra_core.evaluation import evaluate_cases
from vertebra_core.evaluation.case_files import find_cases
from vertebra_core.evaluation.case_loading import load_case
from vertebra_core.evaluation.grade_matching import grades_by_case
from vertebra_core.evaluation.grade_table import read_grades
from vertebra_core.evaluation.records import PHANTOM, REAL
from vertebra_core.label_numbers import to_verse_numbers
from vertebra_core.levels import level_named

SPACING_XYZ = (2.0, 2.0, 3.0)
ORIGIN = (-40.0, -50.0, 100.0)
SHAPE = (56, 36, 32)
LEVELS = ("L3", "L2", "L1", "T12")
"""Foot to head, as slices go."""


@dataclass(frozen=True)
class Answer:
    analysis: SpineAnalysis
    labels: np.ndarray
    bodies: np.ndarray


def _truth_maps(first_slice=3):
    labels, bodies = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    for k, name in enumerate(LEVELS):
        z = slice(max(0, first_slice + 12 * k), first_slice + 12 * k + 9)
        bodies[z, 8:20, 8:24] = level_named(name).number
        labels[z, 8:20, 8:24] = level_named(name).number
        labels[z, 22:30, 14:18] = level_named(name).number
    return labels, bodies


def _ct(labels):
    rng = np.random.default_rng(3)
    hu = np.full(SHAPE, -1000, np.int16)
    hu[:, 2:-2, 2:-2] = -100
    hu[:, 5:-5, 5:-5] = 45
    hu[labels > 0] = 250
    return np.clip(hu + rng.normal(0, 12, SHAPE), -1024, None).astype(np.int16)


def _write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING_XYZ)
    image.SetOrigin(ORIGIN)
    sitk.WriteImage(image, str(path))


def _center(k, first_slice=3):
    index_xyz = np.array([15.5, 13.5, first_slice + 12 * k + 4.0])
    return tuple(float(c) for c in np.array(ORIGIN) + index_xyz * np.array(SPACING_XYZ))


def _vertebra(k, level, grade=0, shift_mm=1.0):
    x, y, z = _center(k)
    return Vertebra(
        level=level,
        level_probability=0.9,
        runner_up_level=None,
        center_lps_mm=(x, y + shift_mm, z),
        heights_mm=Heights(24.0, 23.0, 25.0),
        grade=grade,
        shape="normal" if grade == 0 else "wedge",
        flags=(Flag("borderline", "x"),),
    )


def _answer(vertebrae, labels, bodies):
    manifest = Manifest("0", {}, "cpu", {"localisation": 1.5}, (1, 1, 1), (1, 1, 1), (0, 0, 0), ())
    return Answer(SpineAnalysis(tuple(vertebrae), manifest), labels, bodies)


@pytest.fixture
def folder(tmp_path):
    """One case with L1 fractured; every vertebra complete."""
    labels, bodies = _truth_maps()
    case = tmp_path / "cases" / "patient"
    _write(case / "ct.nii.gz", _ct(labels))
    _write(case / "labels.nii.gz", labels)
    _write(case / "bodies.nii.gz", bodies)
    truth = [
        {
            "level": name,
            "center_lps_mm": _center(k),
            "grade": 2 if name == "L1" else 0,
            "heights_mm": {"anterior": 25.0, "middle": 25.0, "posterior": 25.0},
        }
        for k, name in enumerate(LEVELS)
    ]
    (case / "truth.json").write_text(json.dumps({"vertebrae": truth}))
    return tmp_path / "cases"


def _run(folder, analyse, capsys, *more):
    parser = argparse.ArgumentParser()
    evaluate_cases.add_arguments(parser)
    status = evaluate_cases.run(parser.parse_args([str(folder), "--json", *more]), analyse)
    assert status == 0
    return json.loads(capsys.readouterr().out)


def test_a_right_answer_scores_full_marks(folder, capsys):
    labels, bodies = _truth_maps()
    vertebrae = [_vertebra(k, n, 2 if n == "L1" else 0) for k, n in enumerate(LEVELS)]
    figures = _run(folder, lambda ct: _answer(vertebrae, labels, bodies), capsys)
    assert figures["n_scans"] == figures["n_real_scans"] == 1
    assert figures["n_vertebrae"] == 4
    assert figures["recall"] == 1.0
    assert figures["localisation_error_mm"] == pytest.approx(1.0)
    assert figures["identification_rate"] == figures["scans_all_right"] == 1.0
    assert figures["dice_mean"] == figures["dice_body_mean"] == figures["dice_min"] == 1.0
    assert figures["stray_ml"] == 0
    assert figures["false_positives_per_scan"] == 0
    assert figures["kappa_quadratic"] == pytest.approx(1.0)
    assert figures["height_error_mm"] == pytest.approx(
        {"anterior": 1.0, "middle": 2.0, "posterior": 0.0}
    )
    assert figures["seconds_mean"] == pytest.approx(1.5)


def test_a_wrong_answer_is_told_apart_in_every_stop(folder, capsys):
    labels, bodies = _truth_maps()
    labels[labels == 22] = bodies[bodies == 22] = 0
    labels[30:34, 8:12, 28:] = 21
    # L3 is missed, the others are named one level too low, the fracture is overlooked.
    for number in (21, 20, 19):
        follower = {21: 22, 20: 21, 19: 20}[number]
        labels[labels == number] = follower
        bodies[bodies == number] = follower
    vertebrae = [_vertebra(1, "L3"), _vertebra(2, "L2"), _vertebra(3, "L1")]
    figures = _run(folder, lambda ct: _answer(vertebrae, labels, bodies), capsys)
    assert figures["recall"] == pytest.approx(3 / 4)
    assert figures["identification_rate"] == 0.0
    assert figures["shifted_scans"] == 1
    assert figures["dice_body_mean"] == pytest.approx(3 / 4)
    assert figures["dice_min"] == 0.0
    assert figures["any_fracture_sensitivity"] == 0.0
    assert figures["levels"]["L2"]["precision"] == 0.0


def test_an_analysis_that_refuses_a_scan_counts_as_nothing_found(folder, capsys):
    def refuse(ct):
        raise InputError("no_spine", "No spine was found.")

    figures = _run(folder, refuse, capsys)
    assert figures["recall"] == 0.0
    assert figures["dice_mean"] == 0.0
    assert figures["localisation_error_mm"] is None
    assert any("No spine" in note for note in figures["notes"])


def test_a_recorded_case_is_not_analysed_again(folder, capsys, tmp_path):
    labels, bodies = _truth_maps()
    calls = []

    def analyse(ct):
        calls.append(1)
        return _answer([_vertebra(0, "L3")], labels, bodies)

    first = _run(folder, analyse, capsys, "--output", str(tmp_path / "log"))
    # A process killed while writing leaves half a line.
    with (tmp_path / "log" / "records.jsonl").open("a") as file:
        file.write('{"name": "half')
    second = _run(folder, analyse, capsys, "--output", str(tmp_path / "log"))
    assert len(calls) == 1
    assert first == second
    assert "<svg" in (tmp_path / "log" / "reliability.svg").read_text()


def test_files_of_an_earlier_analysis_are_scored(folder, capsys, tmp_path):
    labels, bodies = _truth_maps()
    result = tmp_path / "results" / "patient"
    _write(result / "labels.nii.gz", labels)
    _write(result / "bodies.nii.gz", bodies)
    entry = {
        "level": "L3",
        "center_lps_mm": _center(0),
        "grade": 1,
        "heights_mm": {"anterior": 20, "middle": 25, "posterior": 25},
        "flags": [{"code": "metal", "reason": "x"}],
    }
    (result / "analysis.json").write_text(json.dumps({"vertebrae": [entry]}))
    figures = _run(folder, None, capsys, "--results", str(tmp_path / "results"))
    assert figures["recall"] == pytest.approx(1 / 4)
    assert figures["confusion_matrix"][0] == [0, 1, 0, 0]
    with pytest.raises(InputError, match="1 of 1 cases .* have no result"):
        _run(folder, None, capsys, "--results", str(tmp_path))


def test_tables_state_every_stop(folder, capsys):
    labels, bodies = _truth_maps()
    vertebrae = [_vertebra(k, n) for k, n in enumerate(LEVELS)]
    parser = argparse.ArgumentParser()
    evaluate_cases.add_arguments(parser)
    arguments = parser.parse_args([str(folder), "--markdown"])
    evaluate_cases.run(arguments, lambda ct: _answer(vertebrae, labels, bodies))
    text = capsys.readouterr().out
    for part in ("localisation", "segmentation, body", "levels after", "Genant grades", "heights"):
        assert f"Real scans: {part}" in text
    assert "| lumbar" in text and "| T12" in text


def test_a_folder_without_cases_is_refused_with_a_hint(tmp_path):
    with pytest.raises(InputError, match="No pair"):
        find_cases(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        find_cases(tmp_path / "absent")


def test_the_layout_of_verse_is_understood(tmp_path):
    labels, _ = _truth_maps()
    subject = "sub-verse900"
    raw = tmp_path / "dataset-01training" / "rawdata" / subject
    derived = tmp_path / "dataset-01training" / "derivatives" / subject
    _write(raw / f"{subject}_dir-ax_ct.nii.gz", _ct(labels))
    _write(derived / f"{subject}_dir-ax_seg-vert_msk.nii.gz", labels)
    # Voxels along axes that point to the left, back and foot: the last runs against the slices.
    centroids = [{"direction": ["L", "P", "I"]}]
    for k, name in enumerate(LEVELS):
        z = SHAPE[0] - 1 - (3 + 12 * k + 4.0)
        centroids.append({"label": level_named(name).number, "X": 15.5, "Y": 13.5, "Z": z})
    path = derived / f"{subject}_dir-ax_seg-subreg_ctd.json"
    path.write_text(json.dumps(centroids))
    (tmp_path / "grades.csv").write_text("verse_scan,label,genant_grade\nverse900,20,3\n")
    (files,) = find_cases(tmp_path)
    assert files.name == f"{subject}_dir-ax"
    (grades,) = grades_by_case([files.name], read_grades(tmp_path / "grades.csv"))
    _, truth = load_case(files, grades=grades)
    assert [v.level for v in truth.vertebrae] == ["T12", "L1", "L2", "L3"]
    assert [v.grade for v in truth.vertebrae] == [None, 3, None, None]
    for k, vertebra in enumerate(reversed(truth.vertebrae)):
        assert vertebra.center_lps_mm == pytest.approx(_center(k), abs=1e-3)
    assert truth.kind == REAL


def test_grades_belong_to_a_case_by_its_name_or_by_verses_number():
    grades = {"ward_12": {"L1": 1}, "verse004": {"L1": 2}, "12": {"L1": 3}}
    names = ["cts/ward_12", "sub-verse004/sub-verse004_dir-ax", "ward_13"]
    assert grades_by_case(names, grades) == ({"L1": 1}, {"L1": 2}, {})


def test_a_case_that_cannot_be_read_is_told_and_the_others_are_evaluated(folder, capsys):
    labels, bodies = _truth_maps()
    _write(folder / "bad" / "ct.nii.gz", _ct(labels))
    (folder / "bad" / "labels.nii.gz").write_text("no image")
    parser = argparse.ArgumentParser()
    evaluate_cases.add_arguments(parser)
    arguments = parser.parse_args([str(folder), "--json"])
    with pytest.raises(InputError, match="1 of 2 cases could not be read .* bad") as refused:
        evaluate_cases.run(arguments, lambda ct: _answer([_vertebra(0, "L3")], labels, bodies))
    assert refused.value.hint
    captured = capsys.readouterr()
    assert json.loads(captured.out)["n_scans"] == 1 and "Case bad: " in captured.err
    shutil.rmtree(folder / "patient")
    with pytest.raises(InputError, match="1 of 1 cases"):
        evaluate_cases.run(arguments, None)
    assert not capsys.readouterr().out


def test_grades_of_other_scans_are_refused(folder, capsys, tmp_path):
    (tmp_path / "grades.csv").write_text("case,label,genant_grade\nsomebody,20,3\n")
    with pytest.raises(InputError, match="names none of the scans"):
        _run(folder, lambda ct: None, capsys, "--grades", str(tmp_path / "grades.csv"))


def test_names_of_no_scan_in_a_table_of_grades_are_told(folder, capsys, tmp_path):
    (tmp_path / "grades.csv").write_text("case,label,genant_grade\npatient,20,2\npatent,21,0\n")
    parser = argparse.ArgumentParser()
    evaluate_cases.add_arguments(parser)
    arguments = parser.parse_args([str(folder), "--grades", str(tmp_path / "grades.csv")])
    assert evaluate_cases.run(arguments, lambda ct: _answer([], *_truth_maps())) == 0
    assert "1 of the 2 names in it are of no scan here, for one patent" in capsys.readouterr().err


def test_a_body_cut_by_the_border_need_not_be_graded_nor_one_cut_in_half_be_found(tmp_path):
    for first_slice, in_view in ((-2, True), (-5, False)):
        labels, bodies = _truth_maps(first_slice)
        case = tmp_path / f"cut{-first_slice}"
        _write(case / "ct.nii.gz", _ct(labels))
        _write(case / "labels.nii.gz", labels)
        _write(case / "bodies.nii.gz", bodies)
        (case / "truth.json").write_text('{"seed": 1, "vertebrae": []}')
        _, truth = load_case(find_cases(case)[0])
        assert truth.kind == PHANTOM
        assert [v.complete for v in truth.vertebrae] == [True, True, True, False]
        assert [v.in_view for v in truth.vertebrae] == [True, True, True, in_view]


def test_a_body_centre_is_estimated_from_a_whole_vertebra(tmp_path):
    labels, _ = _truth_maps()
    _write(tmp_path / "a_ct.nii.gz", _ct(labels))
    _write(tmp_path / "a_labels.nii.gz", labels)
    _, truth = load_case(find_cases(tmp_path)[0])
    for k, vertebra in enumerate(reversed(truth.vertebrae)):
        assert np.linalg.norm(np.subtract(vertebra.center_lps_mm, _center(k))) < 2.0
    assert any("estimated" in note for note in truth.notes)


def test_totalsegmentator_numbers_are_recognised_and_renumbered():
    total = np.array([0, 25, 26, 27, 31, 32, 43, 44, 50, 51])
    assert to_verse_numbers(total).tolist() == [0, 0, 26, 24, 20, 19, 8, 7, 1, 0]
    assert to_verse_numbers(np.array([0, 8, 26, 28])).tolist() == [0, 8, 26, 28]
    assert to_verse_numbers(np.array([26]), "totalsegmentator").tolist() == [26]
    with pytest.raises(ValueError, match="whole numbers"):
        to_verse_numbers(np.array([1.5]))
    with pytest.raises(ValueError, match="unknown numbering"):
        to_verse_numbers(np.array([1]), "dicom")


def test_the_public_folder_is_found_by_its_names(shared_data):
    names = {c.name: c for c in find_cases(shared_data)}
    assert names["ct/ts_example"].bodies.name == "ts_example_vertebral_bodies_by_level.nii.gz"
    _, truth = load_case(names["ct/ts_example"])
    assert [v.level for v in truth.vertebrae if v.in_view] == ["T12", "L1", "L2", "L3", "L4", "L5"]
    assert not next(v for v in truth.vertebrae if v.level == "T12").complete
