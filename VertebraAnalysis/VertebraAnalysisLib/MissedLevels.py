"""What a vertebra that the analysis missed can be called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .AddedPlace import placeAmong
from .FreeLevels import isBetween, noneFree, orderOf, whereBetween
from .Relabelling import REGULAR_LEVELS
from .ReviewedVertebra import ReviewedVertebra
from .UserError import UserError

_USUAL = tuple(level for level in REGULAR_LEVELS if level != "L6")
_EXTRA = {"T13": ("T12", "L1"), "L6": ("L5", "S1")}
"""Levels that few spines have, and those that they lie between."""

_CHOICES = 3
"""Of more names than that, those nearest to the place are offered."""


@dataclass(frozen=True)
class MissedLevels:
    """Names that a missed vertebra can have.

    Attributes
    ----------
    names : tuple of str
        Head to foot; at least one.
    likeliest : str
        One of them.
    sure : bool
        There is nothing to ask: it is the only name, and one that most spines have.
    """

    names: tuple[str, ...]
    likeliest: str
    sure: bool


def missedLevels(
    accepted: Sequence[ReviewedVertebra], centerLpsMm: Sequence[float]
) -> MissedLevels:
    """Return the names that a vertebra missed at a point can have.

    Between two others those that are missing there; above the first or below the last the next
    one. T13 and L6 are offered where a spine can have them.

    Parameters
    ----------
    accepted : sequence of ReviewedVertebra
        Head to foot, without those that were rejected.
    centerLpsMm : sequence of float
        In the coordinates of the analysis.

    Raises
    ------
    UserError
        If no name is free there, or there is nothing to count from.
    """
    above, below = _beside(accepted, centerLpsMm)
    names = [v.level if v else None for v in (above, below)]
    if not any(names):
        raise UserError(
            "There is no vertebra to count the levels from.", "Restore one, or analyze again."
        )
    usual = [name for name in _USUAL if isBetween(name, *names)]
    extra = [name for name in _EXTRA if _isExtraBetween(name, *names)]
    if not usual and not extra:
        raise noneFree(*names)
    if above and below:
        usual, likeliest = _nearest(usual, above, below, centerLpsMm)
    else:
        # Beyond the end of the row only the next one can be told by counting.
        usual = usual[:1] if above else usual[-1:]
        likeliest = "".join(usual)
    free = tuple(sorted({*usual, *extra}, key=orderOf))
    return MissedLevels(free, likeliest or free[0], len(free) == 1 and not extra)


def requireFree(
    accepted: Sequence[ReviewedVertebra], level: str, centerLpsMm: Sequence[float]
) -> None:
    """Raise `UserError` if a vertebra at a point cannot have a level."""
    above, below = (v.level if v else None for v in _beside(accepted, centerLpsMm))
    if not isBetween(level, above, below):
        raise UserError(
            f"What was found there cannot be {level}: it lies {whereBetween(above, below)}.",
            "Choose a point in the middle of the missed body.",
        )


def _beside(
    accepted: Sequence[ReviewedVertebra], centerLpsMm: Sequence[float]
) -> tuple[ReviewedVertebra | None, ReviewedVertebra | None]:
    """The vertebrae above and below a point; None where there is none."""
    i = placeAmong(centerLpsMm[2], [v.ai.center_lps_mm[2] for v in accepted])
    return accepted[i - 1] if i else None, accepted[i] if i < len(accepted) else None


def _isExtraBetween(level: str, above: str | None, below: str | None) -> bool:
    before, after = _EXTRA[level]
    follows = above == before and below in (None, after)
    return follows or (above is None and below == after)


def _nearest(
    names: Sequence[str],
    above: ReviewedVertebra,
    below: ReviewedVertebra,
    centerLpsMm: Sequence[float],
) -> tuple[list[str], str]:
    """Of the names missing between two vertebrae those nearest to a place, and the very nearest."""
    if not names:
        return [], ""
    top, bottom = above.ai.center_lps_mm[2], below.ai.center_lps_mm[2]
    share = (top - centerLpsMm[2]) / (top - bottom)
    at = min(max(round(share * (len(names) + 1)) - 1, 0), len(names) - 1)
    first = min(max(at - 1, 0), max(len(names) - _CHOICES, 0))
    return list(names[first : first + _CHOICES]), names[at]
