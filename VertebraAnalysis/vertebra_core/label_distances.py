"""Distances between the labels of a given segmentation that neighbours do not have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .analysis import Flag
from .labelling.level_statistics import NEIGHBOURS, load_level_statistics
from .levels import Level
from .stages import Candidate

GAP_RATIO = 1.6
"""Distance of two centres over the expected one from which a vertebra may lie between them. From
person to person and level to level the logarithm of the distance varies by 0.08, and one vertebra
more makes it twice as large."""

LEAST_SCALE = 0.75
"""A spine is taken to be no smaller, unless three other distances say so: where there are fewer,
they may be those of collapsed vertebrae."""

USUAL_SCALE = (0.65, 1.5)
"""Distances of a spine over those of an average adult. In public scans they are 0.9 to 1.3 (and
heights of bodies, whose norms come from specimens, 1.1 to 1.6); slices half or twice as far apart
as they are make 0.5 and 2 of 1."""

_ENOUGH = 3
_LEAST = 2


def gap_flags(
    candidates: Sequence[Candidate], levels: Sequence[Level]
) -> tuple[tuple[Flag, ...], ...]:
    """Return a flag for both vertebrae beside every gap.

    Distances are compared with those of their levels in `LevelStatistics`, in the scale of the
    spine's other distances. Vertebrae without a whole body of their own have no centre to compare.

    Parameters
    ----------
    candidates : sequence of Candidate
        Head to foot.
    levels : sequence of Level
        Their levels.
    """
    flags: list[tuple[Flag, ...]] = [()] * len(candidates)
    ratios = _ratios(candidates, levels)
    for i, ratio in ratios.items():
        scale = _scale([r for other, r in ratios.items() if other != i])
        if ratio > GAP_RATIO * scale:
            for own, other in ((i, i + 1), (i + 1, i)):
                reason = (
                    f"It lies {ratio / scale:.1f} times as far from {levels[other].name} as "
                    "neighbours do: a vertebra between them may have no label."
                )
                flags[own] = (*flags[own], Flag("possibly_missed_neighbour", reason))
    return tuple(flags)


def scale_warnings(candidates: Sequence[Candidate], levels: Sequence[Level]) -> tuple[str, ...]:
    """Return a sentence if all vertebrae are unusually close or far: the voxel size may be wrong.

    Parameters are those of `gap_flags`.
    """
    ratios = list(_ratios(candidates, levels).values())
    scale = float(np.median(ratios)) if len(ratios) >= _LEAST else 1.0
    if USUAL_SCALE[0] <= scale <= USUAL_SCALE[1]:
        return ()
    otherwise = "a child's spine may be so" if scale < 1 else "vertebrae between may have no label"
    return (
        f"The vertebrae lie {scale:.2g} times as far apart as an average adult's: {otherwise}, or "
        "the voxel size of the label map (its slice distance, for instance) is wrong.",
    )


def _ratios(candidates: Sequence[Candidate], levels: Sequence[Level]) -> dict[int, float]:
    """Index of the upper vertebra -> distance to the lower one over the expected distance."""
    means = load_level_statistics().log_distance_mean
    expected = dict(zip(NEIGHBOURS, np.exp(means).tolist(), strict=True))
    ratios = {}
    for i in range(len(candidates) - 1):
        pair = levels[i].order, levels[i + 1].order
        upper, lower = candidates[i], candidates[i + 1]
        if pair in expected and _has_centre(upper) and _has_centre(lower):
            step = np.subtract(upper.center_lps_mm, lower.center_lps_mm)
            ratios[i] = float(np.linalg.norm(step)) / expected[pair]
    return ratios


def _has_centre(candidate: Candidate) -> bool:
    whole = not candidate.body_cut and not candidate.doubt
    return whole and bool((candidate.mask.body > 0.5).any())


def _scale(others: Sequence[float]) -> float:
    if not others:
        return 1.0
    scale = float(np.median(others))
    return scale if len(others) >= _ENOUGH else max(scale, LEAST_SCALE)
