"""Which vertebra a number in somebody's label map means."""

from __future__ import annotations

import numpy as np

from .levels import LEVELS
from .value_counts import ValueCounts

VERSE = "verse"
TOTALSEGMENTATOR = "totalsegmentator"
TOTALSEGMENTATOR_1 = "totalsegmentator1"
AUTO = "auto"
SCHEMES = (AUTO, VERSE, TOTALSEGMENTATOR, TOTALSEGMENTATOR_1)

_VERSE_NUMBERS = {level.name: level.number for level in LEVELS}

_FOOT_TO_HEAD = [v.name for v in reversed(LEVELS) if v.name not in ("T13", "L6")]
# Both versions count from the sacrum up. Version 2: 26 S1, 27 L5 ... 31 L1, 32 T12 ... 50 C1;
# version 1, whose sacrum is no vertebra: 18 L5 ... 22 L1, 23 T12 ... 41 C1.
_TO_VERSE = {
    VERSE: {number: number for number in _VERSE_NUMBERS.values()},
    TOTALSEGMENTATOR: {26 + k: _VERSE_NUMBERS[name] for k, name in enumerate(_FOOT_TO_HEAD)},
    TOTALSEGMENTATOR_1: {18 + k: _VERSE_NUMBERS[name] for k, name in enumerate(_FOOT_TO_HEAD[1:])},
}


_VERSE_ONLY = range(1, 26)
# 26 and 28 are vertebrae of both; beyond 99 lie what other programs add to VerSe's numbers (discs
# and endplates), and TotalSegmentator's ribs, which do not come without its vertebrae.
_NOT_VERSE = {27, *range(29, 100)}
_LEAST_SHARE = 0.001
_TIMES = 3


def detect_scheme(numbers: np.ndarray) -> str:
    """Tell which scheme the numbers of a label map follow.

    VerSe ends at 28 and does not use 27; numbers beyond are TotalSegmentator's. It takes more than
    a structure or two that somebody added to VerSe's vertebrae, or a stray voxel: one such number
    for three of VerSe's own. TotalSegmentator's organs, which have these, come with more.

    Version 1 of TotalSegmentator is never told: its numbers look like VerSe's upside down, or like
    those of version 2.
    """
    counts = ValueCounts.of(numbers)
    labelled = counts.part(counts.values > 0)
    ample = labelled.counts >= _LEAST_SHARE * labelled.total
    present = {int(n) for n in labelled.values[ample]}
    added, own = len(present & _NOT_VERSE), len(present.intersection(_VERSE_ONLY))
    return TOTALSEGMENTATOR if added and own < _TIMES * added else VERSE


def no_vertebrae(numbers: np.ndarray, scheme: str) -> list[int]:
    """Return the numbers of a label map that stand for no vertebra in a scheme other than `AUTO`.

    Parameters
    ----------
    numbers : ndarray
        Whole numbers from 0 on, of any type.
    scheme : str
    """
    present = {int(n) for n in ValueCounts.of(numbers).values}
    return sorted(present - {0} - set(_TO_VERSE[scheme]))


def to_verse_numbers(labels: np.ndarray, scheme: str = AUTO) -> np.ndarray:
    """Renumber a label map to VerSe's numbers; what is no vertebra becomes 0.

    Parameters
    ----------
    labels : ndarray
        Whole numbers 0-255, of any type.
    scheme : str
        One of `SCHEMES`.

    Returns
    -------
    ndarray of uint8

    Raises
    ------
    ValueError
        If the scheme is unknown or the map holds other than whole numbers 0-255.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"unknown numbering {scheme!r}; choose from {', '.join(SCHEMES)}")
    whole = labels.astype(np.uint8)
    if not np.array_equal(whole, labels):
        raise ValueError("a label map must hold whole numbers from 0 to 255")
    if scheme == AUTO:
        scheme = detect_scheme(whole)
    table = np.zeros(256, np.uint8)
    for number, verse_number in _TO_VERSE[scheme].items():
        table[number] = verse_number
    return table[whole]


def verse_names() -> dict[int, str]:
    """Return VerSe number -> level name of the vertebrae an analysis may report (no S1)."""
    return {number: name for name, number in _VERSE_NUMBERS.items() if name != "S1"}
