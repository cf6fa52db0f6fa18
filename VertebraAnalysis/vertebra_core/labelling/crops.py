"""What the labelling network sees of each vertebra: a wide crop, its mask, its place in the row.

Levels are told apart by what surrounds a vertebra (ribs, sacrum, skull base, shoulders), so a crop
is wide and coarse. Where a mask of the vertebra is known it is the second channel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ..networks.normalisation import AIR

CROP_SPACING_MM = 3.0
CROP_SHAPE_ZYX = (40, 48, 56)
"""120 x 144 x 168 mm: the next vertebra but one on both sides, and where ribs leave the spine."""

CROP_SHIFT_Y_VOXELS = -2
"""Crops reach a little further to the front, away from the skin of the back."""


class VertebraSequence(NamedTuple):
    """Input of the labelling network: rows of vertebrae, head to foot, padded to the longest.

    Attributes
    ----------
    crops : Tensor of float32, shape (b, n, 2, z, y, x)
        Normalised CT and vertebra probability (0 where there is no mask).
    positions_mm : Tensor of float32, shape (b, n, 3)
        Centres z (to the head), y (to the back), x (to the left); any origin.
    valid : Tensor of bool, shape (b, n)
        False on padding.
    """

    crops: torch.Tensor
    positions_mm: torch.Tensor
    valid: torch.Tensor


def crop_origin(center_index_zyx: np.ndarray) -> np.ndarray:
    """Index (z, y, x; may be negative) of the first voxel of the crop around a centre."""
    center = np.floor(np.asarray(center_index_zyx, float) + 0.5).astype(int)
    return center - np.array(CROP_SHAPE_ZYX) // 2 + [0, CROP_SHIFT_Y_VOXELS, 0]


def cut_crop(volume: torch.Tensor, origin_zyx: np.ndarray, outside: float = AIR) -> torch.Tensor:
    """Copy one crop out of `volume` (z, y, x), with `outside` beyond its edges."""
    crop = torch.full(CROP_SHAPE_ZYX, outside)
    inner, outer = [], []
    for start, size, n in zip(origin_zyx.tolist(), CROP_SHAPE_ZYX, volume.shape, strict=True):
        low, high = max(0, start), min(n, start + size)
        if low >= high:
            return crop
        outer.append(slice(low, high))
        inner.append(slice(low - start, high - start))
    crop[tuple(inner)] = volume[tuple(outer)]
    return crop


def stack_sequences(rows: list[tuple[torch.Tensor, torch.Tensor]]) -> VertebraSequence:
    """Join rows of (crops (n, 2, z, y, x), positions (n, 3)) into one padded sequence."""
    longest = max(len(crops) for crops, _ in rows)
    crops = torch.zeros((len(rows), longest, 2, *CROP_SHAPE_ZYX))
    positions = torch.zeros((len(rows), longest, 3))
    valid = torch.zeros((len(rows), longest), dtype=torch.bool)
    for i, (row_crops, row_positions) in enumerate(rows):
        n = len(row_crops)
        crops[i, :n], positions[i, :n], valid[i, :n] = row_crops, row_positions, True
    return VertebraSequence(crops, positions, valid)
