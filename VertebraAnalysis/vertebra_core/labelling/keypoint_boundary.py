"""Which level the first body is that looks lumbar, judged once more with the row's lower end.

Nearly all mistakes of a keypoint field are rows named one level off. What decides them are a few
signs that work together: how surely the detector parts the last thoracic from the first lumbar
body, how many bodies follow, and whether the lowest of them looks like L5 or like the sacrum. A
field sees few scans in which they disagree, and explains those it was trained on by other means;
hence a small model is fitted to what fields say about scans that they were not trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from .keypoint_emission import region_logits
from .keypoint_rows import KeypointRows
from .level_statistics import L1, T12, sagittal_angle_rad

BOUNDARY_LEVELS = (T12, L1, L1 + 1)
"""Levels that the first body that looks lumbar is taken for: T12 without ribs, L1, L2."""

_USUAL = BOUNDARY_LEVELS.index(L1)
_LOWEST_PROBABILITY = 1e-5
_RIDGE = 1.0
"""Squared weights cost this much, in nats, per unit; features are scaled to about one."""


def first_lumbar(rows: KeypointRows) -> np.ndarray:
    """Place where detections turn from thoracic to lumbar, by the detector's region logits.

    Returns
    -------
    ndarray of int, shape (s,)
        Detection that looks lumbar first; -1 where none does or none lies above it.
    """
    logits = region_logits(rows.regions)
    thoracic = ((logits[..., 1] - logits[..., 2]) * rows.present).cumsum(1)
    thoracic = np.pad(thoracic, ((0, 0), (1, 0)))
    parted = np.where(
        np.arange(thoracic.shape[1]) <= rows.lengths[:, None],
        2 * thoracic - thoracic[:, -1:],
        -np.inf,
    )
    place = parted.argmax(1)
    return np.where((place > 0) & (place < rows.lengths), place, -1)


def boundary_features(rows: KeypointRows, first: np.ndarray) -> np.ndarray:
    """Describe the boundary and the lower end of rows, apart for each length of the lumbar part.

    Parameters
    ----------
    rows : KeypointRows
    first : ndarray of int, shape (s,)
        From `first_lumbar`, all at least 1.

    Returns
    -------
    ndarray, shape (s, f)
    """
    scan, last = np.arange(len(first)), rows.lengths - 1
    logits = region_logits(rows.regions)
    above_lumbar = logits[scan, first - 1, 2] / 3
    below_thoracic = logits[scan, first, 1] / 3
    lowest_lumbar = np.clip(logits[scan, last, 2] - 2, -4, 3) / 2
    lowest_step = rows.lps_mm[scan, last] - rows.lps_mm[scan, last - 1]
    signs = [
        np.ones(len(first)),
        above_lumbar,
        below_thoracic,
        above_lumbar * below_thoracic,
        lowest_lumbar,
        2 * sagittal_angle_rad(lowest_step),
    ]
    # Five bodies are L1-L5, with a sixth either T12 or the sacrum is among them; fewer do not
    # reach the sacrum.
    count = rows.lengths - first
    lengths = np.stack([count <= 4, count == 5, count == 6, count >= 7], axis=1)
    return (lengths[:, :, None] * np.stack(signs, axis=1)[:, None]).reshape(len(first), -1)


@dataclass(frozen=True)
class BoundaryModel:
    """Logistic model of the level of the first body that looks lumbar.

    Attributes
    ----------
    trust : float
        Weight of the log-probabilities that the fields give.
    weights : ndarray, shape (f, 3)
        Of the features, for each of `BOUNDARY_LEVELS`; none for the usual one.
    """

    trust: float
    weights: np.ndarray

    def log_probabilities(self, probabilities: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Judge the fields' `probabilities` (s, 3) anew, with `features` (s, f); shape (s, 3)."""
        score = self.trust * _log(probabilities) + features @ self.weights
        return score - np.logaddexp.reduce(score, axis=1, keepdims=True)


def fit_boundary_model(
    probabilities: np.ndarray, features: np.ndarray, level: np.ndarray
) -> BoundaryModel:
    """Fit to scans that the fields were not trained on; without any, fields are believed.

    Parameters
    ----------
    probabilities : ndarray, shape (s, 3)
        Of `BOUNDARY_LEVELS` by the fields.
    features : ndarray, shape (s, f)
    level : ndarray of int, shape (s,)
        Index of the true level in `BOUNDARY_LEVELS`.
    """
    unusual = [k for k in range(len(BOUNDARY_LEVELS)) if k != _USUAL]
    log, true = _log(probabilities), np.eye(len(BOUNDARY_LEVELS))[level]

    def model(values: np.ndarray) -> BoundaryModel:
        weights = np.zeros((features.shape[1], len(BOUNDARY_LEVELS)))
        weights[:, unusual] = values[1:].reshape(features.shape[1], len(unusual))
        return BoundaryModel(float(values[0]), weights)

    start = np.eye(1, 1 + features.shape[1] * len(unusual))[0]

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        judged = model(values).log_probabilities(probabilities, features)
        error = np.exp(judged) - true
        slope = np.append((error * log).sum(), features.T @ error[:, unusual])
        away = values - start
        total = -(judged * true).sum() + _RIDGE * (away**2).sum()
        return total, slope + 2 * _RIDGE * away

    return model(minimize(loss, start, jac=True, method="L-BFGS-B").x)


def _log(probabilities: np.ndarray) -> np.ndarray:
    log = np.log(probabilities + _LOWEST_PROBABILITY)
    return log - log[:, _USUAL : _USUAL + 1]
