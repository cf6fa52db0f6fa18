"""Tells which vertebrae the edge of a scan cuts."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .segmentation.segment import VertebraMask
from .volume import CtVolume

EDGE_MM = 1.6
"""A mask that comes this close to the edge of the scan is taken to go on beyond it."""


def touches_edge(probability: np.ndarray, mask: VertebraMask, volume: CtVolume) -> bool:
    """Tell whether a structure reaches the edge of the scan, whatever the scan's orientation.

    Parameters
    ----------
    probability : ndarray, shape (z, y, x)
        `mask.vertebra` or `mask.body`.
    mask : VertebraMask
        Gives the place of the crop; its axes are the patient's, 1 mm apart.
    volume : CtVolume
        The scan in its own geometry.
    """
    inside = np.asarray(probability) > 0.5
    if not inside.any():
        return False
    surface = np.argwhere(inside & ~ndimage.binary_erosion(inside))
    points = np.asarray(mask.origin_lps_mm) + surface[:, ::-1]
    index = volume.lps_to_index(points)
    spacing = np.asarray(volume.spacing_xyz_mm)[::-1]
    # The outermost voxel's far side ends the scan, half a voxel beyond its centre.
    from_low = (index + 0.5) * spacing
    from_high = (np.asarray(volume.hu.shape) - 0.5 - index) * spacing
    near = np.minimum(from_low, from_high).min(axis=1) < EDGE_MM
    # A few voxels may be noise; a cut leaves a face.
    return int(near.sum()) >= 6
