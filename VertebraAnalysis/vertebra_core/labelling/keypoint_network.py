"""A small recurrent network that corrects the levels of a whole row of detections.

It is handed what positional logic thinks of each detection, besides regions and geometry, and adds
to it: which mistakes the detector makes where the thorax ends is learnt from examples.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .keypoint_emission import region_logits
from .level_statistics import N_STATES, sagittal_angle_rad

N_GEOMETRY = 24
N_FEATURES = N_GEOMETRY + N_STATES
LOWEST_LOG_PROBABILITY = -9.0


def row_features(
    lps_mm: np.ndarray, region_probabilities: np.ndarray, level_probabilities: np.ndarray
) -> np.ndarray:
    """Describe each detection of a row.

    Parameters
    ----------
    lps_mm : ndarray, shape (n, 3)
        Head to foot, LPS mm.
    region_probabilities : ndarray, shape (n, 3)
        The detector's, for C, T and L.
    level_probabilities : ndarray, shape (n, 28)
        By positional logic.

    Returns
    -------
    ndarray of float32, shape (n, 51)
        The last 27: logarithms of the probabilities of the levels and the sacrum.
    """
    floor = np.exp(LOWEST_LOG_PROBABILITY)
    log_p = np.log(np.maximum(level_probabilities[:, :N_STATES], floor))
    described = _geometry(lps_mm, region_probabilities)
    return np.concatenate([described, log_p.astype(np.float32)], axis=1)


def _geometry(lps_mm: np.ndarray, region_probabilities: np.ndarray) -> np.ndarray:
    n = len(lps_mm)
    features = np.zeros((n, N_GEOMETRY), np.float32)
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
        turn = (np.diff(angle) + np.pi) % (2 * np.pi) - np.pi
        features[1:-1, 18] = np.clip(turn, -1, 1) * 3
    features[:, 19] = np.arange(n) / 10
    features[:, 20] = np.arange(n)[::-1] / 10
    features[:, 21] = n / 10
    heights = lps_mm[:, 2]
    features[:, 22] = (heights - heights.min()) / 200
    features[:, 23] = (heights.max() - heights) / 200
    return features


class KeypointNetwork(nn.Module):
    """Bidirectional gated recurrent network; its output is added to the logic's opinion.

    Parameters
    ----------
    hidden : int
        Units per direction.
    dropout : float
    """

    def __init__(self, hidden: int = 64, dropout: float = 0.3) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Linear(N_FEATURES, hidden), nn.GELU(), nn.Dropout(dropout))
        self.rows = nn.GRU(hidden, hidden, 1, batch_first=True, bidirectional=True)
        self.leave = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(2 * hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, N_STATES),
        )
        self.trust = nn.Parameter(torch.tensor(1.0))
        # At the start the network says what positional logic says.
        nn.init.zeros_(self.leave[-1].weight)
        nn.init.zeros_(self.leave[-1].bias)

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, longest, 27) for `features` (batch, longest, 51)."""
        log_p = features[..., N_GEOMETRY:]
        scaled = torch.cat([features[..., :N_GEOMETRY], log_p / 4 + 1], dim=2)
        packed = pack_padded_sequence(
            self.enter(scaled), lengths, batch_first=True, enforce_sorted=False
        )
        rows, _ = self.rows(packed)
        rows, _ = pad_packed_sequence(rows, batch_first=True)
        return self.trust * log_p + self.leave(rows)
