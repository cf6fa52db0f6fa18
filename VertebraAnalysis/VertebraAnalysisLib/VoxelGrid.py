"""A regular grid of voxels in the world of MRML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .Coordinates import LpsGeometry, ijkToRas, ijkToWorldOfVolume

if TYPE_CHECKING:
    from vertebra_core.analysis import Manifest
    from vertebra_core.volume import LabelVolume

SAME_PLACE_MM = 0.1
"""Far below what heights are known to, far above the decimals that files keep."""


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

    @staticmethod
    def ofLabels(labels: LabelVolume) -> VoxelGrid:
        """Return the grid of a label map."""
        geometry = LpsGeometry(labels.spacing_xyz_mm, labels.origin_lps_mm, labels.direction)
        return VoxelGrid(ijkToRas(geometry), tuple(labels.size_xyz))

    @staticmethod
    def ofVolume(volumeNode: Any) -> VoxelGrid:
        """Return the grid of a volume node with an image, in the world.

        Raises
        ------
        ValueError
            If the node lies under a transform that is not linear.
        """
        return VoxelGrid(ijkToWorldOfVolume(volumeNode), volumeNode.GetImageData().GetDimensions())

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

    def sharesVoxels(self, other: VoxelGrid) -> bool:
        """Tell whether all voxels of one grid are voxels of the other; either may be a part.

        One axis may run the other way: left-handed voxels are turned around when a file is read.
        """
        toOther = np.linalg.inv(other.ijkToRas)
        between = toOther @ self.ijkToRas
        turned = np.rint(between[:3, :3])
        if not (np.abs(turned) == np.eye(3)).all() or (turned < 0).sum() > 1:
            return False
        places = self.corners() @ toOther[:3, :3].T + toOther[:3, 3]
        nearest = np.rint(places)
        off = (places - nearest) @ other.ijkToRas[:3, :3].T
        if np.linalg.norm(off, axis=1).max() > SAME_PLACE_MM:
            return False
        first, last, end = nearest.min(0), nearest.max(0), np.array(other.size) - 1
        return bool((((first >= 0) & (last <= end)) | ((first <= 0) & (last >= end))).all())
