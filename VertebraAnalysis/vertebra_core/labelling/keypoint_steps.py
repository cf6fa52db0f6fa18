"""Steps from one detection to a later one, as tables that many scans can be scored with at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .chain_model import PositionalOptions, steps_of
from .level_statistics import (
    L1,
    L5,
    L6,
    N_STATES,
    SACRUM,
    T11,
    T12,
    T13,
    LevelStatistics,
    sagittal_angle_rad,
)

KINDS = ("absent T12", "T13", "L6", "sacrum", "missed")
"""What a step can pass, each with a score of its own in every scan."""

_SCALE_SD = 0.085
"""Of the logarithm of patients' sizes, which are not estimated here."""

_ANGLE_SD_RAD = 0.1
_LOWEST_DISTANCE, _LOWEST_ANGLE = -14.0, -8.0
_REFERENCE_SD = 0.1
IMPOSSIBLE = -1e3
"""Stands for minus infinity, which has no gradient."""

_KIND_OF = {(T11, L1): 0, (T12, T13): 1, (L5, L6): 2, (L5, SACRUM): 3, (L6, SACRUM): 3}


@dataclass(frozen=True)
class StepTable:
    """Steps into each level, at most `m` of them.

    Attributes
    ----------
    upper : Tensor of int64, shape (27, m)
        Level that the step comes from.
    counts : Tensor, shape (27, m, 5)
        How often it passes each of `KINDS`.
    index : ndarray of int, shape (27, m)
        Into the columns that `geometry` scores; the last of them is impossible.
    log_distance, distance_sd : ndarray, shape (k,)
        Of each column: logarithm of the expected distance in mm, and its standard deviation.
    angle_rad, angle_sd_rad : ndarray, shape (k,)
        Expected direction in the sagittal plane (`level_statistics.sagittal_angle_rad`), likewise.
    """

    upper: torch.Tensor
    counts: torch.Tensor
    index: np.ndarray
    log_distance: np.ndarray
    distance_sd: np.ndarray
    angle_rad: np.ndarray
    angle_sd_rad: np.ndarray

    def geometry(self, lps_mm: np.ndarray, gap: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-likelihoods of distances and of directions.

        Parameters
        ----------
        lps_mm : ndarray, shape (s, n, 3)
        gap : int
            Detections passed over.

        Returns
        -------
        distance, direction : Tensor, shape (s, n - 1 - gap, 27, m)
            Of the step that ends at detection ``gap + 1`` and so on.
        """
        step = lps_mm[:, 1 + gap :] - lps_mm[:, : -1 - gap]
        log_mm = np.log(np.maximum(np.linalg.norm(step, axis=2), 1.0))[..., None]
        deviation = (log_mm - self.log_distance) / self.distance_sd
        distance = -0.5 * deviation**2 - np.log(self.distance_sd / _REFERENCE_SD)
        turned = sagittal_angle_rad(step)[..., None] - self.angle_rad
        turned = (turned + np.pi) % (2 * np.pi) - np.pi
        direction = -0.5 * (turned / self.angle_sd_rad) ** 2
        scores = []
        for values, lowest, none in (
            (distance, _LOWEST_DISTANCE, IMPOSSIBLE),
            (direction, _LOWEST_ANGLE, 0.0),
        ):
            values = np.maximum(values, lowest).astype(np.float32)
            values = np.pad(values, ((0, 0), (0, 0), (0, 1)), constant_values=none)
            scores.append(torch.from_numpy(values[..., self.index]))
        return scores[0], scores[1]


def step_table(statistics: LevelStatistics, max_missed: int) -> StepTable:
    """List the steps that `statistics` allow with at most `max_missed` vertebrae missed."""
    steps = steps_of(statistics, max_missed)
    into = [np.nonzero(steps.lower == level)[0] for level in range(N_STATES)]
    index = np.full((N_STATES, max(map(len, into))), len(steps.lower))
    for row, found in zip(index, into, strict=True):
        row[: len(found)] = found
    counts = np.zeros((len(steps.lower) + 1, len(KINDS)), np.float32)
    for row, upper, lower, path in zip(counts, steps.upper, steps.lower, steps.paths, strict=False):
        chain = (int(upper), *path, int(lower))
        for pair in zip(chain[:-1], chain[1:], strict=True):
            if pair in _KIND_OF:
                row[_KIND_OF[pair]] += 1
        row[KINDS.index("missed")] = len(path)
    noise = np.sqrt(2) * PositionalOptions().position_noise_mm / steps.distance_mm
    relative_sd = steps.distance_sd_mm / steps.distance_mm
    return StepTable(
        torch.from_numpy(np.append(steps.upper, 0)[index].astype(np.int64)),
        torch.from_numpy(counts[index]),
        index,
        np.log(steps.distance_mm),
        np.sqrt(relative_sd**2 + noise**2 + _SCALE_SD**2),
        steps.angle_rad,
        np.sqrt(steps.angle_sd_rad**2 + noise**2 + _ANGLE_SD_RAD**2),
    )
