"""Segmentations that do not fit: their scan, their voxel size, or the vertebrae they name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from example_analysis import example
from vertebra_core.errors import InputError
from vertebra_core.grade_pipeline import GradeOptions, grade_segmentation
from vertebra_core.grading_backend import GradingBackend
from vertebra_core.label_numbers import TOTALSEGMENTATOR, VERSE, detect_scheme
from vertebra_core.level_order import order_warnings
from vertebra_core.levels import level_named
from vertebra_core.missing import missing_reasons
from vertebra_core.on_bone import NOT_ON_BONE
from vertebra_core.segment_levels import numbered_by_level
from vertebra_core.volume import CtVolume, LabelVolume, resample_labels

BY_HEIGHTS = GradeOptions(device="cpu", threads=1)


class Recorder:
    """A backend that measures nothing and keeps what it was given."""

    def __call__(self, ct, candidates, vertebrae):
        self.ct, self.candidates = ct, candidates
        return tuple(vertebrae)


def graded(labels, ct=None, bodies=None):
    recorder = Recorder()
    backend = GradingBackend(recorder, {}, "cpu")
    result, grid = grade_segmentation(labels, ct, bodies, BY_HEIGHTS, backend=backend)
    return result, grid, recorder


def with_array(labels: LabelVolume, array: np.ndarray) -> LabelVolume:
    return replace(labels, labels=array)


def flags_of(result, code: str) -> dict[str, str]:
    return {v.level: f.reason for v in result.analysis.vertebrae for f in v.flags if f.code == code}


# Voxels of the label map.


def thick(volume: LabelVolume) -> LabelVolume:
    spacing = (*volume.spacing_xyz_mm[:2], 2 * volume.spacing_xyz_mm[2])
    return replace(volume, labels=volume.labels[::2].copy(), spacing_xyz_mm=spacing)


@pytest.mark.parametrize("coarse", ["labels", "bodies", "both"])
def test_a_label_map_coarser_than_the_ct_is_flagged(coarse):
    ct, labels, bodies, _ = example()
    bodies = with_array(labels, bodies)
    labels = labels if coarse == "bodies" else thick(labels)
    bodies = bodies if coarse == "labels" else thick(bodies)
    result, _, recorder = graded(labels, ct, bodies)
    reasons = flags_of(result, "low_resolution")
    assert set(reasons) == {"T12", "L1", "L2"}
    assert all("4.0 mm in the label map" in reason for reason in reasons.values())
    assert {c.voxel_mm for c in recorder.candidates} == {4.0}


def test_a_label_map_finer_than_the_ct_is_not_what_makes_heights_coarse():
    ct, labels, bodies, _ = example()
    thick_ct = replace(ct, hu=ct.hu[::2].copy(), spacing_xyz_mm=(*ct.spacing_xyz_mm[:2], 4.0))
    result, _, recorder = graded(labels, thick_ct, with_array(labels, bodies))
    assert set(flags_of(result, "low_resolution").values()) == {
        "Voxels of 4.0 mm make heights coarse."
    }
    assert recorder.candidates[0].voxel_mm == 4.0


@pytest.mark.parametrize(("slice_mm", "told"), [(1.0, True), (2.0, False), (4.0, True)])
def test_a_wrong_slice_distance_is_told(slice_mm, told):
    _, labels, bodies, _ = example()
    maps = [
        replace(m, spacing_xyz_mm=(*m.spacing_xyz_mm[:2], slice_mm))
        for m in (labels, with_array(labels, bodies))
    ]
    result, _, _ = graded(maps[0], None, maps[1])
    assert any("slice distance" in w for w in result.analysis.warnings) is told


def test_the_refusal_of_one_label_for_all_speaks_of_the_voxel_size_too():
    _, labels, _, _ = example()
    with pytest.raises(InputError) as refused:
        graded(with_array(labels, (labels.labels > 0).astype(np.uint8)))
    assert refused.value.code == "several_bodies" and "voxel size" in refused.value.hint


# Numbers.


def test_one_more_structure_makes_no_totalsegmentator_of_verse():
    _, labels, _, _ = example()
    labels.labels[0, :10, :10] = 27
    numbered, (warning,) = numbered_by_level(labels)
    assert set(np.unique(numbered.labels)) == {0, 19, 20, 21}
    assert "number 27" in warning and "--numbers" in warning


def test_discs_numbered_beyond_the_vertebrae_are_left_out_and_told():
    _, labels, _, _ = example()
    labels.labels[0, :10, :10] = 122
    labels.labels[1, 0, 0] = 30
    numbered, (warning,) = numbered_by_level(labels)
    assert set(np.unique(numbered.labels)) == {0, 19, 20, 21}
    assert "numbers 30, 122" in warning


@pytest.mark.parametrize(
    ("numbers", "scheme"),
    [
        ((*range(16, 27), 27), VERSE),
        ((*range(16, 27), 27, 60), VERSE),
        ((23, 24, 25, 26, 28), VERSE),
        ((28,), VERSE),
        ((*range(1, 26), *range(101, 126)), VERSE),
        ((26, 27, 28), TOTALSEGMENTATOR),
        ((32, 31, 30), TOTALSEGMENTATOR),
        ((2, 3, 29), TOTALSEGMENTATOR),
        (range(1, 118), TOTALSEGMENTATOR),
        ((*range(1, 25), *range(27, 33), *range(51, 70)), TOTALSEGMENTATOR),
    ],
)
def test_the_numbering_is_the_one_that_explains_more(numbers, scheme):
    assert detect_scheme(np.repeat(np.array(list(numbers), np.uint8), 50)) == scheme


def test_a_refused_map_hints_at_numberings():
    _, labels, _, _ = example()
    for array in (np.full_like(labels.labels, 122), np.where(labels.labels > 0, 26, 0)):
        with pytest.raises(InputError) as refused:
            graded(with_array(labels, array.astype(np.uint8)))
        assert refused.value.code == "no_vertebra_labels" and "--numbers" in refused.value.hint


# Order and gaps.


@pytest.mark.parametrize(
    ("names", "missing"),
    [(("L2", "L3", "L4", "L6"), "L5, between L4 and L6"),
     (("T11", "T13", "L1"), "T12, between T11 and T13")],
)  # fmt: skip
def test_t13_and_l6_come_after_what_they_follow(names, missing):
    (warning,) = order_warnings([level_named(name) for name in names])
    assert missing in warning


def test_a_gap_between_levels_named_as_neighbours_is_flagged_on_both_sides():
    _, labels, bodies, _ = example()
    table = np.zeros(32, np.uint8)
    table[[19, 21]] = 19, 20
    skipped = with_array(labels, table[labels.labels])
    result, _, _ = graded(skipped, None, with_array(labels, table[bodies]))
    reasons = flags_of(result, "possibly_missed_neighbour")
    assert set(reasons) == {"T12", "L1"} and "2.0 times" in reasons["T12"]
    result, _, _ = graded(labels, None, with_array(labels, bodies))
    assert flags_of(result, "possibly_missed_neighbour") == {}


# The CT.


def padded(ct: CtVolume, width: int = 40) -> CtVolume:
    """The CT with soft tissue around, in the same place."""
    hu = np.pad(ct.hu, width, mode="constant")
    hu += np.random.default_rng(5).normal(40, 15, hu.shape).astype(np.int16) * (hu == 0)
    corner = tuple(ct.index_to_lps(np.full(3, -width)).tolist())
    return replace(ct, hu=hu, origin_lps_mm=corner)


@pytest.mark.parametrize("step_mm", [-25.0, 40.0])
def test_labels_that_do_not_lie_on_bone_are_told_and_no_density_is_read(step_mm):
    ct, labels, _, _ = example()
    ct = padded(ct)
    result, _, recorder = graded(labels, ct)
    assert recorder.ct is not None and NOT_ON_BONE not in result.analysis.warnings
    beside = np.asarray(ct.direction).reshape(3, 3)[:, 0] * step_mm
    moved = replace(labels, origin_lps_mm=tuple(np.add(labels.origin_lps_mm, beside)))
    result, _, recorder = graded(moved, ct)
    assert recorder.ct is None and result.analysis.warnings.count(NOT_ON_BONE) == 1


def test_faint_bone_is_bone():
    """As osteoporosis shows it."""
    ct, labels, _, _ = example()
    faint = replace(ct, hu=np.where(labels.labels > 0, ct.hu - 260, ct.hu))
    result, _, recorder = graded(labels, padded(faint))
    assert recorder.ct is not None and NOT_ON_BONE not in result.analysis.warnings


def test_public_labels_lie_on_bone(shared_data):
    from vertebra_core.reading import read_ct, read_label_map

    ct = read_ct(shared_data / "ct" / "ts_example_ct.nii.gz")
    labels = read_label_map(shared_data / "ct" / "ts_example_labels_totalseg.nii.gz")
    labels = with_array(labels, np.where(np.isin(labels.labels, (29, 30)), labels.labels, 0))
    for step, right in ((0.0, True), (15.0, False)):
        x, y, z = labels.origin_lps_mm
        result, _, _ = graded(replace(labels, origin_lps_mm=(x + step, y, z)), ct)
        assert (NOT_ON_BONE in result.analysis.warnings) is not right


def test_vertebrae_outside_the_ct_are_named():
    ct, labels, bodies, _ = example()
    above = replace(
        ct,
        hu=ct.hu[18:].copy(),
        origin_lps_mm=tuple(ct.index_to_lps(np.array([18, 0, 0])).tolist()),
    )
    result, _, _ = graded(labels, above, with_array(labels, bodies))
    assert [v.level for v in result.analysis.vertebrae] == ["T12", "L1"]
    (warning,) = [w for w in result.analysis.warnings if "Outside the CT" in w]
    assert "L2" in warning and "L1" not in warning
    assert not any("Outside" in w for w in graded(labels, ct)[0].analysis.warnings)
    inside = resample_labels(labels, replace(ct, hu=np.zeros((108, 48, 44), np.int16),
                                             spacing_xyz_mm=(1.5, 1.25, 1.0)))  # fmt: skip
    assert not any("Outside" in w for w in graded(inside, ct)[0].analysis.warnings)


# What is written.


def test_the_label_map_holds_no_vertebra_that_was_left_out():
    _, labels, bodies, _ = example()
    clean = labels.labels.copy()
    labels.labels[0, 0, :5], labels.labels[0, 1, :5] = 22, 26
    result, grid, _ = graded(labels, None, with_array(labels, bodies))
    assert set(np.unique(result.labels)) == set(np.unique(grid.labels)) == {0, 19, 20, 21, 26}
    assert np.array_equal(np.where(result.labels == 26, 0, result.labels), clean)
    assert labels.labels[0, 0, 0] == 22, "what was given stays as it is"


def test_bodies_alone_are_no_volume_of_whole_vertebrae():
    _, labels, bodies, _ = example()
    alone = with_array(labels, bodies)
    result, _, _ = graded(alone, None, alone)
    assert [v.volume_ml for v in result.analysis.vertebrae] == [None] * 3
    assert "whole vertebra" in missing_reasons(result.analysis.vertebrae[0])["volume_ml"]
    assert sum("without their arches" in w for w in result.analysis.warnings) == 1
    result, _, _ = graded(labels, None, alone)
    assert all(v.volume_ml for v in result.analysis.vertebrae)
    assert not any("arches" in w for w in result.analysis.warnings)
