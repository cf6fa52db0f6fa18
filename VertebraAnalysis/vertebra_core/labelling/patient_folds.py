"""Parts for cross-validation that keep the scans of one patient together, as far as can be told.

The public keypoints do not say which scans are of the same patient (colonography is scanned prone
and supine). Two scans whose distances between bodies are each other's nearest and agree within
about a voxel are taken to be such a pair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from .keypoint_scans import KeypointScan
from .level_statistics import N_LEVELS

SAME_PATIENT_MM = 1.2
"""Largest mean difference of distances between two scans of a patient; centres of the public
keypoints are rounded to voxels of up to 1.5 mm."""

_MIN_SHARED = 4


def patient_folds(scans: Sequence[KeypointScan], folds: int) -> np.ndarray:
    """Return the fold of each scan, int, shape (n,).

    Folds follow from the names of the scans, not from their order.
    """
    keys = [hashlib.sha256(scan.name.encode()).hexdigest() for scan in scans]
    partner = likely_same_patient(scans)
    group = [min(keys[i], keys[j]) if j >= 0 else keys[i] for i, j in enumerate(partner)]
    fold_of = {key: rank % folds for rank, key in enumerate(sorted(set(group)))}
    return np.array([fold_of[key] for key in group], int)


def likely_same_patient(scans: Sequence[KeypointScan]) -> np.ndarray:
    """Return for each scan the index of the one that looks like the same patient, or -1."""
    distance = np.full((len(scans), N_LEVELS), np.nan)
    for row, scan in enumerate(scans):
        following = np.diff(scan.true_orders) == 1
        length = np.linalg.norm(np.diff(scan.true_lps_mm, axis=0), axis=1)
        distance[row, scan.true_orders[:-1][following]] = length[following]
    nearest = np.full(len(scans), -1)
    for i in range(len(scans)):
        best = SAME_PATIENT_MM
        # One of the two may have been named off by one.
        for shift in (0, -1, 1):
            difference = np.abs(np.roll(distance, shift, axis=1) - distance[i])
            shared = np.isfinite(difference).sum(1)
            mean = np.nansum(difference, axis=1) / np.maximum(shared, 1)
            mean[(shared < _MIN_SHARED) | (np.arange(len(scans)) == i)] = np.inf
            if mean.min() < best:
                best, nearest[i] = mean.min(), int(mean.argmin())
    mutual = (nearest >= 0) & (nearest[nearest] == np.arange(len(scans)))
    return np.where(mutual, nearest, -1)
