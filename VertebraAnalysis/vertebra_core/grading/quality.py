"""Doubts about a measured body that a reader should know of."""

from __future__ import annotations

from ..analysis import Flag, Heights
from .body_frame import BodyFrame
from .genant import Morphometry
from .norms import level_norm
from .posterior_reference import LEVEL_NORM

MAX_VOXEL_MM = 5.0
"""Coarser scans are not graded: one voxel is then the 20 % of a body of 25 mm."""

_DEPTH_TO_WIDTH = (0.42, 1.35)
"""Bodies from C3 to L5 lie between 0.5 and 1.1 (Panjabi et al. 1991, 1992)."""

_MAX_RESIDUAL_MM = 3.0
_TALL_FRONT = -0.25
_TALL_BODY = 1.35
"""Front and body this much taller than expected mean lips, fused bodies or bad outlines."""

_TALL_ADULT = 1.2
"""A choice: what is expected comes from neighbours, and a crushed one alone says too little. Few
bodies exceed an average adult's by this (SD 0.08); fused ones of a child's size still do."""


def shape_flags(
    level: str, frame: BodyFrame, heights: Heights, found: Morphometry
) -> tuple[Flag, ...]:
    """Return an ``implausible_shape`` flag where the outline is unlike any body, else nothing.

    Parameters
    ----------
    level : str
    frame : BodyFrame
    heights : Heights
    found : Morphometry
        Of the same body.
    """
    ratio = frame.depth_mm / max(frame.width_mm, 1e-6)
    adult_mm = level_norm(level).posterior_height_mm
    reason = ""
    if not _DEPTH_TO_WIDTH[0] <= ratio <= _DEPTH_TO_WIDTH[1]:
        reason = f"A body {frame.depth_mm:.0f} mm deep and {frame.width_mm:.0f} mm wide is unusual."
    elif frame.endplate_residual_mm > _MAX_RESIDUAL_MM:
        reason = "The endplates are too ragged to be trusted."
    elif heights.posterior > max(_TALL_BODY * found.reference.crush_mm, _TALL_ADULT * adult_mm):
        reason = "The body is much taller than expected: fused bodies or a wrong outline."
    elif found.loss.wedge < _TALL_FRONT:
        reason = "The front is much taller than expected: bony lips or a wrong outline."
    return (Flag("implausible_shape", reason),) if reason else ()


def reference_flags(found: Morphometry) -> tuple[Flag, ...]:
    """Return a ``no_height_reference`` flag where no other body tells how tall this one is."""
    if found.reference.source != LEVEL_NORM:
        return ()
    against = abs(round(100 * found.loss.crush))
    side = "lower" if found.loss.crush >= 0 else "taller"
    reason = (
        "No other body was measured, so a crush is not told from a small person: the posterior "
        f"height is {against} % {side} than an average adult's."
    )
    return (Flag("no_height_reference", reason),)
