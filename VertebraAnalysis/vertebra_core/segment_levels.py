"""Which level each label of somebody's segmentation means."""

from __future__ import annotations

import numpy as np

from .counting import ranges
from .errors import InputError
from .label_numbers import AUTO, TOTALSEGMENTATOR, detect_scheme, no_vertebrae, to_verse_numbers
from .levels import level_named
from .segment_names import level_in_name, mentions_level
from .volume import LabelVolume

NAMES = "names"
"""Numbering of a segmentation whose segments bear level names."""

_T13 = level_named("T13").number
_BESIDE_T13 = {level_named("T12").number, level_named("L1").number}


def recognised_numbering(segmentation: LabelVolume, scheme: str = AUTO) -> str:
    """Return what tells the levels of a segmentation: `NAMES` or one of `label_numbers.SCHEMES`.

    Parameters are those of `numbered_by_level`; the result is never `AUTO`.
    """
    if scheme != AUTO:
        return scheme
    if any(level_in_name(n) or mentions_level(n) for n in segmentation.names.values()):
        return NAMES
    return detect_scheme(segmentation.labels)


def numbered_by_level(
    segmentation: LabelVolume, scheme: str = AUTO, what: str = "segmentation"
) -> tuple[LabelVolume, tuple[str, ...]]:
    """Give every label its VerSe number.

    Parameters
    ----------
    segmentation : LabelVolume
    scheme : str
        Numbering, one of `label_numbers.SCHEMES`. By default segment names count where there are
        any; otherwise the numbers are VerSe's or, where they cannot be, TotalSegmentator's.
    what : str
        What errors and warnings call the map.

    Returns
    -------
    labels : LabelVolume
        uint8 VerSe numbers, on the same grid; other structures are left out.
    warnings : tuple of str
        What was left out or assumed, one sentence each.

    Raises
    ------
    InputError
        ``no_vertebra_labels`` or ``double_level``.
    """
    if recognised_numbering(segmentation, scheme) == NAMES:
        numbers, warnings = _by_names(segmentation)
    else:
        numbers, warnings = _by_numbers(segmentation, scheme, what)
    if not numbers.any():
        raise InputError(
            "no_vertebra_labels",
            f"The {what} holds no label of a vertebra.",
            "Number vertebrae as VerSe does (C1-C7 1-7, T1-T12 8-19, L1-L5 20-24, L6 25, T13 28), "
            "name segments L1, L2 and so on, or say by --numbers how they are numbered.",
        )
    placed = (segmentation.spacing_xyz_mm, segmentation.origin_lps_mm, segmentation.direction)
    return LabelVolume(numbers, *placed), warnings


def _by_names(segmentation: LabelVolume) -> tuple[np.ndarray, tuple[str, ...]]:
    table = np.zeros(int(segmentation.labels.max()) + 1, np.uint8)
    seen: dict[str, str] = {}
    left_out = []
    for value, name in segmentation.names.items():
        level = level_in_name(name)
        if level is None:
            left_out.append(name)
            continue
        if level in seen:
            raise InputError(
                "double_level",
                f"The segments '{seen[level]}' and '{name}' both name {level}.",
                "Give every vertebra one segment and one level.",
            )
        seen[level] = name
        if 0 < value < len(table):
            table[value] = level_named(level).number
    warnings = ()
    if left_out:
        warnings = (f"Segments that name no vertebral level were left out: {', '.join(left_out)}.",)
    return table[segmentation.labels], warnings


def _by_numbers(
    segmentation: LabelVolume, scheme: str, what: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    labels = segmentation.labels
    if labels.max() > 255:
        labels = np.where(labels > 255, 0, labels)
    if scheme != AUTO:
        return to_verse_numbers(labels, scheme), _left_out(segmentation, scheme, what)
    present = set(np.unique(labels).tolist())
    warnings = []
    if segmentation.names:
        _check_not_counted(present, what)
        warnings.append(
            "No segment bears the name of a level, so the numbers of the labels were taken for "
            "levels."
        )
    scheme = detect_scheme(labels)
    if scheme == TOTALSEGMENTATOR:
        warnings.append(
            f"The numbers of the {what} were taken to be TotalSegmentator's (27 is L5, 32 is "
            "T12), as VerSe has no such numbers; those of its version 1 (18 is L5) are told by "
            "--numbers totalsegmentator1."
        )
    elif _T13 in present and not present & _BESIDE_T13:
        warnings.append(
            "The number 28 was taken for T13, as VerSe has it, though neither T12 nor L1 is there; "
            "if it is TotalSegmentator's L4, say so by --numbers totalsegmentator."
        )
    if left_out := _left_out(segmentation, scheme, what):
        warnings.append(f"{left_out[0]} Another numbering can be told by --numbers.")
    return to_verse_numbers(labels, scheme), tuple(warnings)


def _check_not_counted(present: set[int], what: str) -> None:
    """Refuse 1, 2, 3 ... of segments that were just counted: they would be C1, C2, C3 ..."""
    if present - {0} == set(range(1, max(present) + 1)):
        raise InputError(
            "no_vertebra_labels",
            f"No segment of the {what} bears the name of a level, and their numbers only count "
            "them.",
            "Name segments L1, L2 and so on; if the numbers are levels, say so by --numbers.",
        )


def _left_out(segmentation: LabelVolume, scheme: str, what: str) -> tuple[str, ...]:
    numbers = no_vertebrae(segmentation.labels, scheme)
    if not numbers:
        return ()
    noun = f"number {numbers[0]}" if len(numbers) == 1 else f"numbers {ranges(numbers)}"
    verb = "stands" if len(numbers) == 1 else "stand"
    return (f"The {noun} of the {what} {verb} for no vertebra: left out.",)
