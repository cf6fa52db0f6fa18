"""What flags and reports have in common: how flags are added, and when a level is unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .analysis import Flag, Vertebra

LOW_LEVEL_PROBABILITY = 0.9
"""Levels less probable than this are flagged. Neighbours share the network's errors, so a labelling
that is off by one throughout may still claim such a probability."""


def with_flags(vertebra: Vertebra, flags: Sequence[Flag]) -> Vertebra:
    """Return `vertebra` with further flags: a code that is there already takes up their reasons.

    For flags about the vertebra as a whole; lesion candidates, of which it may hold several, are
    each a flag of their own.
    """
    result = list(vertebra.flags)
    for flag in flags:
        place = next((i for i, f in enumerate(result) if f.code == flag.code), None)
        if place is None:
            result.append(flag)
        elif flag.reason not in result[place].reason:
            reason = f"{result[place].reason} {flag.reason}"
            result[place] = replace(result[place], reason=reason)
    return replace(vertebra, flags=tuple(result))
