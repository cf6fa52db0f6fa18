"""What flags and reports have in common: how flags are added, and when a level is unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .analysis import Flag, Vertebra

LOW_LEVEL_PROBABILITY = 0.9
"""Levels less probable than this are flagged. Neighbours share the network's errors, so a labelling
that is off by one throughout may still claim such a probability."""


def level_unsure(vertebra: Vertebra) -> bool:
    """Tell whether the level is in doubt, by its probability or a flag."""
    probability = vertebra.level_probability
    improbable = probability is not None and probability < LOW_LEVEL_PROBABILITY
    return improbable or any(flag.code == "low_level_margin" for flag in vertebra.flags)


def probability_percent(probability: float) -> int:
    """Return the probability of a level in whole percent.

    What lies below `LOW_LEVEL_PROBABILITY` is not rounded up to it: "90 %" beside "less than 90 %
    certain" would contradict.
    """
    percent, threshold = round(100 * probability), round(100 * LOW_LEVEL_PROBABILITY)
    return min(percent, threshold - 1) if probability < LOW_LEVEL_PROBABILITY else percent


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
