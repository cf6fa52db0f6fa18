"""Truth files and VerSe's centroid files: what they may hold, and what is wrong in plain words."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from vertebra_core.evaluation.records import PHANTOM, REAL
from vertebra_core.evaluation.truth_files import read_truth_file, read_verse_centroids
from vertebra_core.volume import CtVolume

CENTER = [1.0, -2.0, 3.5]


def truth_file(folder: Path, **changes) -> Path:
    entry = {"level": "L1", "center_lps_mm": CENTER, "grade": 2, "shape": "wedge"} | changes
    path = folder / "case_truth.json"
    path.write_text(json.dumps({"vertebrae": [entry]}))
    return path


def refused(path: Path) -> str:
    with pytest.raises(ValueError) as told:
        read_truth_file(path)
    words = str(told.value)
    assert path.name in words and "Error" not in words and not words.endswith(".")
    return words


def test_a_vertebra_without_a_centre_is_refused_in_words_of_its_own(tmp_path):
    assert "L1: center_lps_mm, the centre of its body, is missing" in refused(
        truth_file(tmp_path, center_lps_mm=None)
    )


def test_a_vertebra_comes_with_all_that_is_known(tmp_path):
    heights = {"anterior": 20, "middle": 21.5, "posterior": 24}
    kind, facts = read_truth_file(truth_file(tmp_path, heights_mm=heights))
    (found,) = facts.values()
    assert kind == REAL and list(facts) == ["L1"]
    assert (found.center_lps_mm, found.grade, found.shape) == (tuple(CENTER), 2, "wedge")
    assert found.heights_mm == (20.0, 21.5, 24.0)


def test_the_truth_of_a_phantom_is_known_by_its_seed(tmp_path):
    path = tmp_path / "truth.json"
    entry = {"level": 20, "center_lps_mm": CENTER, "shape": "normal", "grade": 0}
    entry |= {f"height_{k}_mm": 20.0 for k in ("anterior", "middle", "posterior")}
    sacrum = {"level": 26, "center_lps_mm": CENTER}
    path.write_text(json.dumps({"seed": 1, "centers": [entry, sacrum]}))
    kind, facts = read_truth_file(path)
    assert kind == PHANTOM and list(facts) == ["L1"]
    assert facts["L1"].heights_mm == (20.0, 20.0, 20.0)


@pytest.mark.parametrize("grade", [0, 3, 2.0, None])
def test_a_grade_is_a_whole_number_or_unknown(grade, tmp_path):
    found = read_truth_file(truth_file(tmp_path, grade=grade))[1]["L1"].grade
    assert found == grade and not isinstance(found, float)


@pytest.mark.parametrize("grade", [7, -1, "2", 1.5, True, math.nan, [2]])
def test_another_grade_is_refused(grade, tmp_path):
    assert "L1: the grade " in refused(truth_file(tmp_path, grade=grade))


@pytest.mark.parametrize("shape", ["Wedge", "", 1, ["wedge"]])
def test_a_shape_that_nobody_knows_is_refused(shape, tmp_path):
    words = refused(truth_file(tmp_path, shape=shape))
    assert "L1: the shape " in words and "biconcave" in words
    assert read_truth_file(truth_file(tmp_path, shape=None))[1]["L1"].shape is None


@pytest.mark.parametrize(
    "center", [None, [1, 2], [1, 2, 3, 4], [math.nan, 0, 0], [0, math.inf, 0], "abc", [1, "b", 2]]
)
def test_a_centre_is_three_numbers(center, tmp_path):
    assert "L1: center_lps_mm" in refused(truth_file(tmp_path, center_lps_mm=center))


@pytest.mark.parametrize("heights", [[20, 21], {"anterior": 20}, [20, 0, 21], [20, -1, 21], "high"])
def test_heights_are_three_lengths(heights, tmp_path):
    assert "L1: heights_mm" in refused(truth_file(tmp_path, heights_mm=heights))


@pytest.mark.parametrize("level", ["L9", 27, [20], True, None, 20.5])
def test_a_level_that_there_is_not_is_told(level, tmp_path):
    assert "no level" in refused(truth_file(tmp_path, level=level))


def test_a_level_may_be_named_by_its_number(tmp_path):
    for level in (20, 20.0):
        assert list(read_truth_file(truth_file(tmp_path, level=level))[1]) == ["L1"]


def test_a_level_that_stands_there_twice_is_refused(tmp_path):
    path = tmp_path / "truth.json"
    entry = {"level": "L1", "center_lps_mm": CENTER}
    path.write_text(json.dumps({"vertebrae": [entry, entry | {"level": 20, "grade": 1}]}))
    assert "L1 stands there twice" in refused(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no JSON"),
        ('{"vertebrae": [', "no JSON"),
        ("[1, 2]", "vertebrae"),
        ('{"other": []}', "vertebrae"),
        ('{"vertebrae": {"L1": {}}}', "vertebrae"),
        ('{"vertebrae": [1]}', "level"),
        ('{"vertebrae": [{"center_lps_mm": [0, 0, 0]}]}', "level"),
        ('{"vertebrae": [{"level": "L1"}]}', "center_lps_mm"),
    ],
)
def test_something_else_than_a_truth_file_is_told_in_words(content, words, tmp_path):
    path = tmp_path / "case_truth.json"
    path.write_text(content)
    assert words in refused(path)


def test_the_encodings_of_other_programs_are_read_or_told(tmp_path):
    path = truth_file(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert list(read_truth_file(path)[1]) == ["L1"]
    path.write_bytes('{"comment": "Müller", "vertebrae": []}'.encode("latin-1"))
    assert "UTF-8" in refused(path)


GRID = CtVolume(np.zeros((40, 50, 60)), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))


def centroids(folder: Path, direction: object = ("L", "P", "S"), **changes) -> Path:
    path = folder / "case_ctd.json"
    entry = {"label": 20, "X": 10.0, "Y": 20.0, "Z": 5.0} | changes
    path.write_text(json.dumps([{"direction": direction}, entry]))
    return path


def test_voxels_are_counted_along_the_axes_that_are_named(tmp_path):
    for direction, xyz in (("LPS", (10, 20, 5)), (["R", "A", "S"], (49, 29, 5))):
        points = dict(zip("XYZ", xyz, strict=True))
        found = read_verse_centroids(centroids(tmp_path, direction, **points), GRID)["L1"]
        expected = (10.0, 20.0, 10.0)
        assert found.center_lps_mm == pytest.approx(expected)
    points = {"X": 34, "Y": 10, "Z": 29}
    found = read_verse_centroids(centroids(tmp_path, "ILA", **points), GRID)["L1"]
    assert found.center_lps_mm == pytest.approx((10.0, 20.0, 10.0))


@pytest.mark.parametrize("direction", ["XYZ", "LLS", "LP", "LRS", "LPSA", [], None, 3, [1, 2, 3]])
def test_a_direction_that_names_no_axes_is_told(direction, tmp_path):
    with pytest.raises(ValueError, match=r"case_ctd\.json is no .*: its direction") as told:
        read_verse_centroids(centroids(tmp_path, direction), GRID)
    assert "Error" not in str(told.value)


@pytest.mark.parametrize("x", [None, math.nan, math.inf, "a", [1]])
def test_a_position_is_a_number(x, tmp_path):
    with pytest.raises(ValueError, match="the position of 20 is not three numbers"):
        read_verse_centroids(centroids(tmp_path, X=x), GRID)


@pytest.mark.parametrize(("axis", "value"), [("X", 9999), ("X", -9999), ("Z", 60), ("Y", -30)])
def test_a_position_off_the_scan_is_told(axis, value, tmp_path):
    with pytest.raises(ValueError, match="L1 lies outside the scan"):
        read_verse_centroids(centroids(tmp_path, **{axis: value}), GRID)


def test_a_body_that_the_border_cuts_may_have_its_centre_beyond_it(tmp_path):
    assert "L1" in read_verse_centroids(centroids(tmp_path, Z=-5), GRID)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "[1]", '[{"direction": "LPS"}, 3]', '[{"direction": "LPS"}, {"label": "a"}]'],
)
def test_something_else_than_centroids_is_told_in_words(content, tmp_path):
    path = tmp_path / "case_ctd.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"case_ctd\.json is no ") as told:
        read_verse_centroids(path, GRID)
    assert "Error" not in str(told.value)


def test_of_a_phantoms_first_two_vertebrae_only_the_centres_are_taken(tmp_path):
    path = tmp_path / "truth.json"
    stated = {"center_lps_mm": CENTER, "shape": "normal", "grade": 0, "heights_mm": [20, 20, 20]}
    entries = [{"level": level, **stated} for level in ("C1", "C2", "C3")]
    path.write_text(json.dumps({"seed": 1, "vertebrae": entries}))
    facts = read_truth_file(path)[1]
    graded = {n: (v.grade, v.shape, v.heights_mm) for n, v in facts.items()}
    assert graded["C1"] == graded["C2"] == (None, None, None)
    assert graded["C3"] == (0, "normal", (20.0, 20.0, 20.0))
    assert facts["C1"].center_lps_mm == tuple(CENTER)


def test_heights_that_a_fusion_hides_are_not_known(tmp_path):
    hidden = {f"height_{k}_mm": None for k in ("anterior", "middle", "posterior")}
    facts = read_truth_file(truth_file(tmp_path, **hidden))[1]
    assert facts["L1"].heights_mm is None and facts["L1"].grade == 2
