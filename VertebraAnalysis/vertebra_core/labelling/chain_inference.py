"""The best labelling of a chain of detections (Viterbi) and how sure it is (forward-backward)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chain_model import ChainModel
from .level_statistics import N_STATES


@dataclass(frozen=True)
class BestPath:
    """The most probable labelling.

    Attributes
    ----------
    levels : ndarray of int, shape (n,)
        `Level.order`, -1 for a spurious detection, `SACRUM` for the first sacral body.
    steps : tuple of int
        Index into the model's steps for each pair of neighbours on the path.
    scale : float
        Patient scale (1 is average).
    log_score : float
    """

    levels: np.ndarray
    steps: tuple[int, ...]
    scale: float
    log_score: float


def best_path(model: ChainModel, allowed: np.ndarray | None = None) -> BestPath:
    """Find the labelling of highest score, over all patient scales.

    Parameters
    ----------
    model : ChainModel
    allowed : ndarray of bool, shape (n, 27), optional
        States each detection may take; all by default.
    """
    node = model.node if allowed is None else np.where(allowed, model.node, -np.inf)
    n, n_scales, gaps = len(node), len(model.scales), model.step_scores.shape[2]
    before = np.r_[0.0, np.cumsum(model.spurious)]
    score = np.empty((n_scales, n, N_STATES))
    came_from = np.full((n_scales, n, N_STATES, 2), -1)
    every_scale, every_level = np.ogrid[:n_scales, :N_STATES]
    for j in range(n):
        best = np.broadcast_to(model.start + before[j], (n_scales, N_STATES)).copy()
        for gap in range(min(gaps, j)):
            i = j - 1 - gap
            reached = score[:, i, :, None] + model.transition(j, gap, summed=False)
            level = reached.argmax(1)
            value = reached[every_scale, level, every_level] + before[j] - before[i + 1]
            better = value > best
            best[better] = value[better]
            came_from[:, j, :, 0][better] = i
            came_from[:, j, :, 1][better] = level[better]
        score[:, j] = best + node[j]
    after = before[n] - before[1:]
    final = score + model.end + after[:, None] + model.scale_log_prior[:, None, None]
    all_spurious = before[n] + model.scale_log_prior.max()
    if not n or final.max() < all_spurious:
        return BestPath(np.full(n, -1), (), 1.0, float(all_spurious))
    s, j, level = np.unravel_index(final.argmax(), final.shape)
    return _trace_back(model, came_from[s], int(s), int(j), int(level), float(final[s, j, level]))


def _trace_back(
    model: ChainModel, came_from: np.ndarray, s: int, j: int, level: int, log_score: float
) -> BestPath:
    levels = np.full(len(model.node), -1)
    steps: list[int] = []
    while True:
        levels[j] = level
        i, upper = (int(v) for v in came_from[j, level])
        if i < 0:
            break
        of = np.nonzero((model.steps.upper == upper) & (model.steps.lower == level))[0]
        steps.append(int(of[model.step_scores[s, j, j - 1 - i, of].argmax()]))
        j, level = i, upper
    return BestPath(levels, tuple(steps[::-1]), float(np.exp(model.scales[s])), log_score)


def level_posteriors(model: ChainModel, temperature: float = 1.0) -> np.ndarray:
    """Probability of each level for each detection, over all labellings and scales.

    Parameters
    ----------
    model : ChainModel
    temperature : float
        Scores are divided by it: above 1 makes the probabilities less sure.

    Returns
    -------
    ndarray, shape (n, 28)
        Column 26: the sacrum; column 27: spurious. Rows sum to one.
    """
    n, n_scales, gaps = len(model.node), len(model.scales), model.step_scores.shape[2]
    if not n:
        return np.zeros((0, N_STATES + 1))
    cool = 1.0 / temperature
    node, spurious = cool * model.node, cool * model.spurious
    scale_prior = cool * model.scale_log_prior
    before = np.r_[0.0, np.cumsum(spurious)]
    moves = {
        (j, gap): np.exp(cool * model.transition(j, gap, summed=True))
        for j in range(n)
        for gap in range(min(gaps, j))
    }
    forward = np.empty((n_scales, n, N_STATES))
    for j in range(n):
        terms = [np.broadcast_to(cool * model.start + before[j], (n_scales, N_STATES))]
        for gap in range(min(gaps, j)):
            i = j - 1 - gap
            moved = _log_product(forward[:, i], moves[j, gap])
            terms.append(moved + before[j] - before[i + 1])
        forward[:, j] = np.logaddexp.reduce(terms) + node[j]
    backward = np.empty_like(forward)
    for i in range(n - 1, -1, -1):
        ending = cool * model.end + before[n] - before[i + 1]
        terms = [np.broadcast_to(ending, (n_scales, N_STATES))]
        for j in range(i + 1, min(n, i + 1 + gaps)):
            moved = _log_product(backward[:, j] + node[j], moves[j, j - 1 - i].transpose(0, 2, 1))
            terms.append(moved + before[j] - before[i + 1])
        backward[:, i] = np.logaddexp.reduce(terms)
    joint = forward + backward + scale_prior[:, None, None]
    joint = np.logaddexp.reduce(joint, axis=0)
    # Every labelling passes a detection or leaves it out; no detection is left without a share.
    all_spurious = before[n] + np.logaddexp.reduce(scale_prior)
    final = forward + cool * model.end + (before[n] - before[1:])[:, None]
    final = final + scale_prior[:, None, None]
    total = np.logaddexp(np.logaddexp.reduce(final, axis=None), all_spurious)
    levels = np.exp(joint - total)
    return np.c_[levels, np.clip(1 - levels.sum(1), 0, 1)]


def _log_product(log_vector: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Logarithm of vectors times matrices; (s, 27) and (s, 27, 27) to (s, 27)."""
    highest = log_vector.max(1, keepdims=True)
    product = np.matmul(np.exp(log_vector - highest)[:, None], matrix)[:, 0]
    return np.log(np.maximum(product, 1e-300)) + highest
