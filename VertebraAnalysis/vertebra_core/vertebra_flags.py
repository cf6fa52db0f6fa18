"""Flags on vertebrae and warnings about a scan that follow from geometry and labelling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .analysis import Flag
from .flagging import LOW_LEVEL_PROBABILITY
from .labelling.positional_logic import LevelAssignment
from .levels import Level, Region
from .stages import Candidate
from .volume import CtVolume

DISAGREEMENT_SHARE = 0.25
"""Where the network alone names more than this share differently, all levels are flagged."""

THICK_SLICE_MM = 3.0
"""Above this spacing heights are flagged as coarse: 3 mm is half of a grade 2 loss of 25 mm."""

THIN_DISC_SLICE_MM = 2.5
"""From this distance of slices on, thoracic heights are flagged as coarse: discs of 2-3 mm hardly
show then. On the public chest slices averaged to 2 mm change heights by 0.3 mm on average, slices
averaged to 3 mm by 1.6 mm (`evaluate consistency`)."""


def vertebra_flags(
    candidate: Candidate, level: Level, probability: float, beside_gap: bool, volume: CtVolume
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
    """
    flags = []
    if candidate.body_cut:
        flags.append(Flag("cut_by_field_of_view", "The edge of the scan cuts the body."))
    elif candidate.arch_cut:
        flags.append(Flag("cut_by_field_of_view", "The edge of the scan cuts the arch."))
    if candidate.doubt:
        flags.append(Flag("implausible_shape", f"Its mask is doubtful: {candidate.doubt}"))
    if probability < LOW_LEVEL_PROBABILITY:
        percent = round(100 * probability)
        flags.append(Flag("low_level_margin", f"The level is only {percent} % certain."))
    if beside_gap:
        flags.append(
            Flag("possibly_missed_neighbour", "A neighbouring vertebra may have been missed.")
        )
    thick, upright = max(volume.spacing_xyz_mm), upright_spacing_mm(volume)
    if thick > THICK_SLICE_MM:
        flags.append(Flag("low_resolution", f"Voxels of {thick:.1f} mm make heights coarse."))
    elif level.region is Region.THORACIC and upright >= THIN_DISC_SLICE_MM:
        reason = f"Slices {upright:.1f} mm apart hide thoracic discs and make heights coarse."
        flags.append(Flag("low_resolution", reason))
    return tuple(flags)


def upright_spacing_mm(volume: CtVolume) -> float:
    """Return the spacing of the axis that runs most nearly from foot to head, mm."""
    upright = np.abs(np.reshape(volume.direction, (3, 3))[2])
    return float(volume.spacing_xyz_mm[int(upright.argmax())])


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
    sure = min((d.probability for d in assignment.detections if d.level), default=1.0)
    other = [level.name for level in assignment.alternative if level]
    if sure < LOW_LEVEL_PROBABILITY and other:
        warnings.append(
            f"Levels are uncertain: the next best labelling runs from {other[0]} to {other[-1]}."
        )
    return warnings
