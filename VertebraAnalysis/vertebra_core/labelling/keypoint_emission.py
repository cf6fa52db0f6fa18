"""What a detector's region probabilities say about levels: a normal distribution per level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .keypoint_scans import KeypointScan
from .level_statistics import L1, N_STATES, SACRUM, T12, T13, sacral_detection

_NEAR_MM = 15.0
_PRIOR_COUNT = 20
"""Scans' worth of the pooled covariance that every level's own is mixed with."""


def region_logits(probabilities: np.ndarray) -> np.ndarray:
    """Logits of the detector's probabilities (n, 3), kept within about +-5.5."""
    clipped = np.clip(probabilities, 0.004, 0.996)
    return np.log(clipped / (1 - clipped))


@dataclass(frozen=True)
class KeypointEmission:
    """Distribution of the three region logits for every level.

    Attributes
    ----------
    mean : ndarray, shape (27, 3)
    precision : ndarray, shape (27, 3, 3)
        The 26 levels and the sacrum.
    """

    mean: np.ndarray
    precision: np.ndarray

    def log_likelihoods(self, region_probabilities: np.ndarray) -> np.ndarray:
        """Log-likelihoods (n, 27), up to a constant, of probabilities (n, 3) for C, T and L."""
        difference = region_logits(region_probabilities)[:, None] - self.mean
        distance = np.einsum("nli,lij,nlj->nl", difference, self.precision, difference)
        return 0.5 * np.linalg.slogdet(self.precision)[1] - 0.5 * distance


def fit_keypoint_emission(scans: Sequence[KeypointScan]) -> KeypointEmission:
    """Fit the distributions to detections near the true bodies of `scans`.

    Raises
    ------
    ValueError
        If no detection lies near a true body.
    """
    logits, orders = [np.zeros((0, 3))], [np.zeros(0, int)]
    for scan in scans:
        match = scan.matches(_NEAR_MM)
        logits.append(region_logits(scan.region_probabilities)[match >= 0])
        orders.append(scan.true_orders[match[match >= 0]])
        sacral = sacral_detection(scan)
        if sacral is not None:
            logits.append(region_logits(scan.region_probabilities[sacral : sacral + 1]))
            orders.append(np.array([SACRUM]))
    values, levels = np.concatenate(logits), np.concatenate(orders)
    if len(values) < 4:
        raise ValueError("too few detections near true bodies")
    known = [level for level in range(N_STATES) if (levels == level).any()]
    # The detector is unsure beyond what few scans show: one nat of logit is always possible.
    mean = np.zeros((N_STATES, 3))
    covariance = np.zeros((N_STATES, 3, 3))
    for level in known:
        own = values[levels == level]
        mean[level] = own.mean(0)
        centered = own - mean[level]
        scatter = centered.T @ centered + _PRIOR_COUNT * np.eye(3)
        covariance[level] = scatter / (len(own) + _PRIOR_COUNT) + np.eye(3)
    for level in set(range(N_STATES)) - set(known):
        nearest = min(known, key=lambda other, level=level: abs(other - level))
        mean[level], covariance[level] = mean[nearest], covariance[nearest]
    if T13 not in known:
        # It bears ribs like T12 and sits where L1 is expected.
        mean[T13] = (mean[T12] + mean[L1]) / 2
        covariance[T13] = covariance[T12] + covariance[L1]
    return KeypointEmission(mean, np.linalg.inv(covariance))
