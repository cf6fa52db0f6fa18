"""Keep the candidates that form a spine: the best chain from head to foot.

A spine is a curve along which neighbouring bodies lie 10-45 mm apart, their distances change
slowly, and the direction turns little from one to the next. Hips, ribs and contrast-filled organs
may look like a body, but do not line up. A few bodies in a row may have been missed.
"""

from __future__ import annotations

import math

import numpy as np

MIN_DISTANCE_MM = 9.0
SINGLE_STEP_MM = 46.0
"""Distances of neighbours: C3-C4 of a small child is about 10 mm; L4-L5 of a tall man about 42."""

MAX_MISSED = 3
"""Vertebrae missed in a row that a link may bridge: as many as positional logic, which names them
and has them looked for again (`PositionalOptions.max_missed`)."""

MISSED_COST, _FURTHER_MISSED_COST = 0.7, 0.3
"""Cost of a link longer than any single step, or a multiple of its predecessor: of the first
vertebra missed there, and of each further one. One costs less than what a sure candidate gains,
which is kept beyond that gap; two or three cost less than two sure candidates gain, so that what
is false and lies apart stays out."""

MIN_DESCENT = 0.4
"""Least cosine between a link and the head-to-foot axis (kyphosis and scoliosis of 65 degrees)."""

_STRETCH_FREE, _STRETCH_COST = 0.15, 2.5
_TURN_FREE_RAD, _TURN_COST = 0.2, 1.5
_ATLAS_STEP_MM, _ATLAS_STRETCH_FREE = 24.0, 0.65
"""The anterior arch of the atlas lies 12-21 mm above the centre of the axis, 0.55-0.9 of the way
from there to C3: a first link as short as that may be shorter than the next by this log ratio."""

_NODE_COST = 0.15
_MAX_CANDIDATES = 80


def find_chain(
    positions_lps_mm: np.ndarray,
    scores: np.ndarray,
    minimum_length: int = 3,
    lone_score: float = 0.8,
) -> list[int]:
    """Choose the candidates that form the most plausible spine.

    Parameters
    ----------
    positions_lps_mm : ndarray, shape (n, 3)
        LPS mm, x, y, z.
    scores : ndarray, shape (n,)
        Confidence of each candidate, 0-1.
    minimum_length : int
        A chain of at least this many is believed whatever its scores.
    lone_score : float
        Candidates of a shorter chain are kept only with at least this score.

    Returns
    -------
    list of int
        Indices of the chosen candidates, head to foot.
    """
    positions = np.asarray(positions_lps_mm, float).reshape(-1, 3)
    scores = np.asarray(scores, float)
    if not len(positions):
        return []
    strongest = np.argsort(-scores, kind="stable")[:_MAX_CANDIDATES]
    order = strongest[np.argsort(-positions[strongest, 2], kind="stable")]
    chain = _best_chain(positions[order], scores[order] - _NODE_COST)
    chosen = [int(order[i]) for i in chain]
    if len(chosen) >= minimum_length:
        return chosen
    return [i for i in chosen if scores[i] >= lone_score]


def _best_chain(points: np.ndarray, gains: np.ndarray) -> list[int]:
    """Indices of the best chain through points sorted head to foot."""
    n = len(points)
    links: dict[tuple[int, int], tuple[float, np.ndarray]] = {}
    before: list[list[int]] = [[] for _ in range(n)]
    for i in range(n):
        vectors = points[i + 1 :] - points[i]
        lengths = np.linalg.norm(vectors, axis=1)
        fits = (lengths > MIN_DISTANCE_MM) & (lengths < (MAX_MISSED + 1) * SINGLE_STEP_MM)
        fits &= -vectors[:, 2] > MIN_DESCENT * lengths
        for j in np.nonzero(fits)[0]:
            links[(i, i + 1 + int(j))] = (float(lengths[j]), vectors[j] / lengths[j])
            before[i + 1 + int(j)].append(i)
    best = {(int(i), int(i)): float(gains[i]) for i in range(n)}
    origin: dict[tuple[int, int], tuple[int, int] | None] = dict.fromkeys(best)
    for j in range(n):
        for i in before[j]:
            length, direction = links[(i, j)]
            missed = _missed_cost(_fewest_missed(length))
            value, source = float(gains[i] + gains[j]) - missed, (i, i)
            for h in before[i]:
                if best[(h, i)] + float(gains[j]) <= value:
                    continue  # whatever the link costs
                length_before, direction_before = links[(h, i)]
                atlas = origin[(h, i)] == (h, h) and _may_be_atlas(length_before, length)
                cost = missed if atlas else _stretch_cost(length, length_before)
                cost += _turn_cost(direction, direction_before)
                through = best[(h, i)] + float(gains[j]) - cost
                if through > value:
                    value, source = through, (h, i)
            best[(i, j)], origin[(i, j)] = value, source
    state: tuple[int, int] | None = max(best, key=lambda s: best[s])
    chain = [state[1]]
    while state is not None:
        if state[0] != state[1]:
            chain.append(state[0])
        state = origin[state]
        if state is not None and state[0] == state[1]:
            break
    return chain[::-1]


def _fewest_missed(length: float) -> int:
    """Vertebrae that a link must have missed, as no single step is as long."""
    return max(0, math.ceil(length / SINGLE_STEP_MM) - 1)


def _missed_cost(missed: int) -> float:
    return MISSED_COST + _FURTHER_MISSED_COST * (missed - 1) if missed else 0.0


def _stretch_cost(length: float, length_before: float) -> float:
    """Cost of a change of distance; where vertebrae were missed, about a multiple is expected."""
    fewest = _fewest_missed(length)
    costs = [
        _missed_cost(max(missed, fewest)) + _change_cost(length / ((missed + 1) * length_before))
        for missed in range(MAX_MISSED + 1)
    ]
    # After skipped ones, the distance falls back; the link before has paid already.
    skipped = MAX_MISSED if length_before > SINGLE_STEP_MM else 1
    if length_before > 2 * MIN_DISTANCE_MM:
        costs += [
            _missed_cost(fewest) + 0.1 + _change_cost((missed + 1) * length / length_before)
            for missed in range(1, skipped + 1)
        ]
    return min(costs)


def _change_cost(ratio: float) -> float:
    return _STRETCH_COST * max(0.0, abs(math.log(ratio)) - _STRETCH_FREE)


def _may_be_atlas(first: float, second: float) -> bool:
    """Tell whether the first two links of a chain may be those from C1 to C2 and on to C3."""
    return first <= _ATLAS_STEP_MM and 0 <= np.log(second / first) <= _ATLAS_STRETCH_FREE


def _turn_cost(direction: np.ndarray, direction_before: np.ndarray) -> float:
    angle = float(np.arccos(np.clip(direction @ direction_before, -1, 1)))
    return _TURN_COST * max(0.0, angle - _TURN_FREE_RAD)
