"""How well vertebrae were named.

A true vertebra is *identified* when a found one within 20 mm carries its level and no other true
vertebra is nearer to that found one: the rule of VerSe (Sekuboyina et al., Medical Image Analysis
73 (2021) 102166).

Lu et al. (2025) call two things accuracy: per region the share of vertebrae named rightly, per
level the share of all vertebrae decided rightly for or against it, true negatives counted. Here
the first is the accuracy of levels and regions alike; the second is called one vs. rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..levels import MOBILE_LEVELS, Region, level_named
from .localisation_metrics import MATCH_LIMIT_MM, REGION_ROWS, match_case
from .records import CaseRecord


@dataclass(frozen=True)
class LevelFigures:
    """Naming of one level, one region or all.

    Attributes
    ----------
    name : str
        Level or region.
    n_true : int
    accuracy : float or None
        Share of its found vertebrae named rightly.
    recall : float or None
        Share of its true vertebrae found and named rightly.
    precision : float or None
        Share of the vertebrae given this name (a name of this region) that have it.
    one_vs_rest_accuracy : float or None
        One level: share of all vertebrae, spurious ones included, decided rightly for or against
        it. True negatives count, so it is high even for a level that is never found. None for
        regions.
    """

    name: str
    n_true: int
    accuracy: float | None
    recall: float | None
    precision: float | None
    one_vs_rest_accuracy: float | None = None


@dataclass(frozen=True)
class LabellingSummary:
    """Naming over several scans.

    Attributes
    ----------
    identification_rate : float or None
        Share of true vertebrae in view identified.
    accuracy_of_found : float or None
        Share of found vertebrae named rightly.
    scans_all_right : float or None
        Share of scans with every vertebra in view found and named rightly, and every cut one that
        was found named rightly too. Vertebrae reported where there is none do not count.
    n_true, n_scans : int
        Scans whose truth is known; others say nothing of levels.
    shifted_scans : int
        Scans in which all found vertebrae are wrong by the same number of levels.
    levels, regions : dict of LevelFigures
    """

    identification_rate: float | None
    accuracy_of_found: float | None
    scans_all_right: float | None
    n_true: int
    n_scans: int
    shifted_scans: int
    levels: dict[str, LevelFigures]
    regions: dict[str, LevelFigures]


def identified(record: CaseRecord, limit_mm: float = MATCH_LIMIT_MM) -> tuple[bool, ...]:
    """Tell for each true vertebra of `record` whether it was identified."""
    if not record.truth or not record.found:
        return (False,) * len(record.truth)
    true_lps = np.array([v.center_lps_mm for v in record.truth])
    found_lps = np.array([v.center_lps_mm for v in record.found])
    distance = np.linalg.norm(true_lps[:, None] - found_lps[None], axis=-1)
    nearest_true = distance.argmin(axis=0)
    return tuple(
        any(
            found.level == true.level and distance[i, j] <= limit_mm and nearest_true[j] == i
            for j, found in enumerate(record.found)
        )
        for i, true in enumerate(record.truth)
    )


def before_positional_logic(record: CaseRecord) -> CaseRecord | None:
    """Return `record` as if each vertebra bore the level that the network alone preferred.

    Returns
    -------
    CaseRecord or None
        None when the network's own levels are not known.
    """
    if not record.found or any(v.network_level is None for v in record.found):
        return None
    return replace(record, found=tuple(replace(v, level=v.network_level) for v in record.found))


def level_shift(record: CaseRecord) -> int | None:
    """Return by how many levels all found vertebrae are off alike, or None if they differ.

    Positive is too far to the foot. T13 and L6 are counted as places only where the truth has them.
    """
    present = {v.level for v in record.truth} | {v.level for v in record.found}
    order = [v.name for v in MOBILE_LEVELS if v.name not in ("T13", "L6") or v.name in present]
    shifts = {
        order.index(record.found[j].level) - order.index(record.truth[i].level)
        for i, j, _ in match_case(record).pairs
    }
    return shifts.pop() if len(shifts) == 1 else None


def summarise_labelling(
    records: Sequence[CaseRecord], limit_mm: float = MATCH_LIMIT_MM
) -> LabellingSummary:
    """Summarise how the vertebrae of `records` were named."""
    true_names: list[str] = []
    given_names: list[str | None] = []
    spurious_names: list[str] = []
    identified_count = right_scans = shifted = 0
    known = [record for record in records if record.truth]
    for record in known:
        matching = match_case(record, limit_mm)
        partner = {i: j for i, j, _ in matching.pairs}
        is_identified = identified(record, limit_mm)
        all_right = True
        for i, vertebra in enumerate(record.truth):
            name = record.found[partner[i]].level if i in partner else None
            if vertebra.in_view:
                true_names.append(vertebra.level)
                given_names.append(name)
                identified_count += is_identified[i]
                all_right &= is_identified[i]
            elif name is not None:
                all_right &= name == vertebra.level
        spurious_names += [record.found[j].level for j in matching.spurious]
        right_scans += all_right
        shifted += level_shift(record) not in (None, 0)
    n = len(true_names)
    found = [(t, g) for t, g in zip(true_names, given_names, strict=True) if g is not None]
    return LabellingSummary(
        identification_rate=identified_count / n if n else None,
        accuracy_of_found=float(np.mean([t == g for t, g in found])) if found else None,
        scans_all_right=right_scans / len(known) if known else None,
        n_true=n,
        n_scans=len(known),
        shifted_scans=shifted,
        levels=_per_level(true_names, given_names, spurious_names),
        regions=_per_region(true_names, given_names, spurious_names),
    )


def _per_level(true_names, given_names, spurious_names) -> dict[str, LevelFigures]:
    everything = [*zip(true_names, given_names, strict=True), *((None, s) for s in spurious_names)]
    figures = {}
    for level in MOBILE_LEVELS:
        name = level.name
        n_true = true_names.count(name)
        n_found = sum(t == name and g is not None for t, g in everything)
        n_given = sum(g == name for _, g in everything)
        if n_true == 0 and n_given == 0:
            continue
        right = sum(t == name and g == name for t, g in everything)
        figures[name] = LevelFigures(
            name,
            n_true,
            accuracy=right / n_found if n_found else None,
            recall=right / n_true if n_true else None,
            precision=right / n_given if n_given else None,
            one_vs_rest_accuracy=float(
                np.mean([(t == name) == (g == name) for t, g in everything])
            ),
        )
    return figures


def _per_region(true_names, given_names, spurious_names) -> dict[str, LevelFigures]:
    def inside(name: str | None, region: Region | None) -> bool:
        return name is not None and region in (None, level_named(name).region)

    figures = {}
    for title, region in REGION_ROWS:
        pairs = [(t, g) for t, g in zip(true_names, given_names, strict=True) if inside(t, region)]
        found = [(t, g) for t, g in pairs if g is not None]
        given = [
            (t, g)
            for t, g in [
                *zip(true_names, given_names, strict=True),
                *((None, s) for s in spurious_names),
            ]
            if inside(g, region)
        ]
        figures[title] = LevelFigures(
            title,
            len(pairs),
            accuracy=float(np.mean([t == g for t, g in found])) if found else None,
            recall=float(np.mean([t == g for t, g in pairs])) if pairs else None,
            precision=float(np.mean([t == g for t, g in given])) if given else None,
        )
    return figures
