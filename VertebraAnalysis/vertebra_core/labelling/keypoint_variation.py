"""Variations of a scan's detections: as another patient or another run of the detector differs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .keypoint_emission import region_logits
from .keypoint_scans import KeypointScan
from .level_statistics import SACRUM, sacral_detection

UNKNOWN = -100
"""Target of a detection that matches no true body: many are vertebrae nobody annotated."""


@dataclass(frozen=True)
class Row:
    """Detections head to foot with their true levels.

    Attributes
    ----------
    lps_mm : ndarray, shape (n, 3)
    regions : ndarray, shape (n, 3)
        Probabilities for C, T, L.
    target : ndarray of int, shape (n,)
        `Level.order`, `SACRUM` or `UNKNOWN`.
    """

    lps_mm: np.ndarray
    regions: np.ndarray
    target: np.ndarray


def row_of(scan: KeypointScan) -> Row:
    """Return the detections of a scan as they are."""
    match = scan.matches()
    target = np.full(len(match), UNKNOWN)
    target[match >= 0] = scan.true_orders[match[match >= 0]]
    sacral = sacral_detection(scan)
    if sacral is not None:
        target[sacral] = SACRUM
    return Row(scan.lps_mm, scan.region_probabilities, target)


def varied(row: Row, rng: np.random.Generator) -> Row:
    """Return a variation: shorter field of view, missed and spurious detections, tilt, size."""
    lps, regions, target = row.lps_mm, row.regions, row.target
    n = len(lps)
    if rng.random() < 0.25 and n > 5:
        size = int(rng.integers(5, n + 1))
        start = int(rng.integers(0, n - size + 1))
        part = slice(start, start + size)
        lps, regions, target = lps[part], regions[part], target[part]
    if rng.random() < 0.1 and len(lps) > 4:
        keep = np.arange(len(lps)) != rng.integers(len(lps))
        lps, regions, target = lps[keep], regions[keep], target[keep]
    if rng.random() < 0.1:
        lps, regions, target = _with_spurious(lps, regions, target, rng)
    tilt = rng.normal(0, 0.03)
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    mirror = np.array([rng.choice([-1.0, 1.0]), 1.0, 1.0])
    lps = (lps - lps.mean(0)) @ turn.T * mirror * np.exp(rng.normal(0, 0.04))
    lps = lps + rng.normal(0, 0.9, lps.shape)
    logits = region_logits(regions) + rng.normal(0, 0.25, regions.shape)
    return Row(lps, 1 / (1 + np.exp(-logits)), target)


def _with_spurious(lps, regions, target, rng):
    place = lps[rng.integers(len(lps))] + rng.normal(0, [40, 40, 60])
    shares = rng.uniform(0.02, 0.2, 3)
    if rng.random() < 0.5:
        shares[rng.integers(3)] = rng.uniform(0.3, 0.99)
    at = int((lps[:, 2] > place[2]).sum())
    return (
        np.insert(lps, at, place, axis=0),
        np.insert(regions, at, shares, axis=0),
        np.insert(target, at, UNKNOWN),
    )
