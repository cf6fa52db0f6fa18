"""Doubts about a measured body that a reader should know of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..analysis import Flag, Heights
from .body_field import BodyField
from .body_frame import BodyFrame
from .genant import Morphometry

MAX_VOXEL_MM = 5.0
"""Coarser scans are not graded: one voxel is then the 20 % of a body of 25 mm."""

_DEPTH_TO_WIDTH = (0.42, 1.35)
"""Bodies from C3 to L5 lie between 0.5 and 1.1 (Panjabi et al. 1991, 1992)."""

_MAX_RESIDUAL_MM = 3.0
_TALL_FRONT = -0.25
_TALL_BODY = 1.35
"""Front and body this much taller than expected mean lips, fused bodies or bad outlines."""

_TOUCHING_GAP_MM = 1.0
_TOUCHING_SHARE = 0.4
"""Even a collapsed disc leaves more than a millimetre over most of an endplate."""


def shape_flags(frame: BodyFrame, heights: Heights, found: Morphometry) -> tuple[Flag, ...]:
    """Return an ``implausible_shape`` flag where the outline is unlike any body, else nothing.

    Parameters
    ----------
    frame : BodyFrame
    heights : Heights
    found : Morphometry
        Of the same body.
    """
    ratio = frame.depth_mm / max(frame.width_mm, 1e-6)
    reason = ""
    if not _DEPTH_TO_WIDTH[0] <= ratio <= _DEPTH_TO_WIDTH[1]:
        reason = f"A body {frame.depth_mm:.0f} mm deep and {frame.width_mm:.0f} mm wide is unusual."
    elif frame.endplate_residual_mm > _MAX_RESIDUAL_MM:
        reason = "The endplates are too ragged to be trusted."
    elif heights.posterior > _TALL_BODY * found.reference.crush_mm:
        reason = "The body is much taller than expected: fused bodies or a wrong outline."
    elif found.loss.wedge < _TALL_FRONT:
        reason = "The front is much taller than expected: bony lips or a wrong outline."
    return (Flag("implausible_shape", reason),) if reason else ()


def touches(
    frame: BodyFrame,
    origin_lps_mm: Sequence[float],
    middle_height_mm: float,
    other_body: np.ndarray,
    other_origin_lps_mm: Sequence[float],
    spacing_mm: float = 1.0,
) -> bool:
    """Tell whether a body's endplate runs into another body.

    Parameters
    ----------
    frame : BodyFrame
        In mm from the first voxel of the body's crop.
    origin_lps_mm : sequence of float
        LPS position of that voxel; the crop's axes are the patient's.
    middle_height_mm : float
    other_body : ndarray, shape (z, y, x)
        Probability of the other body.
    other_origin_lps_mm : sequence of float
    spacing_mm : float
        Of the other crop.
    """
    field = BodyField.of(np.asarray(other_body, np.float32), spacing_mm)
    shift = (np.asarray(origin_lps_mm, float) - np.asarray(other_origin_lps_mm, float))[::-1]
    shares = np.linspace(-0.3, 0.3, 7)
    reach = middle_height_mm / 2 + _TOUCHING_GAP_MM
    for side in (1.0, -1.0):
        grid = frame.grid(
            np.array([side * reach]), shares * frame.depth_mm, shares * frame.width_mm
        )
        if float((field.at(grid + shift[:, None, None, None]) < 0).mean()) > _TOUCHING_SHARE:
            return True
    return False
