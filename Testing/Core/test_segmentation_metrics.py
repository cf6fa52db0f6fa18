"""Segmentation metrics on masks whose answers can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from vertebra_core.evaluation.segmentation_metrics import (
    overlap,
    pair_labels,
    score_labels,
    surface_distances,
)

NAMES = {20: "L1", 21: "L2", 22: "L3"}


def _cube(shape, start, stop):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return mask


def test_overlap_of_two_half_overlapping_boxes():
    true = _cube((10, 10, 10), (2, 2, 2), (6, 6, 6))
    found = _cube((10, 10, 10), (4, 2, 2), (8, 6, 6))
    agreement = overlap(true, found)
    assert agreement.dice == pytest.approx(0.5)
    assert agreement.iou == pytest.approx(1 / 3)
    assert agreement.false_negative_rate == pytest.approx(0.5)
    assert agreement.false_positive_rate == pytest.approx(32 / (1000 - 64))
    assert agreement.pixel_accuracy == pytest.approx(1 - 64 / 1000)


def test_overlap_refuses_masks_of_different_shape_and_two_empty_ones():
    with pytest.raises(ValueError, match="different shape"):
        overlap(np.zeros((2, 2, 2), bool), np.zeros((2, 2, 3), bool))
    with pytest.raises(ValueError, match="empty"):
        overlap(np.zeros((2, 2, 2), bool), np.zeros((2, 2, 2), bool))


def test_surface_distances_respect_the_voxel_spacing():
    true = _cube((30, 20, 20), (5, 5, 5), (15, 6, 6))
    found = _cube((30, 20, 20), (7, 5, 5), (17, 6, 6))
    distances = surface_distances(true, found, (3.0, 1.0, 1.0))
    # Two voxels stick out at either end: 3 and 6 mm on 2 of 10 points each way.
    assert distances.hausdorff_mm == pytest.approx(6.0)
    assert distances.mean_mm == pytest.approx(0.9)
    assert distances.average_hausdorff_mm == pytest.approx(0.9)


def test_mean_and_average_hausdorff_differ_when_the_surfaces_differ_in_size():
    point = _cube((9, 9, 9), (4, 4, 4), (5, 5, 5))
    bar = _cube((9, 9, 9), (4, 4, 4), (5, 5, 7))
    distances = surface_distances(point, bar, (1.0, 1.0, 1.0))
    assert distances.mean_mm == pytest.approx((0 + 0 + 1 + 2) / 4)
    assert distances.average_hausdorff_mm == pytest.approx((0 + 1) / 2)


def test_a_face_cut_by_the_volume_border_is_no_surface():
    true = _cube((10, 10, 10), (0, 2, 2), (5, 8, 8))
    found = _cube((10, 10, 10), (0, 2, 2), (6, 8, 8))
    distances = surface_distances(true, found, (1.0, 1.0, 1.0))
    free = surface_distances(np.pad(true, 1), np.pad(found, 1), (1.0, 1.0, 1.0))
    assert distances.hausdorff_mm == pytest.approx(1.0)
    assert free.mean_mm < distances.mean_mm


def test_surface_distances_agree_with_brute_force():
    rng = np.random.default_rng(5)
    grid = np.indices((14, 14, 14)) - 6.5
    true = (grid**2).sum(0) < 20
    found = ((grid + rng.normal(0, 0.6, (3, 1, 1, 1))) ** 2).sum(0) < 24
    spacing = np.array([2.0, 0.7, 0.9])

    def surface(mask):
        padded = np.pad(mask, 1)
        core = padded[1:-1, 1:-1, 1:-1].copy()
        for axis in range(3):
            for step in (-1, 1):
                core &= np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
        return np.argwhere(mask & ~core) * spacing

    gaps = np.linalg.norm(surface(true)[:, None] - surface(found)[None], axis=-1)
    forth, back = gaps.min(1), gaps.min(0)
    distances = surface_distances(true, found, tuple(spacing))
    assert distances.hausdorff_mm == pytest.approx(max(forth.max(), back.max()))
    assert distances.mean_mm == pytest.approx(np.concatenate([forth, back]).mean())
    assert distances.hausdorff95_mm == pytest.approx(
        max(np.percentile(forth, 95), np.percentile(back, 95))
    )


def _row_of_blocks(numbers):
    labels = np.zeros((40, 12, 12), np.uint8)
    for k, number in enumerate(numbers):
        labels[2 + 12 * k : 11 + 12 * k, 2:10, 2:10] = number
    return labels


def test_masks_named_one_level_too_low_are_paired_by_overlap():
    assert pair_labels(_row_of_blocks([20, 21, 22]), _row_of_blocks([21, 22, 23])) == {
        20: 21,
        21: 22,
        22: 23,
    }


def test_a_missed_vertebra_scores_zero_and_has_no_distances():
    true, found = _row_of_blocks([20, 21, 22]), _row_of_blocks([20, 0, 22])
    scores = score_labels(true, found, (1.0, 1.0, 1.0), NAMES, {20: False}, "vertebra")
    assert [s.level for s in scores] == ["L1", "L2", "L3"]
    assert [s.dice for s in scores] == [1.0, 0.0, 1.0]
    assert scores[1].found_level is None
    assert scores[1].mean_surface_distance_mm is None
    assert scores[0].hausdorff_mm == 0
    assert [s.in_view for s in scores] == [False, True, True]


def test_scores_do_not_depend_on_what_lies_far_from_the_vertebra():
    true, found = _row_of_blocks([20, 0, 0]), _row_of_blocks([20, 0, 0])
    found[10, 2:10, 2:10] = 0
    small = score_labels(true, found, (1.0, 1.0, 1.0), NAMES, {}, "body")[0]
    room = ((30, 30), (30, 30), (30, 30))
    large = score_labels(
        np.pad(true, room), np.pad(found, room), (1.0, 1.0, 1.0), NAMES, {}, "body"
    )[0]
    larger = score_labels(np.pad(true, 60), np.pad(found, 60), (1.0, 1.0, 1.0), NAMES, {}, "body")[
        0
    ]
    assert larger == large
    assert small.dice == large.dice == pytest.approx(2 * 8 / (9 + 8))


def test_bodies_can_follow_the_pairs_of_whole_vertebrae():
    true, found = _row_of_blocks([20, 21, 0]), _row_of_blocks([0, 20, 0])
    scores = score_labels(true, found, (1.0, 1.0, 1.0), NAMES, {}, "body", pairs={20: 20})
    assert [s.dice for s in scores] == [0.0, 0.0]
