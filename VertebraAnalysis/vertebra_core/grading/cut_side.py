"""Tells bodies whose side alone is cut: their heights, read about the middle, are still known."""

from __future__ import annotations

import numpy as np

from ..height_stations import SAGITTAL_BAND
from .body_frame import BodyFrame

SIDE_CUT = "Only its side is cut; heights come from the middle, which is whole."
"""What the flag of a cut says of a body that was measured in spite of it."""

_BAND_MARGIN = 0.15
"""What is cut lies this share of the width beyond the band that heights come from."""

_MOST_CHORD = 0.8
"""A face of the cut that is longer from front to back, as a share of the depth, may have taken more
than a flank: the width and the plane of symmetry are then unknown. Of 480 cuts through the sides of
32 bodies (two public scans, a phantom) 84 meet both limits; heights differ by 0.43 mm at most."""


def only_sides_cut(
    cut_lps_mm: np.ndarray, origin_lps_mm: tuple[float, float, float], frame: BodyFrame
) -> bool:
    """Tell whether an edge only grazes the sides of a body.

    Parameters
    ----------
    cut_lps_mm : ndarray, shape (n, 3)
        Points of the body at the edge.
    origin_lps_mm : tuple of float
        First voxel of the body's crop.
    frame : BodyFrame
        Of what is left of the body.
    """
    in_crop = (np.asarray(cut_lps_mm) - np.asarray(origin_lps_mm))[:, ::-1]
    relative = (in_crop - np.asarray(frame.center_zyx_mm)) @ np.asarray(frame.axes_zyx).T
    back, left = relative[:, 1], relative[:, 2]
    if np.abs(left).min() < (SAGITTAL_BAND + _BAND_MARGIN) * frame.width_mm:
        return False
    sides = [back[left > 0], back[left < 0]]
    return all(np.ptp(side) <= _MOST_CHORD * frame.depth_mm for side in sides if len(side))
