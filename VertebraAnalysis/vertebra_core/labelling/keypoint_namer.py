"""Names detections without an image: by positional logic alone, or by fields that have learnt.

With fields, the level of the first body that looks lumbar is settled first, by a small model that
was fitted to fields' judgement of scans they had not seen; the best labelling around it follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..levels import MOBILE_LEVELS, Level
from .keypoint_boundary import (
    BOUNDARY_LEVELS,
    BoundaryModel,
    boundary_features,
    first_lumbar,
    fit_boundary_model,
)
from .keypoint_emission import KeypointEmission, fit_keypoint_emission
from .keypoint_field import (
    FieldScores,
    KeypointField,
    best_levels,
    label_probabilities,
    mean_scores,
    see,
)
from .keypoint_rows import UNKNOWN, KeypointRows, keypoint_rows
from .keypoint_scans import KeypointScan
from .keypoint_steps import StepTable, step_table
from .keypoint_training import KeypointTraining, train_keypoint_fields
from .level_statistics import N_LEVELS, N_STATES, LevelStatistics, fit_level_statistics
from .patient_folds import patient_folds
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
    boundary : BoundaryModel or None
        Decides which level the first body that looks lumbar is.
    """

    statistics: LevelStatistics
    emission: KeypointEmission
    fields: tuple[KeypointField, ...] = ()
    boundary: BoundaryModel | None = None

    def label(self, scans: Sequence[KeypointScan]) -> list[Levels]:
        """Name the detections of `scans`; their true bodies are not looked at."""
        if not self.fields:
            return [self._by_logic(scan) for scan in scans]
        found: dict[int, Levels] = {}
        for part in _alike(scans):
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
        scores = self._scores(rows, table)
        if self.boundary is not None:
            scores = scores.given(torch.from_numpy(self._decided(rows, scores, table)))
        best = best_levels(scores, table)
        return [_levels(row[:n]) for row, n in zip(best, rows.lengths, strict=True)]

    def _scores(self, rows: KeypointRows, table: StepTable) -> FieldScores:
        seen = see(rows, self.emission)
        with torch.no_grad():
            mean = mean_scores([field(seen, rows, table, _GAPS) for field in self.fields])
        alone = torch.log_softmax(seen.evidence, -1)
        return replace(mean, node=mean.node + _OWN_EVIDENCE * alone)

    def _decided(self, rows: KeypointRows, scores: FieldScores, table: StepTable) -> np.ndarray:
        """Return targets (s, n) that fix the level of the first body that looks lumbar."""
        target = np.full(rows.target.shape, UNKNOWN)
        first = first_lumbar(rows)
        scan = np.nonzero(first >= 0)[0]
        if not len(scan):
            return target
        first, levels = first[scan], list(BOUNDARY_LEVELS)
        label = label_probabilities(scores, table)[scan, first]
        by_fields = label[:, levels]
        features = boundary_features(rows.part(scan), first)
        judged = np.exp(self.boundary.log_probabilities(by_fields, features))
        label[:, levels] = judged * by_fields.sum(1, keepdims=True)
        best = label.argmax(1)
        target[scan, first] = np.where(best < N_STATES, best, UNKNOWN)
        return target

    def boundary_examples(
        self, scans: Sequence[KeypointScan]
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """What `fit_boundary_model` learns from, of `scans` that the fields have not seen."""
        table = step_table(self.statistics, _MAX_MISSED)
        examples = []
        for part in _alike(scans):
            rows = keypoint_rows([scans[i] for i in part])
            first = first_lumbar(rows)
            scan = np.nonzero(first >= 0)[0]
            scan = scan[np.isin(rows.target[scan, first[scan]], BOUNDARY_LEVELS)]
            if not len(scan):
                continue
            rows, first = rows.part(scan), first[scan]
            place = np.arange(len(scan)), first
            label = label_probabilities(self._scores(rows, table), table)[place]
            level = np.searchsorted(BOUNDARY_LEVELS, rows.target[place])
            by_fields = label[:, list(BOUNDARY_LEVELS)]
            examples.append((by_fields, boundary_features(rows, first), level))
        return examples


def _alike(scans: Sequence[KeypointScan]) -> list[list[int]]:
    """Part the indices of `scans`, those with like numbers of detections together."""
    order = sorted(range(len(scans)), key=lambda i: len(scans[i].lps_mm))
    return [order[i : i + _AT_ONCE] for i in range(0, len(order), _AT_ONCE)]


def _levels(orders: np.ndarray) -> Levels:
    return tuple(MOBILE_LEVELS[o] if 0 <= o < N_LEVELS else None for o in orders)


def fit_keypoint_namer(
    scans: Sequence[KeypointScan], training: KeypointTraining | None = None
) -> KeypointNamer:
    """Fit statistics to `scans`, and with `training` fields too."""
    statistics = fit_level_statistics(scans, assumed_scans=0)
    emission = fit_keypoint_emission(scans)
    namer = KeypointNamer(statistics, emission)
    if training is None:
        return namer
    if training.parts == 1:
        fields = train_keypoint_fields(scans, statistics, emission, training)
        return replace(namer, fields=tuple(fields))
    return _fit_in_parts(namer, scans, training)


def _fit_in_parts(
    namer: KeypointNamer, scans: Sequence[KeypointScan], training: KeypointTraining
) -> KeypointNamer:
    """Train fields without each part of the patients in turn, and judge them on that part."""
    part = patient_folds(scans, training.parts)
    fields, examples = [], []
    for k in range(training.parts):
        others = [s for s, p in zip(scans, part, strict=True) if p != k]
        apart = [s for s, p in zip(scans, part, strict=True) if p == k]
        own = replace(training, seed=training.seed + 1000 * training.fields * k)
        trained = train_keypoint_fields(others, namer.statistics, namer.emission, own)
        examples += replace(namer, fields=tuple(trained)).boundary_examples(apart)
        fields += trained
    namer = replace(namer, fields=tuple(fields))
    if not examples:
        return namer
    known = (np.concatenate(of_all) for of_all in zip(*examples, strict=True))
    return replace(namer, boundary=fit_boundary_model(*known))
