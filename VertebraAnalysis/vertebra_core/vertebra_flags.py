"""Flags on vertebrae and warnings about a scan that follow from its labelling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .analysis import Flag
from .flagging import LOW_LEVEL_PROBABILITY, probability_percent
from .geometry_flags import geometry_flags
from .labelling.positional_logic import LevelAssignment
from .levels import Level
from .stages import Candidate
from .volume import CtVolume

DISAGREEMENT_SHARE = 0.25
"""Where the network alone names more than this share differently, all levels are flagged."""


def vertebra_flags(
    candidate: Candidate,
    level: Level,
    probability: float,
    beside_gap: bool,
    volume: CtVolume,
    left_out: str = "",
    course_zyx: np.ndarray | None = None,
    seeming_mm: float = 0.0,
) -> tuple[Flag, ...]:
    """Return the flags of one vertebra.

    Parameters
    ----------
    candidate : Candidate
    level : Level
    probability : float
        Of its level.
    beside_gap : bool
        A vertebra was expected next to it and not found.
    volume : CtVolume
        The scan in its own geometry.
    left_out : str
        See `left_out_doubts`.
    course_zyx, seeming_mm
        See `geometry_flags`.
    """
    of_geometry = geometry_flags(
        candidate, level, volume, course_zyx=course_zyx, seeming_mm=seeming_mm
    )
    flags = list(of_geometry)
    if candidate.doubt:
        flags.append(Flag("implausible_shape", f"Its mask is doubtful: {candidate.doubt}"))
    if probability < LOW_LEVEL_PROBABILITY:
        percent = probability_percent(probability)
        flags.append(Flag("low_level_margin", f"The level is only {percent} % certain."))
    if beside_gap:
        flags.append(
            Flag("possibly_missed_neighbour", "A neighbouring vertebra may have been missed.")
        )
    if left_out:
        flags.append(Flag("possibly_missed_neighbour", left_out))
    return tuple(flags)


def left_out_doubts(assignment: LevelAssignment) -> dict[int, str]:
    """Say what was left out as no vertebra, or as the sacrum, though it may be a vertebra.

    Returns
    -------
    dict of int to str
        Index of the named detection next to it -> a sentence for each.
    """
    found = assignment.detections
    names = {one.level.name for one in found if one.level}
    doubts: dict[int, list[str]] = {}
    for i, one in enumerate(found):
        if one.level or one.runner_up is None or one.probability >= LOW_LEVEL_PROBABILITY:
            continue
        above = next((k for k in reversed(range(i)) if found[k].level), None)
        below = next((k for k in range(i + 1, len(found)) if found[k].level), None)
        beside = below if above is None else above
        if beside is not None:
            where = "above" if above is None else "below"
            other = f"{one.runner_up.name} ({100 * one.runner_up_probability:.0f} %)"
            taken = " instead of the one named so" if one.runner_up.name in names else ""
            doubts.setdefault(beside, []).append(
                f"What lies {where} {found[beside].level.name} was taken for no vertebra, but may "
                f"be {other}{taken}."
            )
    return {beside: " ".join(sentences) for beside, sentences in doubts.items()}


def network_disagreement(names: Sequence[str], network_names: Sequence[str]) -> tuple[Flag, ...]:
    """Return a flag for all vertebrae where the network's own names contradict the labelling.

    Positional logic must decide between contradicting views and may be sure of the result; that
    the network saw two different spines in one is a reason to count again.

    Parameters
    ----------
    names : sequence of str
        Levels after positional logic.
    network_names : sequence of str
        Levels that the network alone gives.
    """
    differ = sum(a != b for a, b in zip(names, network_names, strict=True))
    if differ < 2 or differ <= DISAGREEMENT_SHARE * len(names):
        return ()
    reason = f"Seen singly, {differ} of {len(names)} vertebrae would be named differently."
    return (Flag("low_level_margin", reason),)


def labelling_warnings(assignment: LevelAssignment) -> list[str]:
    """Return one sentence for everything about the labelling of a scan that is worth a look."""
    warnings = [
        f"The labelling holds an unusual count of levels: {unusual}."
        for unusual in assignment.unusual
    ]
    for missed in assignment.missed:
        warnings.append(f"{missed.level.name} was expected in a gap but not found.")
    warnings.extend(left_out_doubts(assignment).values())
    sure = min((d.probability for d in assignment.detections if d.level), default=1.0)
    other = [level.name for level in assignment.alternative if level]
    if sure < LOW_LEVEL_PROBABILITY and other:
        span = f"is {other[0]}" if len(other) == 1 else f"runs from {other[0]} to {other[-1]}"
        warnings.append(f"Levels are uncertain: the next best labelling {span}.")
    return warnings
