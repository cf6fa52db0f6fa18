"""Levels of a whole spine: the most probable head-to-foot labelling of all detections at once.

Each detection alone is named with some doubt. Along a spine levels follow each other, neighbours
lie as far apart as their levels and the patient's size want, in a direction that belongs to their
place in the curve. Detections may be spurious and vertebrae may have been missed, T12 may be
absent, T13 or L6 may be there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..levels import MOBILE_LEVELS, Level, level_named
from .assignment import LEAST_RUNNER_UP, Anchor, LabelledDetection, LevelAssignment, MissedVertebra
from .chain_inference import BestPath, best_path, level_posteriors
from .chain_model import ChainModel, PositionalOptions, build_chain
from .level_statistics import N_LEVELS, N_STATES, UNUSUAL, LevelStatistics, load_level_statistics

__all__ = [
    "Anchor",
    "LabelledDetection",
    "LevelAssignment",
    "MissedVertebra",
    "PositionalOptions",
    "assign_levels",
]


def assign_levels(
    positions_lps_mm: np.ndarray,
    level_log_probabilities: np.ndarray | None,
    statistics: LevelStatistics | None = None,
    options: PositionalOptions | None = None,
    anchors: Sequence[Anchor] = (),
    spurious_log_odds: np.ndarray | None = None,
    temperature: float = 1.0,
) -> LevelAssignment:
    """Name all detections of a scan.

    Parameters
    ----------
    positions_lps_mm : ndarray, shape (n, 3)
        Centres of vertebral bodies in any order, LPS mm (x, y, z).
    level_log_probabilities : ndarray, shape (n, 26 or 27), or None
        For each detection the logarithms of its level probabilities, up to a constant per row;
        column is `Level.order`. None: only positions speak. With a column 26 for the first
        sacral body a detection may be that too, and then has no level.
    statistics : LevelStatistics, optional
        The bundled ones by default.
    options : PositionalOptions, optional
    anchors : sequence of Anchor
    spurious_log_odds : ndarray, shape (n,), optional
        Evidence that a detection is no vertebra (nats, positive: spurious).
    temperature : float
        Above 1 makes the probabilities less sure; levels do not change.

    Returns
    -------
    LevelAssignment

    Raises
    ------
    ValueError
        If shapes do not fit, a value is NaN, or an anchor names no detection.
    """
    positions = np.asarray(positions_lps_mm, float).reshape(-1, 3)
    n = len(positions)
    evidence = _evidence(n, level_log_probabilities, anchors)
    against = np.zeros(n) if spurious_log_odds is None else np.asarray(spurious_log_odds, float)
    if against.shape != (n,):
        raise ValueError(f"spurious_log_odds has shape {against.shape}, not ({n},)")
    if not np.isfinite(positions).all() or np.isnan(against).any():
        raise ValueError("positions and odds must be numbers")
    statistics = statistics or load_level_statistics()
    options = options or PositionalOptions()
    order = np.argsort(-positions[:, 2], kind="stable")
    scan = positions[order], evidence[order], against[order], statistics, options
    model, path = _likelier_size(build_chain(*scan), build_chain(*scan, small=True))
    posterior = level_posteriors(model, temperature)
    other = _alternative(model, path, posterior)
    back = np.argsort(order, kind="stable")
    return LevelAssignment(
        tuple(_labelled(int(path.levels[i]), posterior[i]) for i in back),
        _missed(model, path, positions[order], order),
        _unusual(model, path),
        path.scale,
        tuple(_level(int(other.levels[i])) for i in back) if other else (),
    )


def _evidence(n: int, log_probabilities: np.ndarray | None, anchors: Sequence[Anchor]):
    if log_probabilities is None:
        evidence = np.zeros((n, N_LEVELS))
    else:
        evidence = np.array(log_probabilities, float)
        if evidence.shape not in ((n, N_LEVELS), (n, N_STATES)):
            raise ValueError(
                f"level_log_probabilities has shape {evidence.shape}, not ({n}, {N_LEVELS})"
            )
        if np.isnan(evidence).any():
            raise ValueError("level_log_probabilities must be numbers")
        # A row of minus infinities says nothing.
        evidence = np.maximum(evidence, -1e3)
    for anchor in anchors:
        if not 0 <= anchor.detection < n:
            raise ValueError(f"an anchor names detection {anchor.detection} of {n}")
        evidence[anchor.detection, [level_named(name).order for name in anchor.levels]] += (
            anchor.log_odds
        )
    return evidence


def _level(order: int) -> Level | None:
    return MOBILE_LEVELS[order] if 0 <= order < N_LEVELS else None


def _labelled(order: int, posterior: np.ndarray) -> LabelledDetection:
    level, no_vertebra = _level(order), float(posterior[N_LEVELS:].sum())
    # Being no vertebra is no level: it would hide the one that this detection is mistaken for.
    others = posterior[:N_LEVELS].copy()
    if level is not None:
        others[order] = 0.0
    second = _largest(others, order)
    return LabelledDetection(
        level,
        no_vertebra if level is None else float(posterior[order]),
        _level(second) if others[second] >= LEAST_RUNNER_UP else None,
        float(others[second]),
        no_vertebra,
    )


def _largest(probabilities: np.ndarray, order: int) -> int:
    """Return the most probable level; of several alike the one nearest to `order`, if it is any."""
    if not 0 <= order < N_LEVELS:
        return int(probabilities.argmax())
    alike = np.nonzero(np.isclose(probabilities, probabilities.max(), rtol=1e-6, atol=0))[0]
    return int(alike[np.abs(alike - order).argmin()])


def _likelier_size(adult: ChainModel, small: ChainModel) -> tuple[ChainModel, BestPath]:
    """Return the model whose best labelling is the better one, and that labelling."""
    paths = best_path(adult), best_path(small)
    return (small, paths[1]) if paths[1].log_score > paths[0].log_score else (adult, paths[0])


def _alternative(model: ChainModel, path: BestPath, posterior: np.ndarray) -> BestPath | None:
    """Return the best labelling in which the least sure detection bears another level."""
    named = np.nonzero((path.levels >= 0) & (path.levels < N_LEVELS))[0]
    if not len(named):
        return None
    doubtful = named[posterior[named, path.levels[named]].argmin()]
    allowed = np.ones_like(model.node, bool)
    allowed[doubtful, path.levels[doubtful]] = False
    return best_path(model, allowed)


def _missed(
    model: ChainModel, path: BestPath, positions: np.ndarray, order: np.ndarray
) -> tuple[MissedVertebra, ...]:
    named = np.nonzero(path.levels >= 0)[0]
    single = {
        (int(a), int(b)): d
        for a, b, d, missed in zip(
            model.steps.upper,
            model.steps.lower,
            model.steps.distance_mm,
            model.steps.missed,
            strict=True,
        )
        if missed == 0
    }
    found = []
    for step, i, j in zip(path.steps, named[:-1], named[1:], strict=True):
        between = model.steps.paths[step]
        chain = (int(path.levels[i]), *between, int(path.levels[j]))
        along = np.cumsum([single[pair] for pair in zip(chain[:-1], chain[1:], strict=True)])
        for level, part in zip(between, along[:-1] / along[-1], strict=True):
            place = (1 - part) * positions[i] + part * positions[j]
            found.append(
                MissedVertebra(
                    MOBILE_LEVELS[level],
                    tuple(float(v) for v in place),
                    int(order[i]),
                    int(order[j]),
                )
            )
    return tuple(found)


def _unusual(model: ChainModel, path: BestPath) -> tuple[str, ...]:
    chain = [int(level) for level in path.levels if level >= 0][:1]
    for step in path.steps:
        chain += [*model.steps.paths[step], int(model.steps.lower[step])]
    pairs = set(zip(chain[:-1], chain[1:], strict=True))
    found = [name for pair, name in UNUSUAL.items() if pair in pairs]
    # The first vertebra in view can be T13 or L6 without the pair that makes it so.
    first = MOBILE_LEVELS[chain[0]].name if chain else ""
    return (*found, first) if first in ("T13", "L6") else tuple(found)
