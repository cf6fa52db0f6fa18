"""Names rows of keypoints: positional logic, a network that knows its mistakes, and logic again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .keypoint_emission import KeypointEmission, fit_keypoint_emission
from .keypoint_network import KeypointNetwork, row_features
from .keypoint_scans import KeypointScan
from .keypoint_training import (
    KeypointTraining,
    network_log_probabilities,
    train_keypoint_networks,
)
from .level_statistics import LevelStatistics, fit_level_statistics
from .positional_logic import (
    LevelAssignment,
    PositionalOptions,
    assign_levels,
    level_probabilities,
)

FIRST_OPTIONS = PositionalOptions(
    emission_weight=0.7, distance_weight=0.6, unusual_weight=1.0, scale_steps=7
)
"""Logic on what single detections say."""

LAST_OPTIONS = PositionalOptions(
    emission_weight=0.7, distance_weight=0.4, angle_weight=0.3, end_weight=0.2, unusual_weight=1.0
)
"""Logic on what the network says, which has seen distances and ends already."""


@dataclass(frozen=True)
class KeypointNamer:
    """Everything fitted to scans with known levels.

    Attributes
    ----------
    statistics : LevelStatistics
    emission : KeypointEmission
    networks : tuple of KeypointNetwork
        Averaged; with none, positional logic alone decides.
    """

    statistics: LevelStatistics
    emission: KeypointEmission
    networks: tuple[KeypointNetwork, ...] = ()

    def label(self, scan: KeypointScan) -> LevelAssignment:
        """Name the detections of `scan`; its true bodies are not looked at."""
        lps, regions = scan.lps_mm, scan.region_probabilities
        if not self.networks or not len(lps):
            evidence = self.emission.log_likelihoods(regions)
            return assign_levels(lps, evidence, self.statistics, FIRST_OPTIONS)
        features = row_features(lps, regions, self.opinion(lps, regions))
        evidence = network_log_probabilities(self.networks, features)
        return assign_levels(lps, evidence, self.statistics, LAST_OPTIONS)

    def opinion(self, lps_mm: np.ndarray, region_probabilities: np.ndarray) -> np.ndarray:
        """Probabilities (n, 28) by positional logic alone, detections head to foot."""
        evidence = self.emission.log_likelihoods(region_probabilities)
        return level_probabilities(lps_mm, evidence, self.statistics, FIRST_OPTIONS)


def fit_keypoint_namer(
    scans: Sequence[KeypointScan], training: KeypointTraining | None = None
) -> KeypointNamer:
    """Fit statistics to `scans`, and with `training` networks too."""
    logic = KeypointNamer(
        fit_level_statistics(scans, assumed_scans=0), fit_keypoint_emission(scans)
    )
    if training is None:
        return logic
    networks = train_keypoint_networks(scans, logic.opinion, training)
    return KeypointNamer(logic.statistics, logic.emission, tuple(networks))
