"""A regular grid in the patient's frame, with what painting on it needs: boxes, smooth noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional


@dataclass(frozen=True)
class Grid:
    """An isotropic grid, index order z, y, x; `origin_zyx_mm` is the place of voxel [0, 0, 0]."""

    origin_zyx_mm: np.ndarray
    spacing_mm: float
    shape: tuple[int, int, int]

    def box(self, low_zyx_mm, high_zyx_mm) -> tuple[slice, slice, slice] | None:
        """Return the slices that cover a box, or None where it misses the grid."""
        low = np.floor((np.asarray(low_zyx_mm) - self.origin_zyx_mm) / self.spacing_mm).astype(int)
        high = np.ceil((np.asarray(high_zyx_mm) - self.origin_zyx_mm) / self.spacing_mm).astype(int)
        low = np.maximum(low, 0)
        high = np.minimum(high + 1, self.shape)
        if (low >= high).any():
            return None
        return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))

    def axes(self, box=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return broadcastable z, y, x coordinates (mm, float32) of the grid or of a box of it."""
        box = box or tuple(slice(0, n) for n in self.shape)
        lines = [
            (self.origin_zyx_mm[k] + self.spacing_mm * np.arange(s.start, s.stop)).astype(
                np.float32
            )
            for k, s in enumerate(box)
        ]
        return lines[0][:, None, None], lines[1][None, :, None], lines[2][None, None, :]

    def local(self, box, center_zyx_mm, axes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return coordinates (mm) along the rows of `axes` relative to `center_zyx_mm` in a box."""
        z, y, x = self.axes(box)
        z, y, x = z - center_zyx_mm[0], y - center_zyx_mm[1], x - center_zyx_mm[2]
        rows = np.asarray(axes, np.float32)
        return tuple(r[0] * z + r[1] * y + r[2] * x for r in rows)


def noise_field(
    rng: np.random.Generator, shape: tuple[int, int, int], cell_voxels: float
) -> np.ndarray:
    """Draw smooth noise of about unit variance with features of `cell_voxels`; float32, `shape`."""
    coarse = [max(2, int(np.ceil(n / cell_voxels)) + 1) for n in shape]
    values = torch.from_numpy(rng.standard_normal(coarse).astype(np.float32))[None, None]
    fine = functional.interpolate(values, size=shape, mode="trilinear", align_corners=True)
    return fine[0, 0].numpy() * np.float32(1.4)


def capsule_distance(z, y, x, start_zyx_mm, end_zyx_mm, radius_mm) -> np.ndarray:
    """Signed distance (mm) to a capsule from broadcastable coordinates."""
    a, b = np.asarray(start_zyx_mm, np.float32), np.asarray(end_zyx_mm, np.float32)
    d = b - a
    length2 = max(float(d @ d), 1e-6)
    pz, py, px = z - a[0], y - a[1], x - a[2]
    t = np.clip((pz * d[0] + py * d[1] + px * d[2]) / np.float32(length2), 0, 1)
    return np.sqrt((pz - t * d[0]) ** 2 + (py - t * d[1]) ** 2 + (px - t * d[2]) ** 2) - np.float32(
        radius_mm
    )


def ellipsoid_distance(z, y, x, center_zyx_mm, radii_zyx_mm) -> np.ndarray:
    """Approximate signed distance (mm) to an axis-aligned ellipsoid."""
    c, r = np.asarray(center_zyx_mm, np.float32), np.asarray(radii_zyx_mm, np.float32)
    q = np.sqrt(((z - c[0]) / r[0]) ** 2 + ((y - c[1]) / r[1]) ** 2 + ((x - c[2]) / r[2]) ** 2)
    return (q - 1) * np.float32(r.min())
