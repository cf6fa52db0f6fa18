"""Other ways to name a row of detections, and what speaks for each of them.

Where positional logic errs, it mostly errs by one level for a whole stretch: the detector took a
vertebra with short ribs for the other side of the thoracolumbar border. The candidates are the
labelling itself, all of it moved by one, and only what lies above or below T12 moved.
"""

from __future__ import annotations

import numpy as np

from ..levels import level_named
from .keypoint_emission import region_logits
from .level_statistics import (
    L1,
    N_LEVELS,
    NEIGHBOURS,
    T11,
    T12,
    T13,
    LevelStatistics,
    sagittal_angle_rad,
)

_PLACES = np.array([order for order in range(N_LEVELS) if order != T13])
"""Levels a candidate may use, head to foot: public keypoints know no T13."""

_PLACE_OF = {int(order): place for place, order in enumerate(_PLACES)}
_PLACE_T12 = _PLACE_OF[T12]

_SEEN_LEVELS = tuple(
    level_named(n).order for n in ("C6", "C7", "T1", "T2", "T10", "T11", "T12", "L1", "L2", "L3")
)
_SEEN_PAIRS = tuple(
    i for i, (a, b) in enumerate(NEIGHBOURS) if a >= level_named("T7").order and T13 not in (a, b)
)
_SEEN_ENDS = tuple(
    level_named(n).order
    for n in ("T1", "T7", "T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "L6")
)
_LOWEST_LOG = -9.0


def candidate_labellings(levels: np.ndarray) -> np.ndarray:
    """Return candidates for a labelling (n,), -1 where spurious; shape (c, n), itself first."""
    named = levels >= 0
    place = np.array([_PLACE_OF.get(int(v), _PLACE_T12 + 1) for v in levels])
    below, above = (place >= _PLACE_T12).astype(int), (place <= _PLACE_T12).astype(int)
    lumbar, thoracic = (place > _PLACE_T12).astype(int), (place < _PLACE_T12).astype(int)
    used = set(place[named].tolist())
    moves = [0 * place, 0 * place + 1, 0 * place - 1]
    if _PLACE_T12 in used:
        # T12 absent: what follows T11 is L1.
        moves += [below, -above]
    elif used and min(used) < _PLACE_T12 < max(used):
        moves += [-lumbar, thoracic]
    result = []
    for move in moves:
        moved = place + move
        if named.any() and (moved[named].min() < 0 or moved[named].max() >= len(_PLACES)):
            continue
        labels = np.where(named, _PLACES[np.clip(moved, 0, len(_PLACES) - 1)], -1)
        if not any((labels == other).all() for other in result):
            result.append(labels)
    return np.array(result)


def candidate_features(
    labels: np.ndarray,
    lps_mm: np.ndarray,
    region_probabilities: np.ndarray,
    level_probabilities: np.ndarray,
    statistics: LevelStatistics,
) -> np.ndarray:
    """Describe one candidate by what its levels would look like.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        `Level.order`, -1 where spurious; detections head to foot.
    lps_mm : ndarray, shape (n, 3)
    region_probabilities : ndarray, shape (n, 3)
    level_probabilities : ndarray, shape (n, 27)
        By positional logic.
    statistics : LevelStatistics

    Returns
    -------
    ndarray of float32, shape (f,)
    """
    named = np.nonzero(labels >= 0)[0]
    levels = labels[named]
    row = dict(zip(levels.tolist(), named.tolist(), strict=True))
    logits = region_logits(region_probabilities) / 4
    seen = []
    for level in _SEEN_LEVELS:
        i = row.get(level)
        seen += [0.0] * 5 if i is None else [*logits[i], region_probabilities[i].sum() - 1, 1.0]
    log_p = np.log(np.maximum(level_probabilities[named, levels], np.exp(_LOWEST_LOG)))
    pairs, residual, turn = _pairs(levels, lps_mm[named], statistics)
    scale = float(np.median(residual)) if len(residual) else 0.0
    of_pair = dict(zip(pairs.tolist(), range(len(pairs)), strict=True))
    measured = []
    for pair in _SEEN_PAIRS:
        k = of_pair.get(pair)
        measured += [0.0] * 3 if k is None else [(residual[k] - scale) * 8, turn[k] * 3, 1.0]
    first = levels[0] if len(levels) else -1
    last = levels[-1] if len(levels) else -1
    ends = [float(end == level) for end in (first, last) for level in _SEEN_ENDS]
    whole = [
        float(log_p.mean()) if len(log_p) else 0.0,
        float(log_p.min()) / 4 if len(log_p) else 0.0,
        scale * 8,
        float(np.abs(residual - scale).mean() * 10) if len(residual) else 0.0,
        float(np.abs(turn).mean() * 3) if len(turn) else 0.0,
        len(named) / 10,
        float(T11 in row and L1 in row and T12 not in row),
    ]
    return np.array(seen + measured + ends + whole, np.float32)


def _pairs(levels: np.ndarray, lps_mm: np.ndarray, statistics: LevelStatistics):
    """Neighbours on a candidate: index in `NEIGHBOURS`, log distance and angle less the mean."""
    index = {pair: i for i, pair in enumerate(NEIGHBOURS)}
    places = [
        (k, index[int(a), int(b)])
        for k, (a, b) in enumerate(zip(levels[:-1], levels[1:], strict=True))
        if (int(a), int(b)) in index
    ]
    if not places:
        return np.zeros(0, int), np.zeros(0), np.zeros(0)
    at, pairs = (np.array(column) for column in zip(*places, strict=True))
    steps = np.diff(lps_mm, axis=0)[at]
    length = np.log(np.maximum(np.linalg.norm(steps, axis=1), 1.0))
    residual = length - np.asarray(statistics.log_distance_mean)[pairs]
    turn = sagittal_angle_rad(steps) - np.asarray(statistics.angle_mean_rad)[pairs]
    return pairs, residual, np.clip((turn + np.pi) % (2 * np.pi) - np.pi, -1, 1)
