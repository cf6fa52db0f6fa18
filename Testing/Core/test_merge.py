"""Merging single vertebrae into label maps on any grid."""

from __future__ import annotations

import numpy as np
import pytest
from vertebra_core.errors import Cancelled
from vertebra_core.segmentation.merge import find_duplicates, merge, overlap_share
from vertebra_core.segmentation.segment import VertebraMask
from vertebra_core.volume import CtVolume

SHAPE = (48, 56, 60)
RADIUS_MM = 12.0
VOLUME_MM3 = 4 / 3 * np.pi * RADIUS_MM**3


def ball(center_lps_mm, origin_lps_mm, peak: float = 1.0, radius: float = RADIUS_MM):
    """A ball as a vertebra, its front half as the body."""
    center = (np.asarray(center_lps_mm) - origin_lps_mm)[::-1]
    grid = np.indices(SHAPE) - center[:, None, None, None]
    distance = np.sqrt(np.square(grid).sum(0))
    probability = peak / (1 + np.exp((distance - radius) * 3))
    body = np.where(grid[1] < 0, probability, 0)
    return VertebraMask(
        tuple(center_lps_mm),
        (0, 0, 0),
        tuple(origin_lps_mm),
        probability.astype(np.float16),
        body.astype(np.float16),
    )


def grid(spacing_xyz, size_xyz, center_lps, rotation_deg=0.0, flips=(1, 1, 1)) -> CtVolume:
    angle = np.deg2rad(rotation_deg)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    tilt = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    direction = turn @ tilt @ np.diag(flips)
    half = (np.array(size_xyz) - 1) / 2 * spacing_xyz
    origin = np.asarray(center_lps) - direction @ half
    hu = np.zeros(size_xyz[::-1], np.int16)
    return CtVolume(hu, tuple(spacing_xyz), tuple(origin), tuple(direction.ravel()))


GRIDS = {
    "working grid": grid((1.0, 1.0, 1.0), (70, 70, 80), (3, -4, 20)),
    "fine": grid((0.5, 0.6, 0.8), (140, 120, 100), (3, -4, 20)),
    "thick slices": grid((0.8, 0.8, 3.0), (90, 90, 26), (3, -4, 20)),
    "flipped": grid((0.9, 0.9, 1.5), (80, 80, 54), (3, -4, 20), 0.0, (-1, 1, -1)),
    "oblique": grid((0.9, 0.8, 1.2), (90, 100, 80), (3, -4, 20), 25.0),
    "left-handed and oblique": grid((0.9, 0.8, 1.2), (90, 100, 80), (3, -4, 20), -20, (1, 1, -1)),
}

CENTERS = {20: (2.3, -3.1, 8.4), 21: (4.2, -5.0, 34.7)}
MASKS = [ball(c, np.array([-25.0, -30, c[2] - 24])) for c in CENTERS.values()]


@pytest.mark.parametrize("name", GRIDS)
def test_vertebrae_come_out_where_they_are_on_any_grid(name):
    like = GRIDS[name]
    labels, bodies = merge(MASKS, list(CENTERS), like)
    assert labels.shape == bodies.shape == like.hu.shape
    assert labels.dtype == bodies.dtype == np.uint8
    voxel_mm3 = np.prod(like.spacing_xyz_mm)
    for number, center in CENTERS.items():
        inside = labels == number
        assert inside.sum() * voxel_mm3 == pytest.approx(VOLUME_MM3, rel=0.05)
        found = like.index_to_lps(np.argwhere(inside).astype(float)).mean(0)
        assert np.abs(found - center).max() < 0.35
        body_center = like.index_to_lps(np.argwhere(bodies == number).astype(float)).mean(0)
        # The front half of a ball: 3/8 of the radius forward.
        assert body_center[1] - center[1] == pytest.approx(-3 / 8 * RADIUS_MM, abs=0.6)
    assert set(np.unique(labels)) == {0, 20, 21}


