"""Whether the levels of a given segmentation run from head to foot, without a gap."""

from __future__ import annotations

from collections.abc import Sequence

from .analysis import Flag
from .levels import LEVELS, Level

_RARE = ("T13", "L6")
"""Most spines lack them, so that nobody misses them."""


def order_warnings(levels: Sequence[Level]) -> tuple[str, ...]:
    """Return a sentence for what is odd about the names of a segmentation.

    Parameters
    ----------
    levels : sequence of Level
        As the vertebrae lie, head to foot.
    """
    names = [level.name for level in levels]
    turned = _out_of_order(levels)
    if len(levels) > 1 and all(turned) and _descends(levels):
        return (
            f"The levels run from foot to head, {names[0]} above {names[-1]}: the map is upside "
            "down or numbered otherwise. If its numbers are those of TotalSegmentator 1 (18 is L5, "
            "23 is T12, 41 is C1), say so by --numbers totalsegmentator1.",
        )
    if any(turned):
        wrong = [name for name, out in zip(names, turned, strict=True) if out]
        return (f"The levels {', '.join(wrong)} do not lie from head to foot: check their names.",)
    gaps = [
        f"No label of the segmentation is {' or '.join(missing)}, between {upper.name} and "
        f"{lower.name}."
        for upper, lower in zip(levels, levels[1:], strict=False)
        if (missing := _between(upper, lower))
    ]
    return tuple(gaps)


def order_flags(levels: Sequence[Level]) -> tuple[tuple[Flag, ...], ...]:
    """Return a flag for every vertebra that lies above one of a higher level, or below a lower."""
    reason = "The levels of the segmentation do not run from head to foot here."
    flag = Flag("low_level_margin", reason)
    return tuple((flag,) if out else () for out in _out_of_order(levels))


def _out_of_order(levels: Sequence[Level]) -> list[bool]:
    orders = [level.order for level in levels]
    return [
        max(orders[:i], default=-1) > own or min(orders[i + 1 :], default=len(LEVELS)) < own
        for i, own in enumerate(orders)
    ]


def _descends(levels: Sequence[Level]) -> bool:
    return all(a.order > b.order for a, b in zip(levels, levels[1:], strict=False))


def _between(upper: Level, lower: Level) -> tuple[str, ...]:
    names = (level.name for level in LEVELS[upper.order + 1 : lower.order])
    return tuple(name for name in names if name not in _RARE)
