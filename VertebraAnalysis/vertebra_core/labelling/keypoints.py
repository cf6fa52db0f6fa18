"""Levels from a detector's keypoints, and how often they are right, cross-validated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..levels import MOBILE_LEVELS, Region
from .keypoint_namer import Levels, fit_keypoint_namer
from .keypoint_scans import SAME_BODY_MM, KeypointScan, read_keypoint_scans
from .keypoint_training import KeypointTraining
from .level_statistics import T13
from .patient_folds import patient_folds

DEFAULT_TRAINING = KeypointTraining()

_REGION_NAMES = {Region.CERVICAL: "C", Region.THORACIC: "T", Region.LUMBAR: "L"}


def identified_bodies(scan: KeypointScan, levels: Levels) -> np.ndarray:
    """Tell which true bodies were identified, bool, shape (m,).

    A body is identified if the nearest named detection lies within 20 mm and carries its level.

    Parameters
    ----------
    scan : KeypointScan
    levels : sequence of Level or None
        Of the detections, head to foot.
    """
    orders = np.array([-1 if v is None else v.order for v in levels], int)
    lps = scan.lps_mm[orders >= 0]
    if not len(lps):
        return np.zeros(len(scan.true_orders), bool)
    distance = np.linalg.norm(scan.true_lps_mm[:, None] - lps[None], axis=2)
    nearest = distance.argmin(1)
    right = orders[orders >= 0][nearest] == scan.true_orders
    return right & (distance.min(1) <= SAME_BODY_MM)


def evaluate_keypoints(
    path: Path,
    folds: int = 5,
    training: KeypointTraining | None = DEFAULT_TRAINING,
    on_fold: Callable[[int], None] | None = None,
) -> dict:
    """Cross-validate positional logic on a keypoint file.

    Statistics and every parameter are fitted to the other folds; scans that look like the same
    patient share a fold.

    Parameters
    ----------
    path : Path
        JSON lines, plain or gzipped, see `keypoint_scans`.
    folds : int
    training : KeypointTraining or None
        Of the keypoint fields; None leaves the naming to positional logic without any training.
    on_fold : callable, optional
        Told after each fold how many are done.

    Returns
    -------
    dict
        ``identification_rate`` and ``scans_all_right`` over all true bodies and scans,
        ``found_rate`` and ``scans_all_found`` (bodies with a detection within 20 mm: no labelling
        can do better), ``identification_rate_of_found``, ``scans_all_right_of_found`` (every found
        body identified), ``scans_shifted`` (all found bodies off by the same number of levels),
        counts, and the tables ``sources`` and ``regions``.

    Raises
    ------
    ValueError
        If the file holds fewer scans than folds, or a line is no scan.
    """
    scans = read_keypoint_scans(path)
    if len(scans) < folds:
        raise ValueError(f"{len(scans)} scans cannot be parted into {folds} folds")
    fold = patient_folds(scans, folds)
    rows: list[_ScanFigures] = []
    for k in range(folds):
        others = [s for s, f in zip(scans, fold, strict=True) if f != k]
        held_aside = [s for s, f in zip(scans, fold, strict=True) if f == k]
        namer = fit_keypoint_namer(others, training)
        named = namer.label(held_aside)
        rows += [_ScanFigures(*pair) for pair in zip(held_aside, named, strict=True)]
        if on_fold:
            on_fold(k + 1)
    return _figures(rows, folds)


class _ScanFigures:
    """Which bodies of one scan were found and identified."""

    def __init__(self, scan: KeypointScan, levels: Levels) -> None:
        self.source = scan.source
        self.regions = np.array(
            [_REGION_NAMES[MOBILE_LEVELS[order].region] for order in scan.true_orders], str
        )
        self.identified = identified_bodies(scan, levels)
        self.found = np.zeros(len(scan.true_orders), bool)
        match = scan.matches()
        self.found[match[match >= 0]] = True
        named = [
            (_place(level.order), _place(scan.true_orders[j]))
            for level, j in zip(levels, match, strict=True)
            if level is not None and j >= 0
        ]
        shifts = {a - b for a, b in named}
        self.shifted = len(shifts) == 1 and shifts != {0}


def _place(order: int) -> int:
    """Place in a spine without T13, which few have."""
    return int(order) - (order >= T13)


def _figures(rows: Sequence[_ScanFigures], folds: int) -> dict:
    figures = _summary(rows) | {"folds": folds}
    sources = sorted({row.source for row in rows})
    figures["sources"] = {s: _summary([r for r in rows if r.source == s]) for s in sources}
    region = np.concatenate([row.regions for row in rows])
    identified = np.concatenate([row.identified for row in rows])
    found = np.concatenate([row.found for row in rows])
    figures["regions"] = {
        name: {
            "bodies": int((region == name).sum()),
            "identification_rate": float(identified[region == name].mean()),
            "found_rate": float(found[region == name].mean()),
        }
        for name in ("C", "T", "L")
        if (region == name).any()
    }
    return figures


def _summary(rows: Sequence[_ScanFigures]) -> dict:
    identified = np.concatenate([row.identified for row in rows])
    found = np.concatenate([row.found for row in rows])
    both = identified & found
    return {
        "scans": len(rows),
        "bodies": len(identified),
        "identification_rate": float(identified.mean()),
        "scans_all_right": float(np.mean([row.identified.all() for row in rows])),
        "found_rate": float(found.mean()),
        "identification_rate_of_found": float(both.sum() / max(1, found.sum())),
        "scans_all_found": float(np.mean([row.found.all() for row in rows])),
        "scans_all_right_of_found": float(
            np.mean([row.identified[row.found].all() for row in rows])
        ),
        "scans_shifted": int(sum(row.shifted for row in rows)),
    }
