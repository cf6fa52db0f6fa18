"""Names detections without an image: by positional logic alone, or by fields that have learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..levels import MOBILE_LEVELS, Level
from .keypoint_emission import KeypointEmission, fit_keypoint_emission
from .keypoint_field import KeypointField, best_levels, mean_scores, see
from .keypoint_rows import keypoint_rows
from .keypoint_scans import KeypointScan
from .keypoint_steps import step_table
from .keypoint_training import KeypointTraining, train_keypoint_fields
from .level_statistics import N_LEVELS, LevelStatistics, fit_level_statistics
from .positional_logic import PositionalOptions, assign_levels

LOGIC_OPTIONS = PositionalOptions(
    emission_weight=0.7, distance_weight=0.6, unusual_weight=1.0, scale_steps=7
)

_MAX_MISSED, _GAPS = 3, 4
_AT_ONCE = 100
_OWN_EVIDENCE = 0.1
"""Weight of what detections say by themselves, beside what the fields make of it: they trust
single detections too little where spines are unusual."""

Levels = tuple[Level | None, ...]
"""The level of each detection, head to foot; None: no vertebra, or the sacrum."""


@dataclass(frozen=True)
class KeypointNamer:
    """Everything fitted to scans with known levels.

    Attributes
    ----------
    statistics : LevelStatistics
    emission : KeypointEmission
    fields : tuple of KeypointField
        Their scores are averaged; with none, positional logic alone decides.
    """

    statistics: LevelStatistics
    emission: KeypointEmission
    fields: tuple[KeypointField, ...] = ()

    def label(self, scans: Sequence[KeypointScan]) -> list[Levels]:
        """Name the detections of `scans`; their true bodies are not looked at."""
        if not self.fields:
            return [self._by_logic(scan) for scan in scans]
        order = sorted(range(len(scans)), key=lambda i: len(scans[i].lps_mm))
        found: dict[int, Levels] = {}
        for first in range(0, len(order), _AT_ONCE):
            part = order[first : first + _AT_ONCE]
            named = self._by_fields([scans[i] for i in part])
            found |= dict(zip(part, named, strict=True))
        return [found[i] for i in range(len(scans))]

    def _by_logic(self, scan: KeypointScan) -> Levels:
        evidence = self.emission.log_likelihoods(scan.region_probabilities)
        return assign_levels(scan.lps_mm, evidence, self.statistics, LOGIC_OPTIONS).levels

    def _by_fields(self, scans: Sequence[KeypointScan]) -> list[Levels]:
        rows = keypoint_rows(scans, with_truth=False)
        if not rows.target.shape[1]:
            return [() for _ in scans]
        table = step_table(self.statistics, _MAX_MISSED)
        seen = see(rows, self.emission)
        with torch.no_grad():
            scores = [field(seen, rows, table, _GAPS) for field in self.fields]
        mean = mean_scores(scores)
        alone = torch.log_softmax(seen.evidence, -1)
        best = best_levels(replace(mean, node=mean.node + _OWN_EVIDENCE * alone), table)
        return [_levels(row[:n]) for row, n in zip(best, rows.lengths, strict=True)]


def _levels(orders: np.ndarray) -> Levels:
    return tuple(MOBILE_LEVELS[o] if 0 <= o < N_LEVELS else None for o in orders)


def fit_keypoint_namer(
    scans: Sequence[KeypointScan], training: KeypointTraining | None = None
) -> KeypointNamer:
    """Fit statistics to `scans`, and with `training` fields too."""
    statistics = fit_level_statistics(scans, assumed_scans=0)
    emission = fit_keypoint_emission(scans)
    fields = ()
    if training is not None:
        fields = train_keypoint_fields(scans, statistics, emission, training)
    return KeypointNamer(statistics, emission, tuple(fields))
