"""Whether the levels of a given segmentation run from head to foot, without a gap."""

from __future__ import annotations

from collections.abc import Sequence

from .analysis import Flag
from .levels import LEVELS, Level

_COMMON = tuple(level.name for level in LEVELS if level.name not in ("T13", "L6"))


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
        f"No label of the segmentation is {' or '.join(missing)}, between {upper} and {lower}."
        for upper, lower in zip(names, names[1:], strict=False)
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


def _between(upper: str, lower: str) -> tuple[str, ...]:
    # T13 and L6 count as what they follow: they are missing in most spines.
    first, last = (_COMMON.index({"T13": "T12", "L6": "L5"}.get(n, n)) for n in (upper, lower))
    return _COMMON[first + 1 : last]
