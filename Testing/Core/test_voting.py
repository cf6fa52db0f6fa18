"""LocNet-F's voting and clustering, and LocNet-H's peaks."""

from __future__ import annotations

import numpy as np
import pytest
from vertebra_core.localisation.heat_peaks import peaks_from_heat
from vertebra_core.localisation.voting import (
    cast_votes,
    fast_search_peaks,
    peaks_from_votes,
    vote_map,
)

SHAPE = (40, 30, 30)
SPACING_MM = 2.0


def voxels() -> np.ndarray:
    return np.indices(SHAPE).astype(np.float32)


def ideal_output(centers) -> tuple[np.ndarray, np.ndarray]:
    """Heat and offsets (mm) that a perfect LocNet would give."""
    grid = voxels()
    distance = np.stack([np.square(grid - np.reshape(c, (3, 1, 1, 1))).sum(0) for c in centers])
    nearest = np.asarray(centers)[distance.argmin(0)]
    offset = (np.moveaxis(nearest, -1, 0) - grid) * SPACING_MM
    return np.exp(-distance.min(0) / (2 * 2.0**2)).astype(np.float32), offset.astype(np.float32)


def reference_vote_map(heat, offset_mm, threshold):
    """Algorithm 1 as printed, voxel by voxel."""
    votes = np.zeros_like(heat)
    for index in np.argwhere(heat > threshold):
        target = np.floor(index + offset_mm[(slice(None), *index)] / SPACING_MM + 0.5).astype(int)
        if (target >= 0).all() and (target < heat.shape).all():
            votes[tuple(target)] += heat[tuple(index)]
    return votes


def reference_peaks(density, value_threshold, distance):
    """Algorithm 2 as printed, voxel by voxel."""
    peaks = []
    for index in np.argwhere(density > value_threshold):
        box = tuple(slice(max(0, i - 1), i + 2) for i in index)
        if density[tuple(index)] < density[box].max():
            continue
        denser = np.argwhere(density > density[tuple(index)])
        if not len(denser) or np.linalg.norm(denser - index, axis=1).min() > distance:
            peaks.append(tuple(index))
    return peaks


def test_vote_map_equals_the_algorithm_as_printed():
    rng = np.random.default_rng(1)
    heat = rng.random(SHAPE).astype(np.float32)
    offset = rng.normal(0, 12, (3, *SHAPE)).astype(np.float32)
    positions, weights = cast_votes(heat, offset, SPACING_MM, 0.8)
    found = vote_map(positions, weights, SHAPE)
    expected = reference_vote_map(heat, offset, 0.8)
    assert expected.sum() > 100
    assert np.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("distance", [2.0, 5.0, 9.0])
def test_peaks_equal_the_algorithm_as_printed(distance):
    rng = np.random.default_rng(2)
    density = rng.random((14, 12, 13)) ** 4
    found = {tuple(p) for p in fast_search_peaks(density, 0.1, distance).tolist()}
    assert found == set(reference_peaks(density, 0.1, distance))
    assert found


def test_of_two_equal_peaks_close_together_one_is_kept():
    density = np.zeros((9, 9, 9))
    density[4, 4, 3] = density[4, 4, 6] = 1.0
    assert len(fast_search_peaks(density, 0.1, 5.0)) == 1
    assert len(fast_search_peaks(density, 0.1, 2.0)) == 2


def test_centres_are_found_between_voxels():
    centers = [(8.3, 14.6, 15.2), (20.7, 13.1, 14.4), (31.4, 15.5, 15.9)]
    heat, offset = ideal_output(centers)
    peaks = peaks_from_votes(heat, heat * 0, offset, SPACING_MM, 0.3, 0.0, 0.4, 8.0)
    found = np.array(sorted(p.position_zyx for p in peaks))
    assert np.abs(found - np.array(centers)).max() < 0.05


