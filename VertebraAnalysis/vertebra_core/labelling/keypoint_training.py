"""Training of the keypoint network on scans with known levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .keypoint_network import KeypointNetwork, row_features
from .keypoint_scans import KeypointScan
from .keypoint_variation import UNKNOWN, row_of, varied

Opinion = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(positions (n, 3), region probabilities (n, 3)) -> probabilities (n, 28)."""


@dataclass(frozen=True)
class KeypointTraining:
    """How to train.

    Attributes
    ----------
    variations : int
        Variations of each scan, beside the scan itself.
    steps, batch_size : int
    learning_rate, weight_decay : float
    networks : int
        Networks trained from different starts; their probabilities are averaged.
    hidden : int
    dropout : float
    seed : int
    """

    variations: int = 3
    steps: int = 700
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    networks: int = 2
    hidden: int = 48
    dropout: float = 0.3
    seed: int = 0


def train_keypoint_networks(
    scans: Sequence[KeypointScan], opinion: Opinion, training: KeypointTraining
) -> list[KeypointNetwork]:
    """Train networks that improve on `opinion`, which is asked about every variation once."""
    rng = np.random.default_rng(training.seed)
    pool = []
    for scan in scans:
        row = row_of(scan)
        if not (row.target != UNKNOWN).any():
            continue
        for one in [row] + [varied(row, rng) for _ in range(training.variations)]:
            features = row_features(one.lps_mm, one.regions, opinion(one.lps_mm, one.regions))
            pool.append((torch.from_numpy(features), torch.from_numpy(one.target)))
    return [_train(pool, training, training.seed + 1000 * k) for k in range(training.networks)]


def network_log_probabilities(
    networks: Sequence[KeypointNetwork], features: np.ndarray
) -> np.ndarray:
    """Log-probabilities (n, 27) for the features of one row, averaged over `networks`."""
    row, length = torch.from_numpy(features)[None], torch.tensor([len(features)])
    with torch.no_grad():
        shares = [torch.softmax(network(row, length)[0], 1) for network in networks]
    return np.log(np.maximum(torch.stack(shares).mean(0).numpy().astype(float), 1e-9))


def _train(
    pool: list[tuple[torch.Tensor, torch.Tensor]], training: KeypointTraining, seed: int
) -> KeypointNetwork:
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = KeypointNetwork(training.hidden, training.dropout)
        optimiser = torch.optim.AdamW(
            network.parameters(), training.learning_rate, weight_decay=training.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, training.learning_rate, training.steps, pct_start=0.15
        )
        for _ in range(training.steps):
            chosen = rng.integers(len(pool), size=min(training.batch_size, len(pool)))
            lengths = torch.tensor([len(pool[i][1]) for i in chosen])
            rows = [pool[i][0] for i in chosen]
            targets = [pool[i][1] for i in chosen]
            padded = nn.utils.rnn.pad_sequence(rows, batch_first=True)
            target = nn.utils.rnn.pad_sequence(targets, batch_first=True, padding_value=UNKNOWN)
            loss = nn.functional.cross_entropy(
                network(padded, lengths).flatten(0, 1), target.flatten(), ignore_index=UNKNOWN
            )
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return network.eval()
