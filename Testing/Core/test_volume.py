"""Volumes in space: coordinates, the working grid, label maps back in the input's geometry."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from simple_ct import simple_ct
from vertebra_core.volume import (
    AIR_HU,
    IDENTITY_DIRECTION,
    CtVolume,
    LabelVolume,
    from_sitk,
    resample_labels,
    resample_to_working_grid,
    same_grid,
    to_sitk,
)

SIGNED_PERMUTATIONS = [
    (axes, signs)
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def rotation(degrees_xyz: tuple[float, float, float]) -> np.ndarray:
    matrix = np.eye(3)
    for axis, degrees in enumerate(degrees_xyz):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = np.eye(3)
        i, j = [k for k in range(3) if k != axis]
        turn[i, i] = turn[j, j] = c
        turn[i, j], turn[j, i] = -s, s
        matrix = turn @ matrix
    return matrix


def stored_otherwise(ct: CtVolume, axes: tuple[int, ...], signs: tuple[int, ...]) -> CtVolume:
    """The same CT with its index axes permuted (`axes`, x y z) and flipped."""
    array = ct.hu.transpose([2 - axes[i] for i in (2, 1, 0)])
    flips = tuple(slice(None, None, signs[i]) for i in (2, 1, 0))
    last = np.asarray(ct.size_xyz) - 1
    corner = [0, 0, 0]
    for new_axis, old_axis in enumerate(axes):
        corner[old_axis] = last[old_axis] if signs[new_axis] < 0 else 0
    matrix = np.asarray(ct.direction).reshape(3, 3)[:, list(axes)] * np.asarray(signs)
    return CtVolume(
        np.ascontiguousarray(array[flips]),
        tuple(ct.spacing_xyz_mm[a] for a in axes),
        tuple(ct.index_to_lps(np.array(corner[::-1])).tolist()),
        tuple(matrix.ravel().tolist()),
    )


def field_at(points_lps_mm: np.ndarray) -> np.ndarray:
    """A smooth field in space, HU."""
    x, y, z = np.moveaxis(np.asarray(points_lps_mm), -1, 0)
    return 300 * np.sin(x / 12) * np.cos(y / 15) + 200 * np.sin(z / 14)


def volume_of_field(shape_zyx, spacing_xyz_mm, direction) -> CtVolume:
    empty = CtVolume(np.zeros(shape_zyx, np.float32), spacing_xyz_mm, (-30.0, 5.0, 80.0), direction)
    index = np.moveaxis(np.indices(shape_zyx), 0, -1)
    hu = np.rint(field_at(empty.index_to_lps(index))).astype(np.int16)
    return CtVolume(hu, empty.spacing_xyz_mm, empty.origin_lps_mm, direction)


def test_index_and_lps_are_inverse_and_agree_with_simpleitk():
    direction = tuple(rotation((20, -35, 50)).ravel().tolist())
    ct = simple_ct(spacing_xyz_mm=(0.7, 0.9, 2.5), direction=direction)
    index_zyx = np.array([[0, 0, 0], [3, 17, 5], [20.5, 1.25, 30.75]])
    points = ct.index_to_lps(index_zyx)
    np.testing.assert_allclose(ct.lps_to_index(points), index_zyx, atol=1e-9)
    image = to_sitk(ct)
    expected = [image.TransformContinuousIndexToPhysicalPoint(i[::-1].tolist()) for i in index_zyx]
    np.testing.assert_allclose(points, expected, atol=1e-9)


def test_simpleitk_round_trip_keeps_voxels_and_place():
    ct = simple_ct(direction=tuple(rotation((5, 10, 0)).ravel().tolist()))
    again = from_sitk(to_sitk(ct))
    np.testing.assert_array_equal(again.hu, ct.hu)
    assert again.hu.dtype == np.int16
    assert same_grid(again, ct, 1e-9)


@pytest.mark.parametrize("spacing_mm", [1.0, 2.0, 3.7])
def test_working_grid_has_identity_direction_and_covers_the_volume(spacing_mm):
    ct = simple_ct(spacing_xyz_mm=(1.2, 0.8, 2.5))
    grid = resample_to_working_grid(ct, spacing_mm)
    assert grid.direction == IDENTITY_DIRECTION
    assert grid.spacing_xyz_mm == (spacing_mm,) * 3
    assert grid.hu.dtype == np.float32
    low, high = ct.corners_lps_mm().min(0), ct.corners_lps_mm().max(0)
    np.testing.assert_allclose(grid.corners_lps_mm().min(0), low, atol=1e-9)
    beyond = grid.corners_lps_mm().max(0) - high
    assert np.all(beyond >= -0.01 * spacing_mm) and np.all(beyond < spacing_mm)


@pytest.mark.parametrize(("axes", "signs"), SIGNED_PERMUTATIONS[1::5])
@pytest.mark.parametrize("spacing_mm", [1.0, 2.2])
def test_flipped_and_permuted_copies_give_the_same_working_grid(axes, signs, spacing_mm):
    ct = simple_ct(shape_zyx=(11, 20, 22), spacing_xyz_mm=(1.3, 1.1, 2.0))
    copy = stored_otherwise(ct, axes, signs)
    expected = resample_to_working_grid(ct, spacing_mm)
    grid = resample_to_working_grid(copy, spacing_mm)
    assert same_grid(grid, expected, 1e-6)
    np.testing.assert_allclose(grid.hu, expected.hu, atol=0.01)


@pytest.mark.parametrize("degrees", [(0, 0, 12), (25, 0, 0), (8, -14, 30)])
@pytest.mark.parametrize("spacing_xyz_mm", [(1.0, 1.0, 1.0), (0.6, 0.6, 1.5)])
def test_rotated_copies_show_the_same_field(degrees, spacing_xyz_mm):
    size = [round(64 / s) for s in spacing_xyz_mm[::-1]]
    direction = tuple(rotation(degrees).ravel().tolist())
    ct = volume_of_field(size, spacing_xyz_mm, direction)
    grid = resample_to_working_grid(ct, 1.0)
    points = grid.index_to_lps(np.moveaxis(np.indices(grid.hu.shape), 0, -1))
    index = ct.lps_to_index(points)
    inside = np.all((index >= 2) & (index <= np.asarray(size) - 3), axis=-1)
    assert inside.mean() > 0.2
    error = np.abs(grid.hu - field_at(points))[inside]
    assert error.max() < 8 and error.mean() < 1.5
    outside = np.any((index < -1) | (index > np.asarray(size)), axis=-1)
    assert np.all(grid.hu[outside] == AIR_HU)


def test_linear_ramps_survive_refinement_exactly():
    z, y, x = np.indices((10, 12, 14))
    ct = CtVolume((10 * z - 7 * y + 20 * x).astype(np.int16), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
    grid = resample_to_working_grid(ct, 0.5)
    z, y, x = np.indices(grid.hu.shape) / 4.0
    np.testing.assert_allclose(grid.hu, 10 * z - 7 * y + 20 * x, atol=1e-3)


@pytest.mark.parametrize("tilt_degrees", [0.0, 15.0])
def test_coarser_grids_average_noise_instead_of_aliasing_it(tilt_degrees):
    rng = np.random.default_rng(3)
    direction = tuple(rotation((0, 0, tilt_degrees)).ravel().tolist())
    hu = (50 + rng.normal(0, 100, (60, 60, 60))).astype(np.int16)
    ct = CtVolume(hu, (0.8, 0.8, 0.8), (0.0, 0.0, 0.0), direction)
    grid = resample_to_working_grid(ct, 2.4)
    inner = grid.hu[5:-5, 7:-7, 7:-7]
    assert abs(inner.mean() - 50) < 1.0
    # A triangle of half width 3 leaves sum(w**2) of the variance along each axis.
    weights = (3 - np.abs(np.arange(-3, 4))) / 9
    assert inner.std() == pytest.approx(100 * np.sum(weights**2) ** 1.5, rel=0.2)


@pytest.mark.parametrize("spacing_mm", [0.9, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("degrees", [(0, 0, 0), (10, 0, 20)])
def test_objects_stay_where_they_are(spacing_mm, degrees):
    direction = tuple(rotation(degrees).ravel().tolist())
    ct = CtVolume(np.zeros((24, 48, 48), np.int16), (0.9, 0.9, 2.0), (-20.0, 3.0, 9.0), direction)
    centre = ct.index_to_lps(np.array([11.3, 25.1, 21.7]))
    index = np.moveaxis(np.indices(ct.hu.shape), 0, -1)
    distance = np.linalg.norm(ct.index_to_lps(index) - centre, axis=-1)
    ct.hu[...] = 1000 * np.clip(8 - distance, 0, 1)
    grid = resample_to_working_grid(ct, spacing_mm)
    weight = np.where(grid.hu > 0, grid.hu, 0).astype(float)
    points = grid.index_to_lps(np.moveaxis(np.indices(grid.hu.shape), 0, -1))
    found = (points * weight[..., None]).sum((0, 1, 2)) / weight.sum()
    np.testing.assert_allclose(found, centre, atol=0.1)


@pytest.mark.parametrize("degrees", [(0, 0, 0), (0, 0, 20)])
def test_a_box_gives_the_same_voxels_as_the_whole_grid(degrees):
    ct = simple_ct(direction=tuple(rotation(degrees).ravel().tolist()))
    whole = resample_to_working_grid(ct, 1.3)
    middle = whole.corners_lps_mm().mean(0)
    part = resample_to_working_grid(ct, 1.3, (middle - [10, 15, 12], middle + [14, 9, 1000]))
    first = whole.lps_to_index(np.array(part.origin_lps_mm))
    np.testing.assert_allclose(first, np.rint(first), atol=1e-6)
    first = np.rint(first).astype(int)
    window = tuple(slice(a, a + n) for a, n in zip(first, part.hu.shape, strict=True))
    assert part.hu.size < 0.5 * whole.hu.size
    np.testing.assert_allclose(part.hu, whole.hu[window], atol=0.6)
    low, high = part.corners_lps_mm().min(0), part.corners_lps_mm().max(0)
    assert np.all(low <= middle - [10, 15, 12]) and np.all(high[:2] >= (middle + [14, 9, 0])[:2])
    assert high[2] == pytest.approx(whole.corners_lps_mm().max(0)[2])


def test_a_box_beside_the_volume_is_an_error():
    with pytest.raises(ValueError, match="outside"):
        resample_to_working_grid(simple_ct(), 2.0, ((1000, 0, 0), (1010, 10, 10)))


def test_resampling_needs_little_memory_beside_its_result():
    ct = CtVolume(np.zeros((200, 160, 160), np.int16), (1.0,) * 3, (0.0,) * 3)
    tracemalloc.start()
    grid = resample_to_working_grid(ct, 2.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < grid.hu.nbytes + 0.1 * ct.hu.nbytes


@pytest.mark.parametrize("degrees", [(0, 0, 0), (10, 20, -15)])
def test_labels_come_back_in_the_inputs_geometry(degrees):
    direction = tuple((rotation(degrees) @ np.diag([-1, 1, -1])).ravel().tolist())
    ct = simple_ct(spacing_xyz_mm=(1.5, 1.5, 3.0), direction=direction)
    grid = resample_to_working_grid(ct, 1.0)
    on_grid = LabelVolume(
        np.where(grid.hu > 110, 20, 0).astype(np.uint8), grid.spacing_xyz_mm, grid.origin_lps_mm
    )
    back = resample_labels(on_grid, ct)
    assert back.labels.dtype == np.uint8
    assert same_grid(back, ct, 1e-6)
    assert set(np.unique(back.labels)) == {0, 20}
    there, truth = back.labels == 20, ct.hu > 110
    assert 2 * np.sum(there & truth) / (there.sum() + truth.sum()) > 0.9


def test_same_grid_sees_size_and_place():
    ct = simple_ct()
    moved = CtVolume(ct.hu, ct.spacing_xyz_mm, (-60.0, 10.1, -300.0), ct.direction)
    assert same_grid(ct, simple_ct())
    assert not same_grid(ct, moved)
    assert same_grid(ct, moved, tolerance_mm=0.2)
    assert not same_grid(ct, simple_ct(shape_zyx=(24, 40, 45)))
