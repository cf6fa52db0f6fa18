"""What is odd about label maps that somebody gave: parts, levels, and bodies in other numbers."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from example_analysis import example
from vertebra_core.errors import InputError
from vertebra_core.given_bodies import PLAIN, bodies_of_vertebrae
from vertebra_core.given_maps import given_maps
from vertebra_core.grade_pipeline import GradeOptions, grade_segmentation
from vertebra_core.grading_backend import GradingBackend
from vertebra_core.label_parts import without_stray_parts
from vertebra_core.level_order import order_flags, order_warnings
from vertebra_core.levels import level_named
from vertebra_core.output.label_map import write_label_map
from vertebra_core.reading import read_label_map
from vertebra_core.segment_levels import numbered_by_level
from vertebra_core.several_bodies import holds_several_bodies
from vertebra_core.volume import LabelVolume

BACKEND = GradingBackend(lambda ct, candidates, vertebrae: tuple(vertebrae), {}, "cpu")
BY_HEIGHTS = GradeOptions(device="cpu", threads=1)


def on_grid_of(labels: LabelVolume, array: np.ndarray) -> LabelVolume:
    return LabelVolume(array, labels.spacing_xyz_mm, labels.origin_lps_mm, labels.direction)


def renumbered(labels: LabelVolume, array: np.ndarray, t12: int, l1: int, l2: int) -> LabelVolume:
    table = np.zeros(64, np.uint8)
    table[[19, 20, 21]] = (t12, l1, l2)
    return on_grid_of(labels, table[array])


def graded(labels: LabelVolume, bodies: LabelVolume | None = None):
    return grade_segmentation(labels, None, bodies, BY_HEIGHTS, backend=BACKEND)


def levels(*names: str):
    return [level_named(name) for name in names]


# Order of levels.


@pytest.mark.parametrize(
    "names", [("T12", "L1", "L2"), ("T12", "T13", "L1"), ("L5", "L6", "S1"), ("L5", "S1"), ("L3",)]
)
def test_levels_that_follow_one_another_raise_no_doubt(names):
    assert order_warnings(levels(*names)) == ()
    assert not any(order_flags(levels(*names)))


def test_levels_from_foot_to_head_suggest_another_numbering():
    named = levels("L4", "L3", "L2", "L1", "T12", "T11")
    (warning,) = order_warnings(named)
    assert "from foot to head" in warning and "--numbers totalsegmentator1" in warning
    assert all(flag.code == "low_level_margin" for (flag,) in order_flags(named))


def test_swapped_levels_are_named_and_others_are_not():
    named = levels("L1", "L3", "L2", "L4")
    (warning,) = order_warnings(named)
    assert "L3, L2" in warning
    assert [len(flags) for flags in order_flags(named)] == [0, 1, 1, 0]


def test_absent_levels_are_told_but_for_t13_and_l6():
    (warning,) = order_warnings(levels("T11", "L1", "L2"))
    assert "T12, between T11 and L1" in warning
    (warning,) = order_warnings(levels("T13", "L3"))
    assert "L1 or L2, between T13 and L3" in warning


def test_numbers_of_totalsegmentator_1_can_be_told():
    _, labels, bodies, _ = example()
    theirs = renumbered(labels, labels.labels, 23, 22, 21)
    result, _ = graded(theirs, on_grid_of(labels, bodies))
    assert [v.level for v in result.analysis.vertebrae] == ["L4", "L3", "L2"]
    assert any("totalsegmentator1" in w for w in result.analysis.warnings)
    assert all("low_level_margin" in [f.code for f in v.flags] for v in result.analysis.vertebrae)
    named, _ = numbered_by_level(theirs, "totalsegmentator1")
    assert np.array_equal(named.labels, labels.labels)


def test_how_probable_a_given_level_is_nobody_says():
    _, labels, bodies, _ = example()
    result, _ = graded(labels, on_grid_of(labels, bodies))
    assert [v.level_probability for v in result.analysis.vertebrae] == [None] * 3


# Parts of a label.


def test_small_parts_far_away_are_left_out_and_told():
    _, labels, _, _ = example()
    clean = labels.labels.copy()
    labels.labels[50:, 44:, 40:] = 21
    checked = without_stray_parts(labels)
    assert np.array_equal(checked.labels.labels, clean) and checked.doubts == {}
    (warning,) = checked.warnings
    assert "L2" in warning and "0.24 ml" in warning
    assert labels.labels[52, 46, 42] == 21, "what was given stays as it is"


def test_an_arch_drawn_apart_from_its_body_stays():
    _, labels, _, _ = example()
    checked = without_stray_parts(labels)
    assert np.array_equal(checked.labels.labels, labels.labels)
    assert checked.warnings == () and checked.doubts == {}


def test_stray_parts_count_neither_for_volume_nor_for_the_label_map():
    _, labels, bodies, _ = example()
    plain, _ = graded(labels, on_grid_of(labels, bodies))
    clean = labels.labels.copy()
    labels.labels[50:, 44:, 40:] = 21
    result, grid = graded(labels, on_grid_of(labels, bodies))
    assert np.array_equal(grid.labels, clean) and np.array_equal(result.labels, clean)
    volumes = [[v.volume_ml for v in r.analysis.vertebrae] for r in (plain, result)]
    assert volumes[0] == volumes[1] and volumes[0][2]


def test_two_large_parts_far_apart_are_not_measured():
    _, labels, _, _ = example()
    labels.labels[40:, 30:, 36:] = 21
    result, grid = graded(labels)
    flags = {v.level: [f.code for f in v.flags] for v in result.analysis.vertebrae}
    assert "implausible_shape" in flags["L2"] and "implausible_shape" not in flags["L1"]
    assert any("L2 has 2 large parts" in w for w in result.analysis.warnings)
    assert np.array_equal(grid.labels, labels.labels), "which part is the vertebra is not decided"


# Several bodies under one label.


def stacked(step_mm: int, height_mm: int = 24, joined: bool = True) -> np.ndarray:
    """Two bodies of 30 x 40 mm with arches behind; facets join them."""
    mask = np.zeros((110, 80, 60), np.float32)
    for low in (8, 8 + step_mm):
        mask[low : low + height_mm, 5:35, 10:50] = 1
        mask[low + 5 : low + 18, 35:70, 27:33] = 1
    if joined:
        mask[8 : 8 + step_mm + height_mm, 45:50, 22:38] = 1
    return mask


def test_a_mask_of_two_bodies_is_told_from_one():
    assert holds_several_bodies(stacked(34))
    assert holds_several_bodies(stacked(34, joined=False))
    one = stacked(34)
    one[40:, :35] = 0
    assert not holds_several_bodies(one)
    # Where the discs are labelled as well.
    assert holds_several_bodies(stacked(50, 52))
    assert not holds_several_bodies(np.zeros((20, 20, 20)))


def test_one_label_on_two_vertebrae_is_not_measured():
    _, labels, _, _ = example()
    labels.labels[labels.labels == 20] = 19
    candidates = []

    def grade(ct, given, vertebrae):
        candidates.extend(given)
        return tuple(vertebrae)

    result, _ = grade_segmentation(
        labels, None, None, BY_HEIGHTS, backend=GradingBackend(grade, {}, "cpu")
    )
    assert [v.level for v in result.analysis.vertebrae] == ["T12", "L2"]
    assert candidates[0].doubt and not candidates[1].doubt
    assert any("T12 holds several bodies" in w for w in result.analysis.warnings)
    assert any("L1, between T12 and L2" in w for w in result.analysis.warnings)


def test_a_map_that_does_not_tell_vertebrae_apart_is_refused():
    _, labels, _, _ = example()
    with pytest.raises(InputError) as refused:
        graded(on_grid_of(labels, (labels.labels > 0).astype(np.uint8)))
    assert refused.value.code == "several_bodies" and "label of its own" in refused.value.hint


# Bodies in numbers of their own.


def test_a_plain_map_of_bodies_is_divided_by_the_vertebrae():
    _, labels, bodies, _ = example()
    plain = (bodies > 0).astype(np.uint8)
    plain[17:19, 10:28, 10:34] = 2  # a disc
    found = bodies_of_vertebrae(on_grid_of(labels, plain), labels)
    assert np.array_equal(found.labels.labels, bodies)
    assert found.numbering == PLAIN and "which body is which" in found.warnings[0]


@pytest.mark.parametrize("told", ["auto", "totalsegmentator", "verse"])
@pytest.mark.parametrize("theirs", [(19, 20, 21), (32, 31, 30), (23, 22, 21)])
def test_bodies_may_be_numbered_otherwise_than_vertebrae(told, theirs):
    _, labels, bodies, _ = example()
    found = bodies_of_vertebrae(renumbered(labels, bodies, *theirs), labels, told)
    assert np.array_equal(found.labels.labels, bodies)


def test_numbers_that_are_told_hold_for_the_map_they_fit():
    _, labels, bodies, _ = example()
    segmentation = renumbered(labels, labels.labels, 32, 31, 30)
    found = given_maps(segmentation, None, on_grid_of(labels, bodies), "totalsegmentator")
    assert (found.numbering, found.bodies.numbering) == ("totalsegmentator", "verse")
    assert np.array_equal(found.bodies.labels.labels, bodies)


def test_bodies_of_other_levels_are_refused():
    _, labels, bodies, _ = example()
    with pytest.raises(InputError) as refused:
        bodies_of_vertebrae(renumbered(labels, bodies, 3, 4, 5), labels)
    assert refused.value.code == "no_common_level" and "map of bodies" in refused.value.message


def test_bodies_that_partly_fit_are_told():
    _, labels, bodies, _ = example()
    found = bodies_of_vertebrae(renumbered(labels, bodies, 19, 3, 4), labels)
    assert "Only 33%" in found.warnings[0]


# Where results come from.


def test_manifest_states_both_maps_and_how_their_levels_were_told(tmp_path):
    ct, labels, bodies, _ = example()
    theirs = renumbered(labels, labels.labels, 32, 31, 30)
    write_label_map(tmp_path / "spine.nii.gz", theirs.labels, labels)
    write_label_map(tmp_path / "bodies.nii.gz", bodies, labels)
    given = [read_label_map(tmp_path / f"{name}.nii.gz") for name in ("spine", "bodies")]
    for scan in (None, ct):
        result, _ = grade_segmentation(given[0], scan, given[1], BY_HEIGHTS, backend=BACKEND)
        stated = result.analysis.manifest.options
        assert (stated["numbers"], stated["segmentation_numbers"]) == ("auto", "totalsegmentator")
        assert (stated["bodies"], stated["bodies_numbers"]) == ("bodies.nii.gz", "verse")
        assert stated["segmentation"] == "spine.nii.gz"
        content = (tmp_path / "spine.nii.gz").read_bytes()
        assert stated["segmentation_sha256"] == hashlib.sha256(content).hexdigest()
        assert stated["bodies_sha256"] != stated["segmentation_sha256"]
    result, _ = grade_segmentation(replace(labels, names={19: "T12", 20: "L1", 21: "L2"}),
                                   None, None, BY_HEIGHTS, backend=BACKEND)  # fmt: skip
    stated = result.analysis.manifest.options
    assert stated["segmentation_numbers"] == "names" and "bodies" not in stated