@pytest.mark.parametrize("thickness_mm", [1, 2])
def test_a_coarse_voxel_is_body_where_most_of_it_is(thickness_mm):
    vertebra = np.zeros((15, 20, 20), np.float16)
    vertebra[3:12, 5:15, 5:15] = 1
    body = np.zeros_like(vertebra)
    # Voxels of 3 mm are centred on slices 1, 4, 7, 10 and 13.
    body[7 : 7 + thickness_mm, 5:15, 5:15] = 1
    mask = VertebraMask((9.5, 9.5, 7.0), (0, 0, 0), (0.0, 0.0, 0.0), vertebra, body)
    like = CtVolume(np.zeros((5, 20, 20), np.int16), (1.0, 1.0, 3.0), (0.0, 0.0, 1.0))
    labels, bodies = merge([mask], [20], like)
    assert (labels > 0).any((1, 2)).tolist() == [False, True, True, True, False]
    filled = thickness_mm == 2
    assert (bodies > 0).any((1, 2)).tolist() == [False, False, filled, False, False]
    assert (bodies[2] == labels[2]).all() == filled


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_more_probable_vertebra_wins_whatever_the_order(order):
    weak = ball((0, 0, 10), (-30, -28, -14), peak=0.8)
    strong = ball((0, 0, 22), (-30, -28, -2), peak=1.0)
    masks, numbers = [weak, strong], [5, 6]
    like = grid((1, 1, 1), (60, 60, 70), (0, 0, 16))
    labels, _ = merge([masks[i] for i in order], [numbers[i] for i in order], like)
    shared = like.lps_to_index(np.array([0.0, 0.0, 16.0])).round().astype(int)
    assert labels[tuple(shared)] == 6
    only_weak = like.lps_to_index(np.array([0.0, 0.0, 3.0])).round().astype(int)
    assert labels[tuple(only_weak)] == 5


def test_blocks_do_not_show(monkeypatch):
    whole = merge(MASKS, [20, 21], GRIDS["oblique"])
    monkeypatch.setattr("vertebra_core.segmentation.merge._BLOCK_VOXELS", 20_000)
    in_blocks = merge(MASKS, [20, 21], GRIDS["oblique"])
    assert all(np.array_equal(a, b) for a, b in zip(whole, in_blocks, strict=True))


def test_body_stays_within_its_vertebra():
    labels, bodies = merge(MASKS, [20, 21], GRIDS["fine"])
    assert (bodies > 0).any()
    assert np.array_equal(bodies[bodies > 0], labels[bodies > 0])


def test_vertebra_outside_the_grid_is_left_out():
    far = ball((500, 0, 0), (470, -28, -24))
    labels, _ = merge([far], [20], GRIDS["fine"])
    assert not labels.any()


def test_wrong_numbers_are_refused():
    for numbers in ([20], [20, 0], [20, 256]):
        with pytest.raises(ValueError, match="number"):
            merge(MASKS, numbers, GRIDS["fine"])


def test_merge_can_be_cancelled():
    with pytest.raises(Cancelled):
        merge(MASKS, [20, 21], GRIDS["fine"], cancelled=lambda: True)


def test_progress_reaches_one():
    fractions: list[float] = []
    merge(MASKS, [20, 21], GRIDS["thick slices"], on_progress=fractions.append)
    assert fractions == [0.5, 1.0]


def test_second_segmentation_of_one_vertebra_is_a_duplicate():
    shifted = ball((2.3, -1.0, 10.0), (-25, -30, -15))
    assert overlap_share(MASKS[0], shifted) > 0.7
    assert overlap_share(MASKS[0], MASKS[1]) < 0.05
    assert find_duplicates([*MASKS, shifted], [0.6, 0.9, 0.8]) == [0]
    assert find_duplicates([*MASKS, shifted], [0.9, 0.9, 0.8]) == [2]
