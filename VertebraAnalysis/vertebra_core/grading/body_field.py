"""A body or vertebra as a level set that can be sampled between voxels.

Probabilities are linear between voxels; masks carry no sub-voxel information of their own, so
their surface is put half-way between inside and outside voxels (shape-based interpolation of
signed distances [1]_) and smoothed by less than a voxel.

References
----------
.. [1] Raya, Udupa, "Shape-based interpolation of multidimensional objects", IEEE Trans Med
   Imaging 9 (1990) 32-42.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

SMOOTHING_VOXELS = 0.6
"""Sigma of the smoothing of a mask's signed distance: rounds the steps of slices and keeps the
position of flat surfaces."""

_FAR_MM = 16.0
_MARGIN_VOXELS = 4

PROBABILITY_BAND_MM = 1.0
"""A probability made from a mask falls from 1 to 0 within this distance either side."""


def signed_distance(mask: np.ndarray, spacing_zyx_mm: tuple[float, float, float]) -> np.ndarray:
    """Signed distance (mm, negative inside) to the antialiased surface of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
    spacing_zyx_mm : tuple of float
    """
    mask = np.asarray(mask, bool)
    distance = np.full(mask.shape, _FAR_MM, np.float32)
    box = ndimage.find_objects(mask.astype(np.uint8))
    if not box:
        return distance
    near = tuple(slice(max(s.start - _MARGIN_VOXELS, 0), s.stop + _MARGIN_VOXELS) for s in box[0])
    # The padding closes a body at the edge of the grid.
    padded = np.pad(mask[near], 1)
    outside = ndimage.distance_transform_edt(~padded, sampling=spacing_zyx_mm)
    inside = ndimage.distance_transform_edt(padded, sampling=spacing_zyx_mm)
    smooth = ndimage.gaussian_filter(
        (outside - inside).astype(np.float32), SMOOTHING_VOXELS, mode="nearest"
    )
    distance[near] = smooth[1:-1, 1:-1, 1:-1]
    return distance


def probability_from_mask(
    mask: np.ndarray, spacing_zyx_mm: tuple[float, float, float]
) -> np.ndarray:
    """Turn a mask into a probability whose 0.5 level is the mask's antialiased surface."""
    distance = signed_distance(mask, spacing_zyx_mm)
    return np.clip(0.5 - distance / (2 * PROBABILITY_BAND_MM), 0, 1).astype(np.float32)


@dataclass(frozen=True)
class BodyField:
    """A level set on a grid; positions are mm from voxel [0, 0, 0], in z, y, x order.

    Attributes
    ----------
    level : ndarray of float32, shape (z, y, x)
        0.5 - probability: negative inside.
    spacing_zyx_mm : tuple of float
    """

    level: np.ndarray
    spacing_zyx_mm: tuple[float, float, float]

    @classmethod
    def of(cls, values: np.ndarray, spacing_zyx_mm: float | tuple[float, float, float]):
        """Make a field of a probability (float) or a mask (bool or integer).

        Raises
        ------
        ValueError
            If `values` is not three-dimensional.
        """
        if values.ndim != 3:
            raise ValueError("a body is a three-dimensional array")
        spacing = tuple(float(s) for s in np.broadcast_to(spacing_zyx_mm, 3))
        if values.dtype.kind in "bui":
            values = probability_from_mask(values > 0, spacing)
        return cls(np.float32(0.5) - values.astype(np.float32), spacing)

    @property
    def is_empty(self) -> bool:
        """True when nothing is inside."""
        return not bool((self.level < 0).any())

    def at(self, points_zyx_mm: np.ndarray) -> np.ndarray:
        """Interpolate the level linearly at points of shape (3, ...)."""
        spacing = np.asarray(self.spacing_zyx_mm).reshape((3,) + (1,) * (points_zyx_mm.ndim - 1))
        return ndimage.map_coordinates(
            self.level, points_zyx_mm / spacing, order=1, mode="constant", cval=0.5
        )

    @cached_property
    def inside_points(self) -> np.ndarray:
        """Positions (mm) of the voxels inside, shape (n, 3)."""
        return np.argwhere(self.level < 0) * np.asarray(self.spacing_zyx_mm)


def largest_part(values: np.ndarray) -> np.ndarray:
    """Keep the largest connected part of a probability or mask (26 neighbours)."""
    inside = values > (0.5 if values.dtype.kind == "f" else 0)
    parts, count = ndimage.label(inside, np.ones((3, 3, 3)))
    if count <= 1:
        return values
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    drop = (parts > 0) & (parts != sizes.argmax())
    # What belongs to a small part in its fringe goes as well.
    drop = ndimage.binary_dilation(drop, iterations=2) & (parts != sizes.argmax())
    return np.where(drop, values.dtype.type(0), values)
