"""Which voxels of a volume lie inside a region of interest."""

from __future__ import annotations

from typing import Any

import numpy as np
from vertebra_core.volume_limits import MIN_EXTENT_MM, MIN_SLICES

from .Coordinates import arrayFromMatrix
from .UserError import UserError


def roiCornersRas(roiNode: Any) -> np.ndarray:
    """Return the eight corners of a markups ROI in world RAS mm, shape (8, 3)."""
    toWorld = arrayFromMatrix(roiNode.GetObjectToWorldMatrix())
    signs = 2 * np.array(list(np.ndindex(2, 2, 2))) - 1
    corners = signs * np.asarray(roiNode.GetSize(), float) / 2
    return corners @ toWorld[:3, :3].T + toWorld[:3, 3]


def voxelBox(
    cornersRas: np.ndarray,
    ijkToRas: np.ndarray,
    sizeIjk: tuple[int, int, int],
    what: str = "CT",
) -> tuple[slice, slice, slice]:
    """Return the voxels whose centres lie in the box around `cornersRas`, along the voxel axes.

    Parameters
    ----------
    cornersRas : ndarray, shape (n, 3)
        World RAS mm.
    ijkToRas : ndarray, shape (4, 4)
        Voxel index to world RAS mm.
    sizeIjk : tuple of int
    what : str
        What the volume is, for messages.

    Returns
    -------
    tuple of slice
        Along i, j, k.

    Raises
    ------
    UserError
        If the box and the volume have too little in common.
    """
    homogeneous = np.column_stack([cornersRas, np.ones(len(cornersRas))])
    ijk = (np.linalg.inv(ijkToRas) @ homogeneous.T)[:3]
    first = np.maximum(np.ceil(ijk.min(1) - 1e-6).astype(int), 0)
    last = np.minimum(np.floor(ijk.max(1) + 1e-6).astype(int), np.asarray(sizeIjk) - 1)
    count = last - first + 1
    extentMm = count * np.linalg.norm(ijkToRas[:3, :3], axis=0)
    if (count < 1).any():
        raise UserError(
            f"The region of interest does not overlap the {what}.",
            "Move the region over the spine, or choose none to analyse the whole CT.",
        )
    if (count < MIN_SLICES).any() or extentMm.min() < MIN_EXTENT_MM:
        raise UserError(
            f"The region of interest holds too little of the {what} for a vertebra: "
            + " x ".join(f"{extent:.0f}" for extent in extentMm)
            + " mm.",
            "Make the region larger, or choose none to analyse the whole CT.",
        )
    i, j, k = (slice(int(a), int(b) + 1) for a, b in zip(first, last, strict=True))
    return i, j, k
