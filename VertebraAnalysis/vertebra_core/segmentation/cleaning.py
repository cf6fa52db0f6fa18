"""Make one whole vertebra of probabilities: no stray parts, no cavities, no empty surroundings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from .near_distance import squared_distance

SMALL_PART = 0.03
"""Parts smaller than this share of the largest are dropped. Thick slices may part an arch from its
body, so the largest part alone would lose true bone."""

LEAST_PROBABILITY = 0.05
"""Less is not looked at: no surface passes there."""

MARGIN_VOXELS = 6
"""What is kept around a vertebra: plausibility looks 5 mm around it."""

GAP_RADIUS_VOXELS = 4
"""A ball of this radius does not fit into a gap of a body, but into the hollow of an endplate."""

LEAST_GAP_VOXELS = 100
"""Smaller ones are crevices of a surface: intact bodies have up to 50 voxels of 1 mm in one."""

_FRINGE_VOXELS = 3
"""From one half at a surface, probability falls to next to nothing within this distance."""


def occupied_box(probability: np.ndarray, least: float) -> tuple[slice, slice, slice]:
    """Box of what is more probable than `least`, `MARGIN_VOXELS` wider where there is room.

    Around the middle voxel where there is nothing.
    """
    occupied = probability > least
    box = []
    for axis, n in enumerate(probability.shape):
        hit = np.nonzero(occupied.any(tuple(k for k in range(3) if k != axis)))[0]
        first, last = (hit[0], hit[-1]) if len(hit) else (n // 2, n // 2)
        box.append(slice(max(0, int(first) - MARGIN_VOXELS), min(n, int(last) + 1 + MARGIN_VOXELS)))
    return tuple(box)


def keep_main_parts(probability: np.ndarray, near: np.ndarray | None = None) -> np.ndarray:
    """Zero the probability in and around stray parts.

    Parameters
    ----------
    probability : ndarray, shape (z, y, x)
    near : ndarray, shape (3,), optional
        Keep only the part closest to this voxel index among the large ones (a body is one piece).

    Returns
    -------
    ndarray, shape (z, y, x)
        `probability` where it belongs to the parts kept: the largest above one half, and those of
        at least `SMALL_PART` its size.
    """
    parts, count = ndimage.label(probability > 0.5)
    if count == 0:
        return probability
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    if near is None:
        kept = sizes >= SMALL_PART * sizes.max()
    else:
        kept = np.zeros(count + 1, bool)
        large = np.nonzero(sizes >= 0.3 * sizes.max())[0]
        centers = [np.argwhere(parts == number).mean(0) for number in large]
        kept[large[np.argmin(np.square(np.array(centers) - near).sum(1))]] = True
    kept[0] = False
    dropped = np.nonzero(~kept)[0][1:]
    if not len(dropped):
        return probability
    result = probability.copy()
    boxes = ndimage.find_objects(parts)
    for number in dropped:
        # Below one half, voxels go with the nearest part, so that kept surfaces stay sub-voxel.
        box = _widened(boxes[number - 1], 2 * _FRINGE_VOXELS, parts.shape)
        to_own = ndimage.distance_transform_edt(parts[box] != number)
        gone = to_own <= _FRINGE_VOXELS
        beside = kept[parts[box]]
        if beside.any():
            gone &= to_own < ndimage.distance_transform_edt(~beside)
        result[box][gone] = 0
    return result


def _widened(box: Sequence[slice], by: int, shape: Sequence[int]) -> tuple[slice, ...]:
    return tuple(
        slice(max(0, s.start - by), min(n, s.stop + by)) for s, n in zip(box, shape, strict=True)
    )


def fill_cavities(probability: np.ndarray, solid: bool = False) -> np.ndarray:
    """Fill what bone encloses: sclerotic islands, cement and cysts are part of the vertebra.

    Parameters
    ----------
    probability : ndarray, shape (z, y, x)
    solid : bool
        The structure has no opening at all, as a vertebral body: holes of sagittal slices are
        filled as well, and what lies in holes of both axial and coronal ones. Axial ones alone do
        not count: there the rim of a biconcave body closes around the disc that has sunk into it.

    Returns
    -------
    ndarray, shape (z, y, x)
        `probability`, 1 in cavities.
    """

    def cavities(part: np.ndarray) -> np.ndarray:
        filled = ndimage.binary_fill_holes(part)
        if solid:
            axial, coronal, sagittal = (_fill_holes_of_planes(filled, axis) for axis in range(3))
            filled |= sagittal | (axial & coronal)
        return filled & ~part

    return _with_missing(probability, cavities)


def fill_gaps(probability: np.ndarray) -> np.ndarray:
    """Join the front and the back of a body across narrow gaps.

    Where a biconcave fracture has brought the endplates together, a network may take the thin waist
    for no bone; without it the back of the body lies at the gap, and no height is right.

    Parameters
    ----------
    probability : ndarray, shape (z, y, x)
        Of a body; y runs from front to back.

    Returns
    -------
    ndarray, shape (z, y, x)
        `probability`, 1 in gaps: narrow places with body both in front of and behind them.
    """
    return _with_missing(probability, _gaps)


def _gaps(part: np.ndarray) -> np.ndarray:
    between = np.maximum.accumulate(part, 1) & np.maximum.accumulate(part[:, ::-1], 1)[:, ::-1]
    parts, count = ndimage.label(_closed(part) & between & ~part)
    large = np.bincount(parts.ravel(), minlength=count + 1) >= LEAST_GAP_VOXELS
    large[0] = False
    return large[parts]


def _with_missing(
    probability: np.ndarray, missing_in: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return `probability`, 1 where something is missing in the part above one half.

    `missing_in` is asked about the box of that part; where nothing is missing there is no copy.
    """
    inside = probability > 0.5
    place = ndimage.find_objects(inside.astype(np.uint8))
    if not place:
        return probability
    missing = missing_in(inside[place[0]])
    if not missing.any():
        return probability
    result = probability.copy()
    result[place[0]][missing] = 1
    return result


def _closed(inside: np.ndarray) -> np.ndarray:
    """Return the morphological closing with a ball of `GAP_RADIUS_VOXELS`."""
    room, square = GAP_RADIUS_VOXELS + 1, GAP_RADIUS_VOXELS**2
    grown = squared_distance(np.pad(inside, room), GAP_RADIUS_VOXELS) <= square
    shrunk = squared_distance(~grown, GAP_RADIUS_VOXELS) > square
    return shrunk[room:-room, room:-room, room:-room]


def _fill_holes_of_planes(inside: np.ndarray, axis: int) -> np.ndarray:
    """Fill the holes of the slices across `axis`, each slice for itself."""
    # Background that cannot leave its slice is enclosed by it.
    in_plane = ndimage.generate_binary_structure(3, 1)
    np.moveaxis(in_plane, axis, 0)[[0, 2]] = False
    return ndimage.binary_fill_holes(inside, in_plane)
