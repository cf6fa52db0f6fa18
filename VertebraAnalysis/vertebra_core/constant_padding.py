"""Padding with another value than air, as resampling with a default value of 0 leaves it.

A field of view is convex, so what lies outside it holds a corner of the volume and is reached from
a side along a straight line of voxels. Padding is exactly constant there, and tissue is not: noise
makes even smooth reconstructions differ from voxel to voxel. Images without noise, as formulas make
them, are left alone, and so is the lowest value of an image: where a window cut values off, it is
air and lung.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vertebra_core.volume import AIR_HU

_AIR_LIMIT_HU = -1000
_PATCH = 5  # voxels; no patch of 5 x 5 is constant in the tissue of four public CTs
_LEAST_FACE_SHARE = 0.02
# Metal saturates at the end of the scale, but does not fill a face of a scan.
_METAL_HU = 1000
_LEAST_FACE_SHARE_OF_METAL = 0.2
_MAX_CONSTANT_TISSUE = 0.05
_SAMPLED_PLANES = 9


def without_padding(hu: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """Make padding air.

    Parameters
    ----------
    hu : ndarray of int16, shape (z, y, x)
        Hounsfield units.

    Returns
    -------
    hu : ndarray of int16, shape (z, y, x)
        The input itself where there is no padding.
    values : tuple of int
        HU that the padding had, in rising order.
    """
    values = _padding_values(hu)
    if not values:
        return hu, ()
    result = hu.copy()
    for value in values:
        result[_reached_from_faces(hu == value)] = AIR_HU
    return result, values


def _padding_values(hu: np.ndarray) -> tuple[int, ...]:
    corners = {int(v) for v in hu[np.ix_(*[(0, -1)] * 3)].ravel()}
    if max(corners) <= _AIR_LIMIT_HU:
        return ()
    floor = max(_AIR_LIMIT_HU, int(hu.min()))
    candidates = sorted(v for v in corners if v > floor)
    shares = [_constant_shares(face) for _, _, face in _faces(hu)]
    found = []
    for value in candidates:
        least = _LEAST_FACE_SHARE if value < _METAL_HU else _LEAST_FACE_SHARE_OF_METAL
        if max(share.get(value, 0.0) for share in shares) >= least:
            found.append(value)
    return tuple(found) if found and _has_noise(hu, found) else ()


def _faces(array: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
    """The six faces: axis, index of the layer, the layer."""
    return [(axis, end, np.take(array, end, axis)) for axis in range(3) for end in (0, -1)]


def _constant_patches(plane: np.ndarray) -> np.ndarray:
    """First corners of the patches in which a plane is constant."""
    rows, columns = (min(_PATCH, n) for n in plane.shape)
    windows = np.lib.stride_tricks.sliding_window_view(
        plane[:, :-1] == plane[:, 1:], columns - 1, 1
    )
    along = windows.all(-1)
    down = plane[:-1] == plane[1:]
    height = len(plane) - rows + 1
    constant = along[:height].copy()
    for step in range(1, rows):
        constant &= along[step : step + height]
        constant &= down[step - 1 : step - 1 + height, : along.shape[1]]
    return constant


def _constant_shares(plane: np.ndarray) -> dict[int, float]:
    """Share of a plane's patches that hold one value alone, for each such value."""
    constant = _constant_patches(plane)
    values = plane[: constant.shape[0], : constant.shape[1]][constant]
    found, counts = np.unique(values, return_counts=True)
    return {int(v): float(n / constant.size) for v, n in zip(found, counts, strict=True)}


def _has_noise(hu: np.ndarray, padding: list[int]) -> bool:
    """Tell whether what is neither padding nor air differs from voxel to voxel."""
    n_constant = n_tissue = 0
    for k in np.unique(np.linspace(0, len(hu) - 1, _SAMPLED_PLANES).astype(int)):
        constant = _constant_patches(hu[k])
        values = hu[k][: constant.shape[0], : constant.shape[1]]
        tissue = (values > _AIR_LIMIT_HU) & ~np.isin(values, padding)
        n_constant += np.count_nonzero(constant & tissue)
        n_tissue += np.count_nonzero(tissue)
    return n_constant <= _MAX_CONSTANT_TISSUE * n_tissue and n_tissue > 0


def _reached_from_faces(same: np.ndarray) -> np.ndarray:
    """Voxels joined to a face by a straight line of voxels, all of them in `same`."""
    reached = np.zeros(same.shape, bool)
    for axis, end, face in _faces(same):
        # Single voxels of tissue may have the value too.
        starts = ndimage.binary_opening(np.pad(face, 1, mode="edge"), np.ones((3, 3)))[1:-1, 1:-1]
        ahead = np.moveaxis(same if end == 0 else np.flip(same, axis), axis, 0)
        mark = np.moveaxis(reached if end == 0 else np.flip(reached, axis), axis, 0)
        on = starts & face
        for layer, target in zip(ahead, mark, strict=True):
            on = on & layer
            if not on.any():
                break
            target |= on
    return reached
