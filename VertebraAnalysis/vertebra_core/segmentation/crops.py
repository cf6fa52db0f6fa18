"""The crop a vertebra is segmented in, and the prior that says which vertebra is meant."""

from __future__ import annotations

import numpy as np
import torch

from ..settings import CROP_ZYX

WORKING_SPACING_MM = 1.0
"""Spacing of the grid the segmentation network sees."""

CROP_SHAPE_ZYX = CROP_ZYX
"""Size of a crop in voxels, where nothing else is asked for."""

CROP_SHIFT_ZYX_MM = (-6.0, 22.0, 0.0)
"""Centre of the crop relative to the body's centre: most of a vertebra lies behind its body, and
thoracic spinous processes hang down."""

PRIOR_SIGMA_MM = 6.0
PRIOR_HEIGHT = 2.0


def crop_origin_index(center_index_zyx: np.ndarray, shape_zyx=CROP_SHAPE_ZYX) -> np.ndarray:
    """Index (z, y, x, integer, may be negative) of the first voxel of the crop around a centre.

    Parameters
    ----------
    center_index_zyx : ndarray, shape (3,)
        Body centre in continuous voxel indices of the 1 mm working grid.
    shape_zyx : tuple of int
    """
    middle = np.asarray(center_index_zyx, float) + np.divide(CROP_SHIFT_ZYX_MM, WORKING_SPACING_MM)
    return np.floor(middle - (np.asarray(shape_zyx) - 1) / 2 + 0.5).astype(int)


def center_prior(shape_zyx: tuple[int, int, int], center_zyx: np.ndarray) -> torch.Tensor:
    """Second input channel: a Gaussian at the body's centre (as in Lu et al. 2025).

    Parameters
    ----------
    shape_zyx : tuple of int
    center_zyx : ndarray, shape (3,)
        Centre in continuous voxel indices of the crop.

    Returns
    -------
    Tensor of float32, shape (z, y, x)
    """
    sigma = PRIOR_SIGMA_MM / WORKING_SPACING_MM
    profiles = [
        torch.exp(-((torch.arange(n, dtype=torch.float32) - float(c)) ** 2) / (2 * sigma**2))
        for n, c in zip(shape_zyx, center_zyx, strict=True)
    ]
    z, y, x = profiles
    return PRIOR_HEIGHT * z[:, None, None] * y[None, :, None] * x[None, None, :]


def extract_crop(
    array: np.ndarray, origin_zyx: np.ndarray, shape_zyx: tuple[int, int, int], outside: float
) -> np.ndarray:
    """Copy a block that may reach beyond `array`, with `outside` there; float32."""
    out = np.full(shape_zyx, outside, np.float32)
    inner, outer = [], []
    for start, size, n in zip(origin_zyx, shape_zyx, array.shape, strict=True):
        low, high = max(0, int(start)), min(n, int(start) + size)
        if low >= high:
            return out
        outer.append(slice(low, high))
        inner.append(slice(low - int(start), high - int(start)))
    out[tuple(inner)] = array[tuple(outer)]
    return out