def test_noisy_votes_average_out():
    centers = [(10.0, 14.0, 15.0), (27.0, 13.0, 14.0)]
    heat, offset = ideal_output(centers)
    offset += np.random.default_rng(0).normal(0, 2.0, offset.shape)
    peaks = peaks_from_votes(heat, heat * 0, offset, SPACING_MM, 0.3, 0.0, 0.4, 8.0)
    found = np.array(sorted(p.position_zyx for p in peaks[:2]))
    assert np.abs(found - np.array(centers)).max() * SPACING_MM < 1.0


def test_foreground_finds_what_the_heat_misses():
    centers = [(10.0, 14.0, 15.0), (27.0, 13.0, 14.0)]
    heat, offset = ideal_output(centers)
    foreground = (heat > 0.1).astype(np.float32)
    heat[20:] = 0.0
    arguments = (offset, SPACING_MM, 0.25)
    without = peaks_from_votes(heat, foreground, *arguments, 0.0, 0.4, 8.0)
    with_it = peaks_from_votes(heat, foreground, *arguments, 0.3, 0.4, 8.0)
    assert (len(without), len(with_it)) == (1, 2)


def test_votes_that_leave_the_volume_are_dropped():
    heat = np.zeros(SHAPE, np.float32)
    heat[0, 10, 10] = 1.0
    offset = np.zeros((3, *SHAPE), np.float32)
    offset[0] = -5 * SPACING_MM
    positions, _ = cast_votes(heat, offset, SPACING_MM, 0.5)
    assert len(positions) == 0


def test_a_centre_just_beyond_the_edge_is_found_by_the_voxels_in_view():
    heat, offset = ideal_output([(-2.0, 14.0, 15.0), (18.0, 13.0, 14.0)])
    foreground = (np.indices(SHAPE)[0] < 5) * np.float32(0.9)
    arguments = (foreground, offset, SPACING_MM, 0.25, 0.3, 0.4, 8.0)
    peaks = peaks_from_votes(heat, *arguments, beyond_mm=6.0)
    found = np.array(sorted(p.position_zyx for p in peaks))
    assert np.abs(found - [(-2.0, 14.0, 15.0), (18.0, 13.0, 14.0)]).max() < 0.05
    assert all(0 < p.heat <= 1 for p in peaks)


def test_a_centre_far_beyond_the_edge_is_not_found():
    # 9 mm beyond the face of the first voxels; no echo of it may stay at the edge either.
    heat, offset = ideal_output([(-5.0, 14.0, 15.0)])
    foreground = (np.indices(SHAPE)[0] < 3) * np.float32(0.9)
    arguments = (foreground, offset, SPACING_MM, 0.25, 0.3, 0.4, 8.0)
    assert peaks_from_votes(heat, *arguments, beyond_mm=6.0) == []


def test_looking_beyond_the_edge_changes_nothing_within():
    heat, offset = ideal_output([(12.3, 14.6, 15.2), (24.7, 13.1, 14.4)])
    arguments = (heat * 0, offset, SPACING_MM, 0.3, 0.0, 0.4, 8.0)
    beyond = peaks_from_votes(heat, *arguments, beyond_mm=6.0)
    assert beyond == peaks_from_votes(heat, *arguments)


def test_nothing_hot_gives_nothing():
    empty = np.zeros(SHAPE, np.float32)
    offset = np.zeros((3, *SHAPE), np.float32)
    assert peaks_from_votes(empty, empty, offset, SPACING_MM, 0.3, 0.3, 0.4, 8.0) == []
    assert peaks_from_heat(empty, SPACING_MM, 0.3, 8.0) == []


def test_heat_peaks_lie_on_the_centres():
    centers = [(8.3, 14.6, 15.2), (20.7, 13.1, 14.4), (31.4, 15.5, 15.9)]
    heat, _ = ideal_output(centers)
    peaks = peaks_from_heat(heat, SPACING_MM, 0.3, 8.0)
    found = np.array(sorted(p.position_zyx for p in peaks))
    assert np.abs(found - np.array(centers)).max() < 0.1
