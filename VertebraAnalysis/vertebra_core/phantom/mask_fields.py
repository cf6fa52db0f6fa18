"""The vertebrae of a label map, each as a distance field without the stair-steps of slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .shape_frame import Field, distance_field

STEP_MM = 0.6
"""Voxel size at which vertebrae are sampled before they are brought into their own frame."""

_PAD_MM, _PAD_VOXELS = 5.0, 8

_EDGE_MM = 2.0
"""A slice at the very edge is often left unlabelled: so near counts as the edge."""


@dataclass(frozen=True)
class MaskedVertebra:
    """One vertebra of a label map.

    Attributes
    ----------
    number : int
        Its label.
    mask : ndarray of bool, shape (z, y, x)
        With a margin all around.
    spacing_zyx_mm : ndarray, shape (3,)
    origin_zyx_mm : ndarray, shape (3,)
        Place of the mask's first voxel, mm from the map's.
    """

    number: int
    mask: np.ndarray
    spacing_zyx_mm: np.ndarray
    origin_zyx_mm: np.ndarray


def whole_vertebrae(labels: np.ndarray, spacing_zyx_mm: np.ndarray) -> Iterator[MaskedVertebra]:
    """Yield what the edges of a label map do not cut, by ascending number.

    Parameters
    ----------
    labels : ndarray of uint8, shape (z, y, x)
        In an upright frame: index axes to the head, to the back and to the left.
    spacing_zyx_mm : ndarray, shape (3,)
    """
    for number in np.unique(labels)[1:]:
        voxels = ndimage.find_objects((labels == number).astype(np.uint8))[0]
        sides = [(s.start, n - s.stop) for s, n in zip(voxels, labels.shape, strict=True)]
        if any(0 in side for side in sides) or min(sides[0]) * spacing_zyx_mm[0] < _EDGE_MM:
            continue
        first = np.array([s.start for s in voxels]) - _PAD_VOXELS
        mask = np.pad(labels[voxels] == number, _PAD_VOXELS)
        yield MaskedVertebra(int(number), mask, spacing_zyx_mm, first * spacing_zyx_mm)


def vertebra_field(vertebra: MaskedVertebra) -> Field:
    """Interpolate a mask with thick slices by its shape to an isotropic distance field.

    Positions are mm from the first voxel of the mask.
    """
    mask, spacing = vertebra.mask, vertebra.spacing_zyx_mm
    raw = ndimage.distance_transform_edt(~mask, sampling=spacing)
    raw -= ndimage.distance_transform_edt(mask, sampling=spacing)
    # Half a slice of smoothing takes the stair-steps of thick slices.
    raw = ndimage.gaussian_filter(raw.astype(np.float32), 0.45 * spacing.max() / spacing)
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    low = [max(s.start * d - _PAD_MM, 0) for s, d in zip(box, spacing, strict=True)]
    high = [s.stop * d + _PAD_MM for s, d in zip(box, spacing, strict=True)]
    lines = [np.arange(a, b, STEP_MM) / d for a, b, d in zip(low, high, spacing, strict=True)]
    fine = ndimage.map_coordinates(raw, np.meshgrid(*lines, indexing="ij"), order=1, mode="nearest")
    return distance_field(fine < 0, low, STEP_MM)
