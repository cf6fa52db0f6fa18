"""The posterior height that a body would have, read from the rest of its spine."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, sqrt

import numpy as np

from ..levels import level_named
from .measured_body import MeasuredBody
from .norms import level_norm

NEIGHBOURS, LEVEL_NORM = "neighbours", "level norm"
"""Sources of a `HeightReference`."""

_PERSON_SD = 0.13
"""Spread of a level's posterior height between persons of all sizes, as a fraction. A choice, wide
enough for small women and tall men."""

# Choices: how many levels away a neighbour still tells a person's scale, and how far from level to
# level that scale may drift against the norms.
_SCALE_WIDTH_LEVELS = 5.0
_MAX_SLOPE_PER_LEVEL = 0.012


def posterior_references(bodies: Sequence[MeasuredBody]) -> tuple[tuple[float, float, str], ...]:
    """Posterior height expected of each body, its standard deviation (both mm), and its source.

    The logarithm of a body's scale (measured over the norm's posterior height) follows a straight
    line along the spine, fitted close to the body; fractured bodies lie below it and are weighed
    down step by step, so that several in one spine, even neighbours, do not hide one another. The
    body itself is left out. Without another body nearby the norm of an average adult is told, which
    grades nothing: a small person's intact body is as low as a crushed one.
    """
    norms = [level_norm(b.level) for b in bodies]
    order = np.array([level_named(b.level).order for b in bodies], float)
    heights = np.array([b.heights_mm.posterior for b in bodies], float)
    scale = np.log(heights / [n.posterior_height_mm for n in norms]) if norms else heights
    # A body that is wedged or hollow is likely to have lost posterior height as well.
    trust = np.array([_intactness(b) for b in bodies])
    results = []
    for i, norm in enumerate(norms):
        near = np.exp(-0.5 * ((order - order[i]) / _SCALE_WIDTH_LEVELS) ** 2) * trust
        near[i] = 0.0
        if near.sum() < 0.5:
            height = norm.posterior_height_mm
            results.append((height, _PERSON_SD * height, LEVEL_NORM))
            continue
        expected, sd = _scale_at(order - order[i], scale, near)
        spread = hypot(norm.crush_sd, sd)
        height = norm.posterior_height_mm * float(np.exp(expected))
        results.append((height, spread * height, NEIGHBOURS))
    return tuple(results)


def _intactness(body: MeasuredBody) -> float:
    norm, h = level_norm(body.level), body.heights_mm
    loss = max(
        1 - h.anterior / h.posterior / norm.wedge_ratio,
        1 - h.middle / h.posterior / norm.biconcave_ratio,
    )
    return float(np.clip(1 - (loss - 0.10) / 0.15, 0.1, 1.0))


def _scale_at(distance: np.ndarray, scale: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Robust local line through log scales; its value and standard error at distance 0."""
    robust = np.ones(len(scale))
    level, slope = float(np.median(scale[weights > 0.2 * weights.max()])), 0.0
    for _ in range(12):
        residual = scale - level - slope * distance
        # Fractures only take height away, so what lies low is distrusted sooner.
        cut = np.where(residual < 0, 0.08, 0.16)
        robust = 1 / (1 + (residual / cut) ** 4)
        w = weights * robust
        mean_d = (w * distance).sum() / w.sum()
        mean_s = (w * scale).sum() / w.sum()
        # A weak prior holds the slope at zero where few bodies are seen.
        spread = (w * (distance - mean_d) ** 2).sum() + 12.0
        slope = (w * (distance - mean_d) * (scale - mean_s)).sum() / spread
        slope = float(np.clip(slope, -_MAX_SLOPE_PER_LEVEL, _MAX_SLOPE_PER_LEVEL))
        level = float(mean_s - slope * mean_d)
    effective = w.sum() ** 2 / (w**2).sum()
    return level, 0.06 / sqrt(max(effective, 1.0)) + 0.004 * abs(float(mean_d))
