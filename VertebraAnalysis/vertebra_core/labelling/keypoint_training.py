"""Training of keypoint fields on scans with known levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .keypoint_emission import KeypointEmission
from .keypoint_field import KeypointField, log_likelihood, see
from .keypoint_rows import KeypointRows, keypoint_rows
from .keypoint_scans import KeypointScan
from .keypoint_steps import StepTable, step_table
from .keypoint_variation import varied
from .level_statistics import LevelStatistics

_GREATEST_LOSS = 60.0
"""Nats: a scan that was annotated against all evidence must not steer the others."""


@dataclass(frozen=True)
class KeypointTraining:
    """How to train.

    Attributes
    ----------
    epochs : int
        Over whole rows; half of them show the scans themselves, half variations.
    first_epochs : int
        Over single detections, cheap ones, before that.
    batch_size : int
        Scans.
    learning_rate, weight_decay : float
    fields : int
        Fields trained from different starts; their scores are averaged.
    parts : int
        Parts of the patients; for each, fields are trained without it, and judged on it by
        `keypoint_boundary`. With one, fields are trained on all and judged on none.
    hidden : int
    dropout : float
    max_missed, gaps : int
        Vertebrae missed, and one more than the spurious detections, in a row.
    seed : int
    """

    epochs: int = 14
    first_epochs: int = 16
    batch_size: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    fields: int = 1
    parts: int = 4
    hidden: int = 96
    dropout: float = 0.3
    max_missed: int = 1
    gaps: int = 3
    seed: int = 0


_FEW = 5.0
"""How much faster the few parameters of whole scans learn: there are few steps to learn them in."""


def train_keypoint_fields(
    scans: Sequence[KeypointScan],
    statistics: LevelStatistics,
    emission: KeypointEmission,
    training: KeypointTraining,
) -> list[KeypointField]:
    """Train fields on `scans`; scans without any known detection teach nothing."""
    rows = keypoint_rows(scans)
    rows = rows.part((rows.target >= 0).any(1))
    table = step_table(statistics, training.max_missed)
    seeds = [training.seed + 1000 * k for k in range(training.fields)]
    # Matrices are so small that threads would mostly wait for one another.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_train(rows, table, emission, training, seed) for seed in seeds]
    finally:
        torch.set_num_threads(threads)


def _train(
    rows: KeypointRows,
    table: StepTable,
    emission: KeypointEmission,
    training: KeypointTraining,
    seed: int,
) -> KeypointField:
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        field = KeypointField(training.hidden, training.dropout)
        _learn_detections(field, rows, emission, training, rng)
        _learn_rows(field, rows, table, emission, training, rng)
    return field.eval()


def _learn_detections(
    field: KeypointField,
    rows: KeypointRows,
    emission: KeypointEmission,
    training: KeypointTraining,
    rng: np.random.Generator,
) -> None:
    """Teach the network the level of each detection by itself."""
    size = 16 * training.batch_size
    epochs = []
    for epoch in range(training.first_epochs):
        shown = rows if epoch % 4 == 0 else varied(rows, rng)
        known = shown.target >= 0
        seen, target = see(shown, emission), torch.from_numpy(shown.target[known])
        features, evidence = seen.features[known], seen.evidence[known]
        order = torch.from_numpy(rng.permutation(len(target)))
        parts = order.tensor_split(max(1, len(order) // size))
        epochs += [(features[part], evidence[part], target[part]) for part in parts]
    if not epochs:
        return
    optimiser = _optimiser(field, training, training.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, training.learning_rate, len(epochs), pct_start=0.15
    )
    for features, evidence, target in epochs:
        loss = nn.functional.cross_entropy(field.level_logits(features, evidence), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def _learn_rows(
    field: KeypointField,
    rows: KeypointRows,
    table: StepTable,
    emission: KeypointEmission,
    training: KeypointTraining,
    rng: np.random.Generator,
) -> None:
    """Teach the field the labelling of each scan as a whole."""
    rate = training.learning_rate / 2
    optimiser = _optimiser(field, training, rate, _FEW)
    batches = -(-len(rows.lengths) // training.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        [rate, _FEW * rate],
        max(2, training.epochs * batches),
        pct_start=0.05,
    )
    for epoch in range(training.epochs):
        shown = rows if epoch % 2 else varied(rows, rng)
        seen = see(shown, emission)
        # Scans of like length go together; which of them, changes.
        order = np.argsort(shown.lengths + rng.random(len(shown.lengths)))
        parts = np.array_split(order, batches)
        for k in rng.permutation(batches):
            part = shown.part(parts[k])
            n = part.target.shape[1]
            if n < 2:
                continue
            scores = field(seen.part(parts[k], n), part, table, training.gaps)
            loss = -log_likelihood(scores, torch.from_numpy(part.target), table)
            optimiser.zero_grad()
            loss.clamp(max=_GREATEST_LOSS).mean().backward()
            nn.utils.clip_grad_norm_(field.parameters(), 5.0)
            optimiser.step()
            schedule.step()


def _optimiser(
    field: KeypointField, training: KeypointTraining, rate: float, few: float = 1.0
) -> torch.optim.Optimizer:
    """Parameters outside the large network learn `few` times as fast."""
    large = list(field.detection.parameters())
    known = {id(p) for p in large}
    other = [p for p in field.parameters() if id(p) not in known]
    groups = [{"params": large, "lr": rate}, {"params": other, "lr": few * rate}]
    return torch.optim.AdamW(groups, weight_decay=training.weight_decay)
