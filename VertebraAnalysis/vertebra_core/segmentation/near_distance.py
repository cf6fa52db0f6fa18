"""Distances that matter only nearby, at a fraction of the cost of a whole distance transform."""

from __future__ import annotations

import numpy as np

MAX_REACH_VOXELS = 10
"""Squares of larger distances do not fit into a byte together."""


def squared_distance(mask: np.ndarray, reach_voxels: int) -> np.ndarray:
    """Squared distance of every voxel to the nearest one of `mask`, in voxels.

    The squared distance is the least sum of a squared step along each axis [1]_; steps beyond the
    reach are not looked at.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
    reach_voxels : int
        From 1 to `MAX_REACH_VOXELS`.

    Returns
    -------
    ndarray of uint8, shape (z, y, x)
        Exact up to the square of the reach; where the mask is farther away, some larger number.

    Raises
    ------
    ValueError
        If the reach is out of range.

    References
    ----------
    .. [1] Saito, Toriwaki, "New algorithms for Euclidean distance transformation of an
       n-dimensional digitized picture with applications", Pattern Recognition 27 (1994) 1551-1565.
    """
    if not 1 <= reach_voxels <= MAX_REACH_VOXELS:
        raise ValueError(f"the reach must lie between 1 and {MAX_REACH_VOXELS} voxels")
    far = (reach_voxels + 1) ** 2
    squares = np.where(mask, np.uint8(0), np.uint8(far))
    for axis in range(squares.ndim):
        before = np.moveaxis(squares, axis, 0)
        squares = squares.copy()
        after = np.moveaxis(squares, axis, 0)
        for step in range(1, min(reach_voxels, len(before) - 1) + 1):
            stepped = before + np.uint8(step**2)
            np.minimum(after[step:], stepped[:-step], out=after[step:])
            np.minimum(after[:-step], stepped[step:], out=after[:-step])
    return squares
