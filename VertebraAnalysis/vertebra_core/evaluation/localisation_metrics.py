"""How well vertebral body centres were found.

Errors, shares within 1.5, 2 and 3 mm and recall follow the evaluation of Lu et al. (2025), regions
that of VertFault (2024); a centre counts as found within 20 mm, the limit of VerSe [1]_.

References
----------
.. [1] Sekuboyina et al., "VerSe: a vertebrae labelling and segmentation benchmark for
   multi-detector CT images", Medical Image Analysis 73 (2021) 102166.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..levels import Region, level_named
from .records import CaseRecord

MATCH_LIMIT_MM = 20.0
"""A true centre is found when a predicted one lies within this distance (VerSe)."""

OUTSIDE_LIMIT_MM = 25.0
"""A centre farther than this from the line through the true centres is outside the spine: beyond
half the width of the largest lumbar body, so neither a disc nor a neighbouring level counts."""

ACCURACY_LIMITS_MM = (1.5, 2.0, 3.0)
"""Error limits whose shares are stated (Lu et al., 2025)."""

REGION_ROWS: tuple[tuple[str, Region | None], ...] = (
    ("cervical", Region.CERVICAL),
    ("thoracic", Region.THORACIC),
    ("lumbar", Region.LUMBAR),
    ("all", None),
)


@dataclass(frozen=True)
class Matching:
    """One-to-one assignment of found centres to true ones.

    Attributes
    ----------
    pairs : tuple of (int, int, float)
        Index of the true centre, index of the found one, distance in mm.
    missed, spurious : tuple of int
        True centres without a found one, found centres without a true one.
    """

    pairs: tuple[tuple[int, int, float], ...]
    missed: tuple[int, ...]
    spurious: tuple[int, ...]


def match_centres(
    true_lps_mm: np.ndarray, found_lps_mm: np.ndarray, limit_mm: float = MATCH_LIMIT_MM
) -> Matching:
    """Assign found centres to true ones.

    The assignment minimises the sum of distances with every distance capped at `limit_mm`. The cap
    keeps one missed and one spurious centre from shifting a whole row of cervical vertebrae, whose
    neighbours lie within the limit.

    Parameters
    ----------
    true_lps_mm, found_lps_mm : ndarray, shape (n, 3) and (m, 3)
    limit_mm : float
    """
    true_lps_mm = np.asarray(true_lps_mm, float).reshape(-1, 3)
    found_lps_mm = np.asarray(found_lps_mm, float).reshape(-1, 3)
    distance = np.linalg.norm(true_lps_mm[:, None] - found_lps_mm[None], axis=-1)
    rows, columns = linear_sum_assignment(np.minimum(distance, limit_mm))
    pairs = tuple(
        (int(i), int(j), float(distance[i, j]))
        for i, j in zip(rows, columns, strict=True)
        if distance[i, j] <= limit_mm
    )
    taken_true = {i for i, _, _ in pairs}
    taken_found = {j for _, j, _ in pairs}
    return Matching(
        pairs,
        tuple(i for i in range(len(true_lps_mm)) if i not in taken_true),
        tuple(j for j in range(len(found_lps_mm)) if j not in taken_found),
    )


def match_case(record: CaseRecord, limit_mm: float = MATCH_LIMIT_MM) -> Matching:
    """Assign the found to the true vertebrae of `record`, cut ones included."""
    return match_centres(
        np.array([v.center_lps_mm for v in record.truth]),
        np.array([v.center_lps_mm for v in record.found]),
        limit_mm,
    )


def distance_from_spine_mm(point_lps_mm: np.ndarray, true_lps_mm: np.ndarray) -> float:
    """Distance of a point from the line through the true centres, extended by 40 mm at both ends.

    The extension covers a vertebra beyond the last one of the truth, e.g. cut by the field of view.

    Parameters
    ----------
    point_lps_mm : ndarray, shape (3,)
    true_lps_mm : ndarray, shape (n, 3)
        Head to foot or foot to head.

    Returns
    -------
    float
        Infinity when there is no true centre.
    """
    line = np.asarray(true_lps_mm, float).reshape(-1, 3)
    point = np.asarray(point_lps_mm, float)
    if len(line) == 0:
        return float("inf")
    if len(line) == 1:
        return float(np.linalg.norm(point - line[0]))
    first, last = line[0] - line[1], line[-1] - line[-2]
    line = np.vstack(
        [
            line[0] + 40.0 * first / np.linalg.norm(first),
            line,
            line[-1] + 40.0 * last / np.linalg.norm(last),
        ]
    )
    start, step = line[:-1], np.diff(line, axis=0)
    along = np.sum((point - start) * step, axis=1) / np.sum(step * step, axis=1)
    nearest = start + np.clip(along, 0, 1)[:, None] * step
    return float(np.linalg.norm(nearest - point, axis=1).min())


def found_outside_spine(record: CaseRecord, limit_mm: float = OUTSIDE_LIMIT_MM) -> tuple[int, ...]:
    """Return the indices of found vertebrae that lie off the true spine."""
    truth = sorted(record.truth, key=lambda v: level_named(v.level).order)
    line = np.array([v.center_lps_mm for v in truth])
    return tuple(
        j
        for j, v in enumerate(record.found)
        if distance_from_spine_mm(np.array(v.center_lps_mm), line) > limit_mm
    )


@dataclass(frozen=True)
class LocalisationFigures:
    """Localisation of one region, or of all.

    Attributes
    ----------
    region : str
    n_true, n_found : int
        True vertebrae in view, and how many of them were found.
    recall : float or None
        None where `n_true` is 0.
    error_mean_mm, error_sd_mm, error_median_mm, error_max_mm : float or None
        Of those found.
    within : dict of float
        Limit in mm -> share of all true vertebrae found within it (missed ones count against it).
    """

    region: str
    n_true: int
    n_found: int
    recall: float | None
    error_mean_mm: float | None
    error_sd_mm: float | None
    error_median_mm: float | None
    error_max_mm: float | None
    within: dict[float, float]


@dataclass(frozen=True)
class LocalisationSummary:
    """Localisation over several scans.

    Attributes
    ----------
    regions : dict of LocalisationFigures
        Keys ``cervical``, ``thoracic``, ``lumbar``, ``all``.
    n_scans : int
    false_positives : int
        Found centres without a true vertebra (in view or cut) within the limit.
    outside_spine : int
        Those of them off the spine.
    false_positives_per_scan : float or None
    cut_true, cut_found : int
        True vertebrae mostly cut off by the field of view, and how many of them were reported.
    """

    regions: dict[str, LocalisationFigures]
    n_scans: int
    false_positives: int
    outside_spine: int
    false_positives_per_scan: float | None
    cut_true: int
    cut_found: int


def summarise_localisation(
    records: Sequence[CaseRecord], limit_mm: float = MATCH_LIMIT_MM
) -> LocalisationSummary:
    """Summarise the localisation of `records`."""
    errors: dict[Region, list[float]] = {region: [] for region in Region}
    false_positives = outside = cut_true = cut_found = 0
    for record in records:
        matching = match_case(record, limit_mm)
        outside_indices = set(found_outside_spine(record))
        false_positives += len(matching.spurious)
        outside += len(outside_indices.intersection(matching.spurious))
        distance = {i: d for i, _, d in matching.pairs}
        for i, vertebra in enumerate(record.truth):
            if not vertebra.in_view:
                cut_true += 1
                cut_found += i in distance
            else:
                errors[level_named(vertebra.level).region].append(distance.get(i, np.inf))
    regions = {
        name: _figures(name, np.array(sum((errors[r] for r in Region if region in (None, r)), [])))
        for name, region in REGION_ROWS
    }
    return LocalisationSummary(
        regions,
        len(records),
        false_positives,
        outside,
        false_positives / len(records) if records else None,
        cut_true,
        cut_found,
    )


def _figures(region: str, error_mm: np.ndarray) -> LocalisationFigures:
    found = error_mm[np.isfinite(error_mm)]
    n = len(error_mm)
    has = len(found) > 0
    return LocalisationFigures(
        region=region,
        n_true=n,
        n_found=len(found),
        recall=len(found) / n if n else None,
        error_mean_mm=float(found.mean()) if has else None,
        error_sd_mm=float(found.std()) if has else None,
        error_median_mm=float(np.median(found)) if has else None,
        error_max_mm=float(found.max()) if has else None,
        within={limit: float(np.mean(error_mm <= limit)) for limit in ACCURACY_LIMITS_MM if n},
    )
