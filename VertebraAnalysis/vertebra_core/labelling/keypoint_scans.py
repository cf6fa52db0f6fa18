"""Scans known by their keypoints alone: body centres with levels, and a detector's noisy centres.

The file format is that of the VID vertebra identification data set [1]_ as JSON lines: one scan a
line with ``scan``, ``source``, ``true_bodies`` (rows level, x, y, z) and ``detected_bodies`` (rows
x, y, z, and the detector's probabilities for a cervical, thoracic and lumbar body), LPS mm.

References
----------
.. [1] Buergin et al., "Robust vertebra identification using simultaneous node and edge predicting
   graph neural networks", MICCAI 2023.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..levels import level_named

SAME_BODY_MM = 20.0
"""A detection this near to a true centre may stand for it (rule of VerSe and of VID)."""


@dataclass(frozen=True)
class KeypointScan:
    """One scan.

    Attributes
    ----------
    name, source : str
        Scan and data set.
    true_orders : ndarray of int, shape (m,)
        `Level.order` of the true bodies, head to foot.
    true_lps_mm : ndarray, shape (m, 3)
        Their centres, LPS mm.
    lps_mm : ndarray, shape (n, 3)
        Detected centres, head to foot, LPS mm.
    region_probabilities : ndarray, shape (n, 3)
        The detector's probabilities for C, T and L; they need not sum to one.
    """

    name: str
    source: str
    true_orders: np.ndarray
    true_lps_mm: np.ndarray
    lps_mm: np.ndarray
    region_probabilities: np.ndarray

    def matches(self, limit_mm: float = SAME_BODY_MM) -> np.ndarray:
        """Return for each detection the index of its true body, -1 if spurious, shape (n,).

        Each body has at most one detection: pairs are made from the nearest to the farthest.
        """
        result = np.full(len(self.lps_mm), -1)
        if not len(self.lps_mm) or not len(self.true_lps_mm):
            return result
        distance = np.linalg.norm(self.lps_mm[:, None] - self.true_lps_mm[None], axis=2)
        taken: set[int] = set()
        for flat in np.argsort(distance, axis=None):
            i, j = divmod(int(flat), distance.shape[1])
            if distance[i, j] > limit_mm:
                break
            if result[i] < 0 and j not in taken:
                result[i] = j
                taken.add(j)
        return result


def read_keypoint_scans(path: Path) -> list[KeypointScan]:
    """Read a JSON-lines file, plain or gzipped.

    Raises
    ------
    ValueError
        If a line is not a scan; the message names the line.
    """
    return list(_iterate(Path(path)))


def _iterate(path: Path) -> Iterator[KeypointScan]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield _scan(json.loads(line))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"line {number} of {path.name} is not a scan: {error}") from error


def _scan(entry: dict) -> KeypointScan:
    true = sorted((level_named(b[0]).order, *map(float, b[1:4])) for b in entry["true_bodies"])
    truth = np.array(true, float).reshape(-1, 4)
    found = np.array(entry["detected_bodies"], float).reshape(-1, 6)
    found = found[np.argsort(-found[:, 2], kind="stable")]
    return KeypointScan(
        str(entry["scan"]),
        str(entry.get("source", "")),
        truth[:, 0].astype(int),
        truth[:, 1:],
        found[:, :3],
        found[:, 3:],
    )
