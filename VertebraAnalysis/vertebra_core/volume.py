"""CT volumes: an array in Hounsfield units with its place in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CtVolume:
    """A CT volume.

    Attributes
    ----------
    hu : ndarray, shape (z, y, x)
        Hounsfield units, int16 or float32.
    spacing_xyz_mm : tuple of float
        Voxel size along x, y, z.
    origin_lps_mm : tuple of float
        Centre of voxel [0, 0, 0], LPS mm.
    direction : tuple of float
        Row-major 3x3 direction cosines (columns are the x, y, z axes), as SimpleITK has them.
    """

    hu: np.ndarray
    spacing_xyz_mm: tuple[float, float, float]
    origin_lps_mm: tuple[float, float, float]
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    def index_to_lps(self, index_zyx: np.ndarray) -> np.ndarray:
        """Map continuous voxel indices, shape (..., 3) in z, y, x order, to LPS mm in x, y, z order."""
        scaled = np.asarray(index_zyx, float)[..., ::-1] * np.asarray(self.spacing_xyz_mm)
        return scaled @ np.asarray(self.direction).reshape(3, 3).T + np.asarray(self.origin_lps_mm)

    def lps_to_index(self, point_lps_mm: np.ndarray) -> np.ndarray:
        """Map LPS mm, shape (..., 3) in x, y, z order, to continuous voxel indices in z, y, x order."""
        shifted = np.asarray(point_lps_mm, float) - np.asarray(self.origin_lps_mm)
        rotated = shifted @ np.linalg.inv(np.asarray(self.direction).reshape(3, 3)).T
        return (rotated / np.asarray(self.spacing_xyz_mm))[..., ::-1]
