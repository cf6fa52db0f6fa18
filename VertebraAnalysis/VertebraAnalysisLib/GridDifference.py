"""What makes two voxel grids different ones, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from vertebra_core.analysis import Manifest

from .Coordinates import LpsGeometry, ijkToRas

_SAME_PLACE_MM = 0.1
"""Far below what heights are known to, far above the decimals that files keep."""

_SAME_VOXEL_MM = 1e-3


@dataclass(frozen=True, eq=False)
class VoxelGrid:
    """A regular grid of voxels.

    Attributes
    ----------
    ijkToRas : ndarray, shape (4, 4)
        From voxel indices i, j, k to RAS mm.
    size : tuple of int
        Voxels along i, j, k.
    """

    ijkToRas: np.ndarray
    size: tuple[int, ...]

    @staticmethod
    def ofManifest(manifest: Manifest) -> VoxelGrid:
        """Return the grid of the CT that was analysed."""
        geometry = LpsGeometry(
            manifest.input_spacing_xyz_mm, manifest.input_origin_lps_mm, manifest.input_direction
        )
        return VoxelGrid(ijkToRas(geometry), tuple(manifest.input_size_xyz))

    @property
    def spacingMm(self) -> np.ndarray:
        """Voxel size along i, j, k, mm."""
        return np.linalg.norm(self.ijkToRas[:3, :3], axis=0)

    def corners(self) -> np.ndarray:
        """Return the centres of the corner voxels, RAS mm, shape (8, 3)."""
        ijk = np.array(list(np.ndindex(2, 2, 2))) * (np.array(self.size) - 1)
        return ijk @ self.ijkToRas[:3, :3].T + self.ijkToRas[:3, 3]

    def reversed(self, axis: int) -> VoxelGrid:
        """Return the same voxels, counted from the other end of an axis."""
        matrix = self.ijkToRas.copy()
        matrix[:3, 3] += matrix[:3, axis] * (self.size[axis] - 1)
        matrix[:3, axis] *= -1
        return VoxelGrid(matrix, self.size)


def gridDifference(own: VoxelGrid, other: VoxelGrid) -> str:
    """Say in what `other` differs from `own`; empty where both have the same voxels.

    One axis may run the other way: in which order slices are kept depends on who reads them.
    """
    if tuple(own.size) != tuple(other.size):
        return f"{_times(own.size)} voxels, not {_times(other.size)}"
    orders = (other, *(other.reversed(axis) for axis in range(3)))
    offMm = min(np.linalg.norm(own.corners() - o.corners(), axis=1).max() for o in orders)
    if offMm <= _SAME_PLACE_MM:
        return ""
    if np.abs(own.spacingMm - other.spacingMm).max() > _SAME_VOXEL_MM:
        return f"voxels of {_times(own.spacingMm)} mm, not {_times(other.spacingMm)} mm"
    return f"turned or up to {offMm:.1f} mm away"


def _times(values: Iterable[float]) -> str:
    return " x ".join(f"{round(float(v), 3):g}" for v in values)
