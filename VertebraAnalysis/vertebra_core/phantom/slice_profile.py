"""From voxels to slices and back: profiles, interpolation, and pixels that were made coarser."""

from __future__ import annotations

import math

import numpy as np
import torch

from .filters import apply_matrix_z
from .scan_protocol import ScanProtocol

_FWHM = 2 * math.sqrt(2 * math.log(2))
_PIXEL_PROFILE = 0.7
"""Width of what a coarse pixel averages, as a share of its size: between a picked value and a mean,
as the usual interpolations do."""


def slice_positions(count: int, spacing_mm: float, increment_mm: float, phase: float) -> np.ndarray:
    """Positions (mm from the first voxel) of slices, or of pixels, that cover `count` voxels.

    The first lies the share `phase` of an increment after the last place before all voxels.
    """
    extent = (count - 1) * spacing_mm
    start = (phase - 1) * increment_mm
    number = math.ceil((extent - start) / increment_mm) + 1
    return start + np.arange(number) * increment_mm


def slice_matrix(count: int, spacing_mm: float, positions_mm, slice_mm: float) -> torch.Tensor:
    """Matrix (slices, voxels) that averages voxels with a bell-shaped slice profile.

    The profile's full width at half maximum is `slice_mm`; a voxel's own width is allowed for.
    """
    width = math.sqrt(max(slice_mm**2 - 0.5 * spacing_mm**2, (0.3 * spacing_mm) ** 2)) / _FWHM
    offset = torch.arange(count)[None] * spacing_mm - torch.as_tensor(positions_mm)[:, None]
    scale = width * math.sqrt(2)
    weights = torch.erf((offset + spacing_mm / 2) / scale) - torch.erf(
        (offset - spacing_mm / 2) / scale
    )
    # Slices beyond the block see its outermost voxels.
    far = offset.clamp(-slice_mm, slice_mm).abs()
    nearest = torch.nn.functional.one_hot(far.argmin(1), count)
    weights = weights + 1e-6 * nearest
    return (weights / weights.sum(1, keepdim=True)).float()


def interpolation_matrix(count: int, positions_voxels) -> torch.Tensor:
    """Matrix (voxels, slices) that interpolates `count` voxels between slices that lie apart."""
    where = np.interp(np.arange(count), positions_voxels, np.arange(len(positions_voxels)))
    low = np.minimum(where.astype(int), len(positions_voxels) - 2)
    part = torch.from_numpy((where - low).astype(np.float32))
    matrix = torch.zeros(count, len(positions_voxels))
    rows = torch.arange(count)
    matrix[rows, low] = 1 - part
    matrix[rows, low + 1] = part
    return matrix


def coarsen_in_plane(hu: torch.Tensor, spacing_zyx_mm, protocol: ScanProtocol) -> torch.Tensor:
    """Store pixels of ``protocol.pixel_mm`` and interpolate them back to the block's grid.

    Parameters
    ----------
    hu : Tensor, shape (z, y, x)
    spacing_zyx_mm : sequence of float
    protocol : ScanProtocol
        Pixels not larger than the grid's leave `hu` as it is.
    """
    for axis in (1, 2):
        spacing, count = float(spacing_zyx_mm[axis]), hu.shape[axis]
        if protocol.pixel_mm <= 1.05 * spacing:
            continue
        positions = slice_positions(count, spacing, protocol.pixel_mm, protocol.slice_phase)
        stored = slice_matrix(count, spacing, positions, _PIXEL_PROFILE * protocol.pixel_mm)
        back = interpolation_matrix(count, positions / spacing)
        lines = hu.transpose(0, axis)
        hu = apply_matrix_z(back @ stored, lines).transpose(0, axis).contiguous()
    return hu
