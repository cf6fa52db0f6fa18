"""What makes two voxel grids different ones, in words."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .VoxelGrid import SAME_PLACE_MM, VoxelGrid

_SAME_VOXEL_MM = 1e-3


def gridDifference(own: VoxelGrid, other: VoxelGrid) -> str:
    """Say in what `other` differs from `own`; empty where both have the same voxels.

    One axis may run the other way: in which order slices are kept depends on who reads them.
    """
    if tuple(own.size) != tuple(other.size):
        return f"{_times(own.size)} voxels, not {_times(other.size)}"
    orders = (other, *(other.reversed(axis) for axis in range(3)))
    offMm = min(np.linalg.norm(own.corners() - o.corners(), axis=1).max() for o in orders)
    if offMm <= SAME_PLACE_MM:
        return ""
    if np.abs(own.spacingMm - other.spacingMm).max() > _SAME_VOXEL_MM:
        return f"voxels of {_times(own.spacingMm)} mm, not {_times(other.spacingMm)} mm"
    return f"turned or up to {offMm:.1f} mm away"


def _times(values: Iterable[float]) -> str:
    return " x ".join(f"{round(float(v), 3):g}" for v in values)
