"""What the labelling network sees: a wide crop around every vertebra and its place in the row."""

from __future__ import annotations

import numpy as np
import torch

from ..networks.normalisation import normalise_hu
from ..segmentation.crops import extract_crop
from ..volume import AIR_HU

CONTEXT_SPACING_MM = 2.0
"""Spacing of the working grid that context crops are cut from, the one LocNet uses."""

CONTEXT_SHAPE_ZYX = (64, 64, 80)
"""Voxels of a crop: 128 x 128 x 160 mm holds the neighbours, rib heads and angles, and for L5
the sacrum."""

CONTEXT_SHIFT_ZYX_MM = (0.0, 8.0, 0.0)
"""Centre of the crop relative to the body's centre."""

_MARK_SIGMA_VOXELS = 2.5
_NEIGHBOUR_MARK = 0.5
_TYPICAL_DISTANCE_MM = 27.0


def chain_geometry(centres_zyx_mm: np.ndarray) -> np.ndarray:
    """Describe the place of every vertebra in its row.

    Parameters
    ----------
    centres_zyx_mm : ndarray, shape (n, 3)
        Body centres, head to foot; z up, y back, x left.

    Returns
    -------
    ndarray of float32, shape (n, 6)
        Logarithm of the distance to the vertebra above and below against 27 mm, sine of the
        sagittal angle to both, and whether there is one above and below at all.
    """
    centres = np.asarray(centres_zyx_mm, float)
    n = len(centres)
    features = np.zeros((n, 6), np.float32)
    if n > 1:
        steps = np.diff(centres, axis=0)
        lengths = np.maximum(np.linalg.norm(steps, axis=1), 1.0)
        logs, sines = np.log(lengths / _TYPICAL_DISTANCE_MM), steps[:, 1] / lengths
        features[1:, 0], features[1:, 2], features[1:, 4] = logs, sines, 1
        features[:-1, 1], features[:-1, 3], features[:-1, 5] = logs, sines, 1
    return features


def context_crops(
    hu: np.ndarray,
    centres_zyx: np.ndarray,
    shape_zyx: tuple[int, int, int] = CONTEXT_SHAPE_ZYX,
) -> torch.Tensor:
    """Cut the crops of all vertebrae.

    Parameters
    ----------
    hu : ndarray, shape (z, y, x)
        HU on the 2 mm working grid.
    centres_zyx : ndarray, shape (n, 3)
        Body centres in continuous voxel indices, head to foot.
    shape_zyx : tuple of int

    Returns
    -------
    Tensor of float32, shape (n, 2, z, y, x)
        Normalised HU (air beyond the volume), and the centres: 1 at the crop's own, 0.5 at the
        others'.
    """
    crops = []
    shift = np.divide(CONTEXT_SHIFT_ZYX_MM, CONTEXT_SPACING_MM)
    middle = (np.asarray(shape_zyx) - 1) / 2
    for i, centre in enumerate(centres_zyx):
        origin = np.rint(centre + shift - middle).astype(int)
        block = torch.from_numpy(extract_crop(hu, origin, shape_zyx, AIR_HU))
        marks = torch.zeros(shape_zyx)
        for j in range(max(0, i - 3), min(len(centres_zyx), i + 4)):
            height = 1.0 if j == i else _NEIGHBOUR_MARK
            marks = torch.maximum(marks, height * _mark(shape_zyx, centres_zyx[j] - origin))
        crops.append(torch.stack([normalise_hu(block), marks]))
    return torch.stack(crops)


def _mark(shape: tuple[int, int, int], centre: np.ndarray) -> torch.Tensor:
    z, y, x = (
        torch.exp(-((torch.arange(n) - float(c)) ** 2) / (2 * _MARK_SIGMA_VOXELS**2))
        for n, c in zip(shape, centre, strict=True)
    )
    return z[:, None, None] * y[None, :, None] * x[None, None, :]
