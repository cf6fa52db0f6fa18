"""Slices that were thicker than the voxels of the file say are noticed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from vertebra_core.seeming_slices import seeming_slice_mm
from vertebra_core.volume import CtVolume

FINE_MM = 0.75
CENTRES = [(27.0, 27.0, z) for z in (24.0, 48.0, 72.0)]
SAGITTAL = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


def anatomy(noise_hu: float = 10.0) -> np.ndarray:
    """A column of bony boxes, and noise as scanners have it, on a grid of `FINE_MM`."""
    rng = np.random.default_rng(3)
    shape = (128, 72, 72)
    z, y, x = np.meshgrid(*[FINE_MM * np.arange(n) for n in shape], indexing="ij")
    shell = np.maximum(np.abs((z % 24) - 12) / 10, np.maximum(abs(y - 27), abs(x - 27)) / 16)
    hu = np.where(shell < 0.9, 150.0, np.where(shell < 1.0, 500.0, 40.0))
    hu += 300 * ndimage.gaussian_filter(rng.normal(size=shape), 1.2)
    blurred = ndimage.gaussian_filter(hu, (0, 0.7, 0.7))
    return blurred + rng.normal(0, noise_hu, shape)


def sliced(hu: np.ndarray, slice_mm: float, voxel_mm: float = 1.5) -> CtVolume:
    """`hu` averaged to slices and resampled to cubes."""
    within = ndimage.uniform_filter1d(hu, 2, axis=1)
    within = ndimage.uniform_filter1d(within, 2, axis=2)
    slices = ndimage.uniform_filter1d(within, round(slice_mm / FINE_MM), axis=0)
    slices = slices[:: round(slice_mm / FINE_MM)]
    ratio = voxel_mm / slice_mm
    places = np.arange(0, len(slices) - 1, ratio)
    columns = np.arange(0, 72, round(voxel_mm / FINE_MM))
    grid = np.meshgrid(places, columns, columns, indexing="ij")
    cubes = ndimage.map_coordinates(slices, grid, order=3)
    return CtVolume(cubes.astype(np.float32), (voxel_mm,) * 3, (0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("slice_mm", "low", "high"), [(1.5, 0.0, 2.3), (3.0, 2.75, 4.0), (4.5, 3.25, 4.0)]
)
def test_slices_show_through_small_voxels(slice_mm, low, high):
    assert low <= seeming_slice_mm(sliced(anatomy(), slice_mm), CENTRES) <= high


def test_vertebrae_beside_metal_tell_nothing():
    ct = sliced(anatomy(), 4.5)
    ct.hu[4:14, 28:32, 8:12] = 3000  # a rod beside the first of three
    assert seeming_slice_mm(ct, CENTRES) == 0.0
    assert seeming_slice_mm(ct, [*CENTRES, CENTRES[2]]) > 3.25


def test_how_the_grid_is_turned_does_not_matter():
    ct = sliced(anatomy(), 3.0)
    # Slices of this grid follow each other to the right, its rows from head to foot.
    turned = np.ascontiguousarray(ct.hu.transpose(2, 0, 1)[::-1, ::-1])
    corner = ct.index_to_lps(np.array([ct.hu.shape[0] - 1, 0, ct.hu.shape[2] - 1]))
    same = CtVolume(turned, ct.spacing_xyz_mm, tuple(corner), SAGITTAL)
    assert seeming_slice_mm(same, CENTRES) == pytest.approx(seeming_slice_mm(ct, CENTRES), abs=0.1)


def test_what_cannot_tell_says_nothing():
    ct = sliced(anatomy(), 4.5)
    assert seeming_slice_mm(ct, CENTRES[:2]) == 0.0
    coarse = CtVolume(ct.hu, (1.5, 1.5, 2.0), ct.origin_lps_mm)
    assert seeming_slice_mm(coarse, CENTRES) == 0.0
    small = CtVolume(ct.hu[:20], ct.spacing_xyz_mm, ct.origin_lps_mm)
    assert seeming_slice_mm(small, CENTRES) == 0.0
