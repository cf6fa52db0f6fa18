"""Bodies of which the edge of a scan only grazes the side are measured; others that it cuts not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from analytic_bodies import arch_level, body_level, rotation, sampled
from vertebra_core.analysis import Vertebra
from vertebra_core.grade_pipeline import grade_segmentation
from vertebra_core.grading.opinions import BodyToGrade
from vertebra_core.grading_backend import GradingBackend
from vertebra_core.grading_stage import GradingStage, grade_bodies
from vertebra_core.reading import read_label_map

SHAPE = (44, 80, 70)
CENTER = np.array([21.0, 24.0, 34.0])
ORIGIN = (-30.0, 12.0, 100.0)
CLOSE_MM = 0.5
HEIGHTS_ALONE = GradingBackend(GradingStage(None), {}, "cpu")


def whole_level(z, y, x):
    return np.minimum(body_level(z, y, x), arch_level(z, y, x))


def graded(axis: int, low: int, high: int, turned_deg: float = 0.0) -> Vertebra:
    """An L2 in a scan that holds the indices `low` to `high` of its crop along `axis` alone."""
    turn = rotation(12.0, 4.0, turned_deg)
    body, whole = (sampled(f, turn, CENTER, SHAPE, (1.0,) * 3) for f in (body_level, whole_level))
    index = np.moveaxis(np.indices(SHAPE), 0, -1)
    outside = (index[..., axis] < low) | (index[..., axis] > high)
    body, whole = np.where(outside, 0, body), np.where(outside, 0, whole)
    faces = (index[..., axis] == low) | (index[..., axis] == high)
    points = index[(body > 0.5) & faces][:, ::-1] + np.array(ORIGIN)
    cut = len(points) > 0
    vertebra = Vertebra("L2", 1.0, None, (0.0, 0.0, 0.0))
    return grade_bodies([
        BodyToGrade(vertebra, body, whole, ORIGIN, cut, cut, cut_points_lps_mm=points)
    ])[0]  # fmt: skip


def heights(vertebra: Vertebra) -> np.ndarray:
    found = vertebra.heights_mm
    return np.array([found.anterior, found.middle, found.posterior])


@pytest.mark.parametrize(("low", "high"), [(14, 69), (0, 53), (14, 54)])
@pytest.mark.parametrize("turned_deg", [0.0, 10.0])
def test_a_grazed_side_leaves_heights_and_grade(low, high, turned_deg):
    sound, cut = graded(2, -9, 99, turned_deg), graded(2, low, high, turned_deg)
    assert sound.flags == () or all(f.code != "cut_by_field_of_view" for f in sound.flags)
    assert np.abs(heights(cut) - heights(sound)).max() < CLOSE_MM
    assert cut.grade == sound.grade == 0
    (reason,) = [f.reason for f in cut.flags if f.code == "cut_by_field_of_view"]
    assert "Only its side is cut" in reason


@pytest.mark.parametrize(
    ("axis", "low", "high"),
    [
        (2, 21, 69),  # more than a flank
        (2, 0, 44),
        (1, 10, 79),  # the front
        (0, 11, 43),  # the lower endplate
        (0, 0, 32),
    ],
)
def test_a_body_of_which_more_is_cut_is_not_graded(axis, low, high):
    cut = graded(axis, low, high)
    assert cut.grade is None and cut.heights_mm is None
    (flag,) = cut.flags
    assert flag.code == "not_graded" and "cuts the body" in flag.reason


def test_a_cut_of_which_nobody_says_where_is_not_graded():
    vertebra = Vertebra("L2", 1.0, None, (0.0, 0.0, 0.0))
    body = sampled(body_level, rotation(), CENTER, SHAPE, (1.0,) * 3)
    (found,) = grade_bodies([BodyToGrade(vertebra, body, body, ORIGIN, body_cut=True)])
    assert found.grade is None


@pytest.mark.parametrize(("level", "number", "body_number"), [("L2", 30, 21), ("L3", 29, 22)])
def test_a_label_map_that_grazes_a_real_body_leaves_its_heights(
    shared_data, level, number, body_number
):
    labels = alone(shared_data / "ct" / "ts_example_labels_totalseg.nii.gz", number)
    bodies = alone(shared_data / "ct" / "ts_example_vertebral_bodies_by_level.nii.gz", body_number)
    whole = measured(labels, bodies)[level]
    # One voxel of 3 mm from the side is lost.
    kept = slice(int(np.flatnonzero(bodies.labels.any((0, 1)))[0]) + 1, None)
    cut = measured(part(labels, kept), part(bodies, kept))[level]
    assert any("Only its side is cut" in f.reason for f in cut.flags)
    assert np.abs(heights(cut) - heights(whole)).max() < CLOSE_MM
    assert cut.grade == whole.grade


def alone(path, number: int):
    labels = read_label_map(path)
    return replace(labels, labels=np.where(labels.labels == number, labels.labels, 0))


def part(labels, columns: slice):
    corner = tuple(labels.index_to_lps(np.array([0, 0, columns.start])).tolist())
    return replace(labels, labels=labels.labels[:, :, columns].copy(), origin_lps_mm=corner)


def measured(labels, bodies) -> dict[str, Vertebra]:
    result, _ = grade_segmentation(labels, bodies=bodies, backend=HEIGHTS_ALONE)
    return {v.level: v for v in result.analysis.vertebrae}
