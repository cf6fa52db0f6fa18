"""Single vertebrae of a label map as probabilities on upright 1 mm grids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..volume import LabelVolume
from .body_field import PROBABILITY_BAND_MM, signed_distance

CROP_SPACING_MM = 1.0
_MARGIN_MM = 5.0


@dataclass(frozen=True)
class MaskCrop:
    """A probability on a grid of identity direction.

    Attributes
    ----------
    probability : ndarray of float32, shape (z, y, x)
        Its 0.5 level is the antialiased surface of the mask.
    origin_lps_mm : tuple of float
        Centre of voxel [0, 0, 0].
    spacing_mm : float
    touches_edge : bool
        The mask reaches the edge of the volume.
    """

    probability: np.ndarray
    origin_lps_mm: tuple[float, float, float]
    spacing_mm: float
    touches_edge: bool

    def to_lps(self, points_zyx_mm: np.ndarray) -> np.ndarray:
        """Take points (..., 3) in mm from voxel [0, 0, 0] to LPS mm, x, y, z order."""
        return np.asarray(points_zyx_mm)[..., ::-1] + np.asarray(self.origin_lps_mm)


def crop_of_label(
    labels: LabelVolume,
    number: int,
    spacing_mm: float = CROP_SPACING_MM,
    like: MaskCrop | None = None,
) -> MaskCrop | None:
    """Cut one label out and turn it upright; None where the label is absent.

    Parameters
    ----------
    labels : LabelVolume
        Of any direction and spacing.
    number : int
        Its value in the map.
    spacing_mm : float
    like : MaskCrop, optional
        Use this crop's grid.
    """
    mask = labels.labels == number
    box = ndimage.find_objects(mask.astype(np.uint8))
    if not box or box[0] is None:
        return None if like is None else MaskCrop(
            np.zeros_like(like.probability), like.origin_lps_mm, like.spacing_mm, False
        )  # fmt: skip
    box = box[0]
    touches = any(s.start == 0 or s.stop == n for s, n in zip(box, mask.shape, strict=True))
    spacing_zyx = labels.spacing_xyz_mm[::-1]
    pad = [int(np.ceil(_MARGIN_MM / s)) + 1 for s in spacing_zyx]
    inner = np.pad(mask[box], [(p, p) for p in pad])
    distance = signed_distance(inner, spacing_zyx)
    start = np.array([s.start for s in box]) - pad
    if like is None:
        size = np.array([s.stop - s.start for s in box])
        ends = np.array(np.meshgrid(*[(0, 1)] * 3)).reshape(3, -1).T
        corners = labels.index_to_lps(np.array([s.start for s in box]) + ends * (size - 1))
        low, high = corners.min(0) - _MARGIN_MM, corners.max(0) + _MARGIN_MM
        shape = tuple(int(n) for n in (np.ceil((high - low) / spacing_mm).astype(int) + 1)[::-1])
        origin = tuple(float(v) for v in low)
    else:
        shape, origin, spacing_mm = like.probability.shape, like.origin_lps_mm, like.spacing_mm
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1) * spacing_mm
    index = labels.lps_to_index(grid[..., ::-1] + np.asarray(origin)) - start
    sampled = ndimage.map_coordinates(
        distance, np.moveaxis(index, -1, 0), order=1, mode="constant", cval=16.0
    )
    probability = np.clip(0.5 - sampled / (2 * PROBABILITY_BAND_MM), 0, 1).astype(np.float32)
    return MaskCrop(probability, origin, float(spacing_mm), touches)
