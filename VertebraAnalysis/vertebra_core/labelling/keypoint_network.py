"""A small recurrent network that names detections from their positions and regions alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .level_statistics import N_LEVELS, sagittal_angle_rad

N_FEATURES = 24
SPURIOUS = N_LEVELS
"""Class of a detection that is no vertebra, behind the 26 levels."""


def region_logits(probabilities: np.ndarray) -> np.ndarray:
    """Logits of the detector's probabilities (n, 3), kept within about +-5.5."""
    clipped = np.clip(probabilities, 0.004, 0.996)
    return np.log(clipped / (1 - clipped))


def keypoint_features(lps_mm: np.ndarray, region_probabilities: np.ndarray) -> np.ndarray:
    """Describe each detection by its region, its neighbours and its place in the row.

    Parameters
    ----------
    lps_mm : ndarray, shape (n, 3)
        Head to foot, LPS mm.
    region_probabilities : ndarray, shape (n, 3)
        For C, T and L.

    Returns
    -------
    ndarray of float32, shape (n, 24)
    """
    n = len(lps_mm)
    features = np.zeros((n, N_FEATURES), np.float32)
    if not n:
        return features
    features[:, :3] = region_logits(region_probabilities) / 4
    features[:, 3] = region_probabilities.sum(1) - 1
    steps = np.diff(lps_mm, axis=0)
    log_distance = np.log(np.maximum(np.linalg.norm(steps, axis=1), 1.0))
    typical = np.median(log_distance) if n > 1 else 0.0
    angle = sagittal_angle_rad(steps)
    aside = np.arctan2(steps[:, 0], np.maximum(-steps[:, 2], 1.0))
    described = np.stack(
        [
            (log_distance - 3.35) * 3,
            (log_distance - typical) * 4,
            np.sin(angle) * 2,
            np.cos(angle),
            aside,
            np.ones(n - 1),
        ],
        axis=1,
    )
    features[1:, 4:10] = described
    features[:-1, 10:16] = described
    if n > 2:
        # The next but one: what a spurious detection hides.
        over = np.log(np.maximum(np.linalg.norm(lps_mm[2:] - lps_mm[:-2], axis=1), 1.0))
        features[2:, 16] = (over - 4.05) * 3
        features[:-2, 17] = (over - 4.05) * 3
        turn = np.diff(angle)
        features[1:-1, 18] = np.clip((turn + np.pi) % (2 * np.pi) - np.pi, -1, 1) * 3
    features[:, 19] = np.arange(n) / 10
    features[:, 20] = np.arange(n)[::-1] / 10
    features[:, 21] = n / 10
    heights = lps_mm[:, 2]
    features[:, 22] = (heights - heights.min()) / 200
    features[:, 23] = (heights.max() - heights) / 200
    return features


class KeypointNetwork(nn.Module):
    """Two-layer bidirectional gated recurrent network.

    Parameters
    ----------
    hidden : int
        Units per direction and layer.
    dropout : float
    """

    def __init__(self, hidden: int = 64, dropout: float = 0.2) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Linear(N_FEATURES, hidden), nn.GELU())
        self.rows = nn.GRU(hidden, hidden, 2, batch_first=True, bidirectional=True, dropout=dropout)
        self.leave = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * hidden, N_LEVELS + 1))

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, longest, 27) for `features` (batch, longest, 24)."""
        packed = pack_padded_sequence(
            self.enter(features), lengths, batch_first=True, enforce_sorted=False
        )
        rows, _ = self.rows(packed)
        return self.leave(pad_packed_sequence(rows, batch_first=True)[0])
