"""What the keypoint field is told about each detection and about each scan."""

from __future__ import annotations

import numpy as np

from .keypoint_emission import region_logits
from .keypoint_rows import KeypointRows
from .level_statistics import sagittal_angle_rad

REACH = 6
"""Detections above and below whose features a detection is told."""

_DETECTION, _STEP, _PLACE, _SCAN = 5, 5, 8, 20
N_FEATURES = (2 * REACH + 1) * _DETECTION + 2 * REACH * _STEP + _PLACE
N_SCAN_FEATURES = _SCAN


def detection_features(rows: KeypointRows) -> np.ndarray:
    """Describe each detection by itself, its neighbours, and its place in the row.

    Returns
    -------
    ndarray of float32, shape (s, n, N_FEATURES)
        Zero where padded.
    """
    present, n = rows.present, rows.target.shape[1]
    shown = present[..., None]
    own = [region_logits(rows.regions) / 4, rows.regions.sum(2, keepdims=True) - 1, shown]
    around = _window(np.concatenate(own, axis=2) * shown, 2 * REACH + 1)
    distance, typical = _log_distances(rows)
    step = np.diff(rows.lps_mm, axis=1)
    angle = sagittal_angle_rad(step)
    aside = np.arctan2(np.abs(step[..., 0]), np.maximum(-step[..., 2], 1.0))
    described = np.stack(
        [
            (distance - 3.35) * 3,
            (distance - typical[:, None]) * 4,
            np.sin(angle) * 2,
            aside,
            np.ones_like(angle),
        ],
        axis=2,
    )
    # A step belongs to the detection below it; the first detection has none.
    between = np.pad(described * present[:, 1:, None], ((0, 0), (1, 0), (0, 0)))
    steps = _window(between, 2 * REACH, REACH - 1)
    above = np.broadcast_to(np.arange(n), present.shape)
    below = np.maximum(rows.lengths[:, None] - 1 - above, 0)
    highest, lowest = _ends_mm(rows)
    place = np.stack(
        [
            above / 10,
            below / 10,
            np.exp(-above / 2),
            np.exp(-below / 2),
            (highest[:, None] - rows.lps_mm[..., 2]) / 200,
            (rows.lps_mm[..., 2] - lowest[:, None]) / 200,
            np.broadcast_to(rows.lengths[:, None] / 10, present.shape),
            np.broadcast_to((typical[:, None] - 3.35) * 3, present.shape),
        ],
        axis=2,
    )
    return (np.concatenate([around, steps, place], axis=2) * shown).astype(np.float32)


def scan_features(rows: KeypointRows) -> np.ndarray:
    """Describe each scan: regions in view and how clearly they part, extent, both ends.

    Returns
    -------
    ndarray of float32, shape (s, N_SCAN_FEATURES)
    """
    shown = rows.present[..., None]
    shares = rows.regions * shown
    certain = (shares == shares.max(2, keepdims=True)) & (shares > 0.3)
    relative = shares / np.maximum(shares.sum(2, keepdims=True), 0.3)
    cervical, thoracic, lumbar = np.moveaxis(shares, 2, 0)
    logits = np.clip(region_logits(rows.regions) / 4, -1.5, 1.5) * shown
    last = np.maximum(rows.lengths - 1, 0)
    scan = np.arange(len(last))
    highest, lowest = _ends_mm(rows)
    described = [
        shares.sum(1) / 10,
        certain.sum(1) / 5,
        relative.sum(1) / 5,
        np.minimum(thoracic, lumbar).sum(1)[:, None],
        np.minimum(thoracic, cervical).sum(1)[:, None],
        rows.lengths[:, None] / 10,
        (highest - lowest)[:, None] / 300,
        logits[:, 0],
        logits[scan, last],
        (_log_distances(rows)[1][:, None] - 3.3) * 3,
    ]
    return np.concatenate(described, axis=1).astype(np.float32)


def _window(values: np.ndarray, size: int, before: int = REACH) -> np.ndarray:
    """Put the values of `size` neighbours side by side, the first `before` places above."""
    n = values.shape[1]
    padded = np.pad(values, ((0, 0), (before, size - 1 - before), (0, 0)))
    return np.concatenate([padded[:, k : k + n] for k in range(size)], axis=2)


def _log_distances(rows: KeypointRows) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of the distances (s, n - 1) of neighbours in mm, and their mean in each scan."""
    distance = np.linalg.norm(np.diff(rows.lps_mm, axis=1), axis=2)
    logarithm, counted = np.log(np.maximum(distance, 1.0)), rows.present[:, 1:]
    return logarithm, (logarithm * counted).sum(1) / np.maximum(counted.sum(1), 1)


def _ends_mm(rows: KeypointRows) -> tuple[np.ndarray, np.ndarray]:
    height = rows.lps_mm[..., 2]
    highest = np.where(rows.present, height, -np.inf).max(1)
    lowest = np.where(rows.present, height, np.inf).min(1)
    empty = rows.lengths == 0
    return np.where(empty, 0.0, highest), np.where(empty, 0.0, lowest)
