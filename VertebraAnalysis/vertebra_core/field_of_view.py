"""Tells which vertebrae the edge of a scan cuts."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .segmentation.segment import VertebraMask
from .volume import CtVolume, LabelVolume

EDGE_MM = 1.1
"""A mask that comes this close to the centre of the outermost voxel, where the working grid ends,
is taken to go on beyond it: a voxel of the working grid and a little more."""

PADDING_MM = 1.6
"""The same for padding within the volume, whose first voxel lies beyond the edge."""

PADDING_HU = -1000
"""Volumes that were resampled or straightened are filled up with a value of air or below; other
padding was made air when they were read (see `constant_padding`)."""

_PADDING_RUN = 6
# A few voxels may be noise; a cut leaves a face.
_LEAST_POINTS = 6


def touches_edge(
    probability: np.ndarray, mask: VertebraMask, volume: CtVolume | LabelVolume
) -> bool:
    """Tell whether a structure reaches the edge of the scan; see `points_at_edge`."""
    return len(points_at_edge(probability, mask, volume)) > 0


def points_at_edge(
    probability: np.ndarray, mask: VertebraMask, volume: CtVolume | LabelVolume
) -> np.ndarray:
    """Find where a structure reaches the edge of the scan, whatever the scan's orientation.

    Padding is beyond the edge too. Noisy air, as in lungs, is told from it by its varying values.

    Parameters
    ----------
    probability : ndarray, shape (z, y, x)
        `mask.vertebra` or `mask.body`.
    mask : VertebraMask
        Gives the place of the crop; its axes are the patient's, 1 mm apart.
    volume : CtVolume or LabelVolume
        The scan in its own geometry; or a label map, which has no padding.

    Returns
    -------
    ndarray, shape (n, 3)
        LPS mm; empty where the edge does not cut the structure.
    """
    inside = np.asarray(probability) > 0.5
    if not inside.any():
        return np.empty((0, 3))
    surface = np.argwhere(inside & ~ndimage.binary_erosion(inside))
    points = np.asarray(mask.origin_lps_mm) + surface[:, ::-1]
    index = volume.lps_to_index(points)
    spacing = np.asarray(volume.spacing_xyz_mm)[::-1]
    from_low = index * spacing
    from_high = (np.asarray(volume.array.shape) - 1 - index) * spacing
    near = np.minimum(from_low, from_high).min(axis=1) < EDGE_MM
    padded = np.zeros_like(near)
    if isinstance(volume, CtVolume):
        padded = _beside_padding(index, volume.hu, spacing)
    if max(near.sum(), padded.sum()) < _LEAST_POINTS:
        return np.empty((0, 3))
    return points[near | padded]


def _beside_padding(index: np.ndarray, hu: np.ndarray, spacing_zyx_mm: np.ndarray) -> np.ndarray:
    """Tell for each point, in continuous indices, whether a run of padding begins close by."""
    found = np.zeros(len(index), bool)
    nearest = np.rint(index).astype(int)
    for axis in range(3):
        # One voxel more: where padding begins, values are a mixture.
        reach = int(PADDING_MM / spacing_zyx_mm[axis]) + 1
        for sign in (-1, 1):
            first = _shifted(hu, nearest, axis, sign * reach)
            dark = np.flatnonzero(first <= PADDING_HU)
            padded = np.ones(len(dark), bool)
            for step in range(reach + 1, reach + _PADDING_RUN):
                padded &= _shifted(hu, nearest[dark], axis, sign * step) == first[dark]
            found[dark] |= padded
    return found


def _shifted(hu: np.ndarray, index: np.ndarray, axis: int, by: int) -> np.ndarray:
    """Values `by` voxels along `axis` from each of `index` (n, 3); the outermost beyond."""
    at = index.copy()
    at[:, axis] += by
    return hu[tuple(np.clip(at, 0, np.asarray(hu.shape) - 1).T)]
