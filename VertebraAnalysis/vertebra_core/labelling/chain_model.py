"""Log scores of a chain of detections: which levels may follow, how far, in what direction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .level_statistics import (
    L5,
    L6,
    N_LEVELS,
    N_STATES,
    NEIGHBOURS,
    SACRUM,
    T13,
    UNUSUAL,
    LevelStatistics,
    sagittal_angle_rad,
)
from .patient_scales import adult_scales, small_scales

_REFERENCE_SD = 0.08
_LOWEST_GEOMETRY = -14.0
"""Log score that no pair falls below: one fractured or misplaced body must not decide alone."""

_LEAST_ROOM = np.log(0.75)
"""A vertebra can have been missed only where there is room for it: two bodies lie no closer than
this share of what their levels want, fractures allowed for."""


@dataclass(frozen=True)
class PositionalOptions:
    """Weights of the evidence; the defaults were tuned on the VID keypoints.

    Attributes
    ----------
    emission_weight : float
        Of the level log-probabilities that are handed in.
    emission_floor : float
        A level is held at most this much (nats) less likely than a detection's best one.
    distance_weight, angle_weight, end_weight : float
        Of distances, sagittal directions, and of where scans begin and end.
    spurious_cost, missed_cost : float
        Nats against a detection being no vertebra, and against a vertebra having been missed.
    max_missed, max_spurious : int
        Vertebrae missed, and spurious detections, in a row.
    position_noise_mm : float
        Standard deviation of a detected centre along the spine.
    scale_steps : int
        Patient scales tried; see `patient_scales`.
    unusual_weight : float
        Of the rarity of absent T12, T13 and L6.
    """

    emission_weight: float = 1.0
    emission_floor: float = 12.0
    distance_weight: float = 0.7
    angle_weight: float = 0.5
    end_weight: float = 0.5
    spurious_cost: float = 7.0
    missed_cost: float = 4.0
    max_missed: int = 3
    max_spurious: int = 4
    position_noise_mm: float = 1.2
    scale_steps: int = 9
    unusual_weight: float = 1.0


@dataclass(frozen=True)
class Steps:
    """All ways from a level to one below it with at most a few missed vertebrae between.

    Attributes
    ----------
    upper, lower, missed : ndarray of int, shape (k,)
        `Level.order` of both ends, vertebrae missed between.
    distance_mm, distance_sd_mm : ndarray, shape (k,)
        For a patient of scale 1.
    angle_rad, angle_sd_rad : ndarray, shape (k,)
    log_prior : ndarray, shape (k,)
        Of the unusual pairs passed.
    paths : tuple of tuple of int
        Levels of the missed vertebrae.
    """

    upper: np.ndarray
    lower: np.ndarray
    missed: np.ndarray
    distance_mm: np.ndarray
    distance_sd_mm: np.ndarray
    angle_rad: np.ndarray
    angle_sd_rad: np.ndarray
    log_prior: np.ndarray
    paths: tuple[tuple[int, ...], ...]


@lru_cache(maxsize=8)
def steps_of(statistics: LevelStatistics, max_missed: int) -> Steps:
    """List the steps that `statistics` allow, see `Steps`."""
    single = [
        (a, b, (), np.exp(m), np.exp(m) * s, angle, angle_sd, _log_prior(a, b, statistics))
        for (a, b), m, s, angle, angle_sd in zip(
            NEIGHBOURS,
            statistics.log_distance_mean,
            statistics.log_distance_sd,
            statistics.angle_mean_rad,
            statistics.angle_sd_rad,
            strict=True,
        )
    ]
    found, longest = list(single), list(single)
    for _ in range(max_missed):
        longest = [
            (
                a,
                d,
                (*path, b),
                mean + mean_2,
                np.hypot(sd, sd_2),
                (angle * mean + angle_2 * mean_2) / (mean + mean_2),
                max(angle_sd, angle_sd_2),
                prior + prior_2,
            )
            for a, b, path, mean, sd, angle, angle_sd, prior in longest
            for c, d, _, mean_2, sd_2, angle_2, angle_sd_2, prior_2 in single
            if b == c
        ]
        found += longest
    columns = list(zip(*found, strict=True))
    numbers = [np.array(column) for i, column in enumerate(columns) if i != 2]
    missed = np.array([len(path) for path in columns[2]])
    return Steps(*numbers[:2], missed, *numbers[2:], paths=tuple(columns[2]))


def _log_prior(upper: int, lower: int, statistics: LevelStatistics) -> float:
    rates = dict(zip(UNUSUAL, statistics.unusual_rates, strict=True))
    if (upper, lower) in rates:
        return float(np.log(rates[upper, lower]))
    if lower == SACRUM:
        return float(np.log(statistics.sacrum_rate))
    return float(np.log1p(-sum(rate for (a, _), rate in rates.items() if a == upper)))


@dataclass(frozen=True)
class ChainModel:
    """Log scores of one scan; detections head to foot.

    Attributes
    ----------
    node : ndarray, shape (n, 27)
        The 26 levels and the sacrum.
    spurious : ndarray, shape (n,)
    start, end : ndarray, shape (27,)
    scales : ndarray, shape (s,)
        Logarithms of the patient scales tried.
    scale_log_prior : ndarray, shape (s,)
    step_scores : ndarray, shape (s, n, gap, k)
        Of step k of `steps` from detection ``j - 1 - gap`` to ``j``; -inf where there is none.
    steps : Steps
    """

    node: np.ndarray
    spurious: np.ndarray
    start: np.ndarray
    end: np.ndarray
    scales: np.ndarray
    scale_log_prior: np.ndarray
    step_scores: np.ndarray
    steps: Steps

    def transition(self, j: int, gap: int, summed: bool) -> np.ndarray:
        """Log scores from the levels of detection ``j - 1 - gap`` to those of `j`, (s, 27, 27).

        Ways that differ in what was missed are added up, or else the best one is taken.
        """
        result = np.full((len(self.scales), N_STATES, N_STATES), -np.inf)
        scores, steps = self.step_scores[:, j, gap], self.steps
        join = np.logaddexp if summed else np.maximum
        for missed in range(int(steps.missed.max()) + 1):
            of = steps.missed == missed
            at = (slice(None), steps.upper[of], steps.lower[of])
            result[at] = join(result[at], scores[:, of])
        return result


def build_chain(
    lps_mm: np.ndarray,
    level_log_probabilities: np.ndarray,
    spurious_log_odds: np.ndarray,
    statistics: LevelStatistics,
    options: PositionalOptions,
    small: bool = False,
) -> ChainModel:
    """Score a scan.

    Parameters
    ----------
    lps_mm : ndarray, shape (n, 3)
        Detected centres head to foot, LPS mm.
    level_log_probabilities : ndarray, shape (n, 26 or 27)
        Up to a constant per row; without column 26 no detection is taken for the sacrum.
    spurious_log_odds : ndarray, shape (n,)
        Evidence against each detection, beside the constant cost.
    statistics : LevelStatistics
    options : PositionalOptions
    small : bool
        Of a spine as small as children's, instead of one of an adult's size.
    """
    steps = steps_of(statistics, options.max_missed)
    node = options.emission_weight * np.asarray(level_log_probabilities, float)
    node = np.maximum(node - node.max(1, keepdims=True), -options.emission_floor)
    # Without evidence all 26 levels together weigh as much as one sure level.
    node -= np.log(np.exp(node).sum(1, keepdims=True))
    node = np.pad(node, ((0, 0), (0, N_STATES - node.shape[1])), constant_values=-np.inf)
    sd = statistics.scale_sd
    sizes = small_scales(sd) if small else adult_scales(sd, options.scale_steps)
    return ChainModel(
        node,
        np.asarray(spurious_log_odds, float) - options.spurious_cost,
        _start_scores(statistics, options),
        _relative_to_even(statistics.last_log_prior, options),
        sizes.log_scales,
        sizes.log_prior,
        _step_scores(np.asarray(lps_mm, float), sizes.log_scales, steps, options),
        steps,
    )


def _start_scores(statistics: LevelStatistics, options: PositionalOptions) -> np.ndarray:
    """Log scores of the first vertebra in view; an unusual one is as rare there as elsewhere."""
    scores = _relative_to_even(statistics.first_log_prior, options)
    for (_, lower), rate in zip(UNUSUAL, statistics.unusual_rates, strict=True):
        if lower in (T13, L6):
            scores[lower] += options.unusual_weight * np.log(rate)
    scores[SACRUM] = -np.inf
    return scores


def _relative_to_even(log_prior: tuple[float, ...], options: PositionalOptions) -> np.ndarray:
    # Against an even prior, or a vertebra would look less likely than a spurious detection.
    scores = options.end_weight * (np.asarray(log_prior, float) + np.log(N_LEVELS))
    return np.append(scores, scores[L5])


def _step_scores(
    lps_mm: np.ndarray, scales: np.ndarray, steps: Steps, options: PositionalOptions
) -> np.ndarray:
    n, gaps = len(lps_mm), options.max_spurious + 1
    j, gap = np.meshgrid(np.arange(n), np.arange(gaps), indexing="ij")
    i = j - 1 - gap
    step = lps_mm[j] - lps_mm[np.maximum(i, 0)]
    distance = np.maximum(np.linalg.norm(step, axis=2), 1.0)[..., None]
    noise = np.sqrt(2) * options.position_noise_mm
    relative_sd = np.hypot(steps.distance_sd_mm, noise) / steps.distance_mm
    deviation = np.log(distance) - np.log(steps.distance_mm)
    relative = deviation[None] - scales[:, None, None, None]
    deviation = relative / relative_sd
    geometry = options.distance_weight * (-0.5 * deviation**2 - np.log(relative_sd / _REFERENCE_SD))
    angle_sd = np.hypot(steps.angle_sd_rad, noise / steps.distance_mm)
    turned = sagittal_angle_rad(step)[..., None] - steps.angle_rad
    turned = (turned + np.pi) % (2 * np.pi) - np.pi
    geometry = geometry + options.angle_weight * (-0.5 * (turned / angle_sd) ** 2)
    prior = options.unusual_weight * steps.log_prior - options.missed_cost * steps.missed
    scores = np.maximum(geometry, _LOWEST_GEOMETRY) + prior
    has_room = (steps.missed == 0) | (relative >= _LEAST_ROOM)
    return np.where((i >= 0)[None, :, :, None] & has_room, scores, -np.inf)
