"""Heights that a reader draws as lines."""

from __future__ import annotations

import math
from collections.abc import Mapping

from vertebra_core.analysis import HeightLine, Heights

from .UserError import UserError

HEIGHT_NAMES: tuple[str, ...] = ("anterior", "middle", "posterior")
"""The heights of a vertebral body, front to back."""

SHORTEST_MM, LONGEST_MM = 1.0, 80.0
"""No vertebral body is lower or taller: even L3 of a tall man measures half of the upper limit."""

READER_SPREAD_MM = 0.7
"""Spread of a height that was drawn in one slice: twice the 0.35 mm to which a surface is seen
(`genant.SURFACE_SD_MM`), because a spread is halved where it is turned into an error."""

_SAME_MM = 1e-3
_DECIMALS = 6


def lineLength(line: HeightLine) -> float:
    """Return the length of a height line in mm."""
    return math.dist(line.top_lps_mm, line.bottom_lps_mm)


def checkedLines(lines: Mapping[str, HeightLine]) -> dict[str, HeightLine]:
    """Return `lines` as they are kept, to the nanometre.

    Raises
    ------
    UserError
        If a line is no height of a vertebral body.
    ValueError
        If it has another name than `HEIGHT_NAMES`.
    """
    checked = {}
    for name, line in lines.items():
        if name not in HEIGHT_NAMES:
            raise ValueError(f"there is no {name} height")
        ends = (*line.top_lps_mm, *line.bottom_lps_mm)
        length = lineLength(line) if all(math.isfinite(c) for c in ends) else 0.0
        if not SHORTEST_MM <= length <= LONGEST_MM:
            raise UserError(
                f"The {name} height line is {length:.1f} mm long, which is no height of a "
                "vertebral body.",
                "Put its ends on the upper and the lower endplate.",
            )
        checked[name] = HeightLine(_rounded(line.top_lps_mm), _rounded(line.bottom_lps_mm))
    return checked


def movedLines(
    before: Mapping[str, HeightLine], after: Mapping[str, HeightLine]
) -> dict[str, HeightLine]:
    """Return those lines of `after` that lie elsewhere than in `before`."""
    return {
        name: line
        for name, line in after.items()
        if name not in before
        or math.dist(line.top_lps_mm, before[name].top_lps_mm) > _SAME_MM
        or math.dist(line.bottom_lps_mm, before[name].bottom_lps_mm) > _SAME_MM
    }


def editedHeights(measured: Heights | None, lines: Mapping[str, HeightLine]) -> Heights | None:
    """Return the heights with those of `lines` in place; None while one of three is unknown."""
    values = {name: getattr(measured, name, math.nan) for name in HEIGHT_NAMES}
    values |= {name: lineLength(line) for name, line in lines.items()}
    heights = Heights(**values)
    return heights if usable(heights) else None


def editedSpread(measured: Heights | None, lines: Mapping[str, HeightLine]) -> Heights:
    """Return the spread of each height in mm, that of a drawn line being `READER_SPREAD_MM`."""
    values = {name: getattr(measured, name, math.nan) for name in HEIGHT_NAMES}
    return Heights(
        **{
            name: READER_SPREAD_MM if name in lines or not math.isfinite(value) else value
            for name, value in values.items()
        }
    )


def usable(heights: Heights | None) -> bool:
    """Tell whether all three heights are there to be compared."""
    return heights is not None and all(
        math.isfinite(h) and h > 0 for h in (heights.anterior, heights.middle, heights.posterior)
    )


def _rounded(point: tuple[float, float, float]) -> tuple[float, float, float]:
    x, y, z = (round(float(c), _DECIMALS) for c in point)
    return x, y, z
