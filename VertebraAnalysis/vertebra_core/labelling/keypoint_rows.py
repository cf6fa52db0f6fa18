"""Many scans' detections side by side, padded to the longest, for work on all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .keypoint_scans import KeypointScan
from .level_statistics import L1, SACRUM, T12, T13, sacral_detection

UNKNOWN = -100
"""Target of a detection that matches no true body: many are vertebrae nobody annotated."""


@dataclass(frozen=True)
class KeypointRows:
    """Detections of `s` scans head to foot, each padded to `n`.

    Attributes
    ----------
    lps_mm : ndarray, shape (s, n, 3)
    regions : ndarray, shape (s, n, 3)
        Probabilities for C, T, L.
    target : ndarray of int, shape (s, n)
        `Level.order`, `SACRUM` or `UNKNOWN`.
    lengths : ndarray of int, shape (s,)
    """

    lps_mm: np.ndarray
    regions: np.ndarray
    target: np.ndarray
    lengths: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """Tell detections from padding, bool, shape (s, n)."""
        return np.arange(self.target.shape[1]) < self.lengths[:, None]

    def part(self, scans: np.ndarray) -> KeypointRows:
        """Return some of the scans, padded to the longest of them only."""
        lengths = self.lengths[scans]
        columns = slice(0, int(lengths.max(initial=0)))
        arrays = (a[scans, columns] for a in (self.lps_mm, self.regions, self.target))
        return KeypointRows(*arrays, lengths)


def keypoint_rows(scans: Sequence[KeypointScan], with_truth: bool = True) -> KeypointRows:
    """Put the detections of `scans` side by side; without truth every target is `UNKNOWN`."""
    lengths = np.array([len(scan.lps_mm) for scan in scans], int)
    shape = len(scans), int(lengths.max(initial=0))
    rows = KeypointRows(
        np.zeros((*shape, 3)), np.zeros((*shape, 3)), np.full(shape, UNKNOWN), lengths
    )
    for i, (scan, length) in enumerate(zip(scans, lengths, strict=True)):
        rows.lps_mm[i, :length] = scan.lps_mm
        rows.regions[i, :length] = scan.region_probabilities
        if with_truth:
            rows.target[i, :length] = _targets(scan)
    return rows


def _targets(scan: KeypointScan) -> np.ndarray:
    match = scan.matches()
    target = np.full(len(match), UNKNOWN)
    target[match >= 0] = scan.true_orders[match[match >= 0]]
    sacral = sacral_detection(scan)
    if sacral is not None:
        target[sacral] = SACRUM
    # Annotators of the public scans left the body between T12 and L1 without a name.
    for i in np.nonzero(target == T12)[0]:
        if list(target[i + 1 : i + 3]) == [UNKNOWN, L1]:
            target[i + 1] = T13
    return target
