"""The tables of a comparison: systems against the figures of their stop, published ones beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..grading.fracture_networks import WALLS
from .compare_answers import STOPS
from .compare_cases import KIND_SEPARATOR, data_title
from .grading_metrics import confusion_matrix, detection_figures, grade_figures, weighted_kappa
from .localisation_metrics import match_case, summarise_localisation
from .perturbations import PERTURBATIONS
from .published_figures import PUBLISHED, Published
from .records import PHANTOM, REAL, CaseRecord
from .summary import (
    grading_figures,
    labelling_figures,
    localisation_figures,
    mask_figures,
    masks_of,
)
from .tables import Cell, Table, decimals, percent, scan_count

LESION_LIMIT_MM = 10.0
"""A lesion is found when a candidate lies within this distance of its centre."""

_KINDS = [
    kind + suffix
    for kind in (PHANTOM, REAL)
    for suffix in ("", *(f"{KIND_SEPARATOR}{name}" for name in PERTURBATIONS))
]

Figures = Mapping[str, object]
Column = tuple[str, Callable[[Figures], Cell]]
Results = Mapping[tuple[str, str, str], Sequence[CaseRecord]]
"""(stop, system, kind of data) -> records."""


def _mm(key: str) -> Column:
    titles = {"localisation_error_mm": "all", "mean_surface_distance_mm": "MSD",
              "hausdorff_mm": "HD", "hausdorff95_mm": "HD95",
              "average_hausdorff_mm": "aver. HD"}  # fmt: skip
    return f"{titles.get(key, key)} mm", lambda f: decimals(f.get(key))


def _share(title: str, key: str) -> Column:
    return title, lambda f: percent(f.get(key))


def _number(title: str, key: str, digits: int = 3) -> Column:
    return title, lambda f: decimals(f.get(key), digits)


COLUMNS: dict[str, tuple[Column, ...]] = {
    "localisation": (
        _mm("cervical"),
        _mm("thoracic"),
        _mm("lumbar"),
        _mm("localisation_error_mm"),
        _number("SD mm", "localisation_error_sd_mm", 2),
        _share("<= 1.5 mm", "within_1.5_mm"),
        _share("<= 2 mm", "within_2_mm"),
        _share("<= 3 mm", "within_3_mm"),
        _share("recall", "recall"),
        _number("false/scan", "false_positives_per_scan", 2),
    ),
    "segmentation": (
        _number("DSC", "dice_mean"),
        _number("DSC body", "dice_body_mean"),
        _number("IoU", "iou_mean"),
        _number("PA", "pixel_accuracy_mean"),
        _number("FPD", "false_positive_rate_mean", 4),
        _number("FND", "false_negative_rate_mean"),
        _mm("mean_surface_distance_mm"),
        _mm("hausdorff_mm"),
        _mm("average_hausdorff_mm"),
    ),
    "labelling": (
        _share("right before logic", "level_accuracy_before_logic"),
        _share("right after", "level_accuracy"),
        _share("identified before", "identification_rate_before_logic"),
        _share("identified after", "identification_rate"),
        _share("scans before", "scans_all_right_before_logic"),
        _share("scans after", "scans_all_right"),
    ),
    "grading": (
        _number("kappa", "kappa_quadratic", 2),
        *(_number(f"F1 {g}", f"f1_grade_{g}", 2) for g in range(4)),
        _share("any: sens.", "any_fracture_sensitivity"),
        _share("any: PPV", "any_fracture_ppv"),
        _share(">= 2: sens.", "grade_2_or_3_sensitivity"),
        _share(">= 2: PPV", "grade_2_or_3_ppv"),
    ),
    "walls": tuple(
        _share(f"{wall}: {title}", f"{wall}_{key}")
        for wall in WALLS
        for title, key in (("sens.", "sensitivity"), ("PPV", "ppv"))
    ),
    "lesions": (
        _share("found", "recall"),
        _number("error mm", "localisation_error_mm", 2),
        _share("kind right", "kind_right"),
        _number("false/scan", "false_positives_per_scan", 2),
    ),
}
"""Stop -> columns: title, and what to show of its figures."""

NOTE = (
    "Published figures were measured on other scans; what is not stated is left out. "
    "The public summary of VertebraFormer (Du 2026) states none."
)

TITLES = {
    "localisation": "Localisation of body centres",
    "segmentation": "Segmentation of vertebrae",
    "labelling": "Levels before and after positional logic",
    "grading": "Genant grades",
    "walls": "Broken endplates and posterior walls",
    "lesions": "Lesion candidates",
}


def comparison_tables(results: Results) -> list[Table]:
    """Return a table per stop that any system stands for, phantoms and real scans in rows apart."""
    tables = []
    for stop in STOPS:
        rows = [
            _row(stop, system, f"{data_title(kind)}, this project", own)
            for (at, system, kind), own in sorted(results.items(), key=_order)
            if at == stop and own
        ]
        rows = [row for row in rows if row is not None]
        if not rows:
            continue
        rows += [_published_row(p) for p in PUBLISHED if p.stop == stop]
        columns = ("system", "data", "n", *(title for title, _ in COLUMNS[stop]))
        tables.append(Table(TITLES[stop], columns, tuple(rows), NOTE, n_left=3))
    return tables


def figures_of(stop: str, records: Sequence[CaseRecord]) -> dict:
    """Return the figures of one system at its stop."""
    if stop == "localisation":
        figures = localisation_figures(records)
        regions = figures["localisation_by_region"]
        return figures | {k: v["error_mean_mm"] for k, v in regions.items() if k != "all"}
    if stop == "segmentation":
        return mask_figures(records)
    if stop == "labelling":
        return labelling_figures(records)
    if stop == "grading":
        return grading_figures(records)
    if stop == "walls":
        return wall_figures(records)
    return lesion_figures(records)


def contributing(stop: str, records: Sequence[CaseRecord]) -> list[CaseRecord]:
    """Return the records that any figure of a stop rests on.

    Scans without true masks, grades or walls say nothing of them; one without lesions still shows
    false candidates.
    """
    tells = {
        "localisation": lambda r: r.truth,
        "segmentation": lambda r: masks_of([r], "vertebra"),
        "labelling": lambda r: r.truth,
        "grading": lambda r: grading_figures([r]).get("n_graded"),
        "walls": lambda r: wall_figures([r])["n_walls"],
        "lesions": lambda r: True,
    }[stop]
    return [record for record in records if tells(record)]


def wall_figures(records: Sequence[CaseRecord]) -> dict:
    """Return sensitivity and positive predictive value of each broken wall."""
    pairs = [
        (record.truth[i].shape or "", record.found[j].shape or "")
        for record in records
        for i, j, _ in match_case(record).pairs
    ]
    figures: dict = {"n_walls": len(pairs)}
    for wall in WALLS:
        confusion = confusion_matrix([wall in t for t, _ in pairs], [wall in f for _, f in pairs])
        detection = detection_figures(confusion, 1)
        figures |= {f"{wall}_sensitivity": detection.sensitivity, f"{wall}_ppv": detection.ppv}
    return figures


def lesion_figures(records: Sequence[CaseRecord]) -> dict:
    """Return recall, error, kind and false candidates of lesions."""
    summary = summarise_localisation(records, LESION_LIMIT_MM)
    own = summary.regions["all"]
    kinds = [
        record.truth[i].shape == record.found[j].shape
        for record in records
        for i, j, _ in match_case(record, LESION_LIMIT_MM).pairs
    ]
    return {
        "n_lesions": own.n_true,
        "recall": own.recall,
        "localisation_error_mm": own.error_mean_mm,
        "kind_right": float(np.mean(kinds)) if kinds else None,
        "false_positives_per_scan": summary.false_positives_per_scan,
    }


def _order(item) -> tuple[int, int]:
    (stop, _, kind), _ = item
    # Systems keep the order they were given in; sorting is stable.
    return STOPS.index(stop), _KINDS.index(kind)


def _row(stop: str, system: str, data: str, records) -> tuple[Cell, ...] | None:
    figures = figures_of(stop, records)
    counted = {
        "localisation": "n_vertebrae",
        "segmentation": "n_masks",
        "labelling": None,
        "grading": "n_graded",
        "walls": "n_walls",
        "lesions": "n_lesions",
    }[stop]
    seen = sum(v.in_view for r in records for v in r.truth)
    vertebrae = figures.get(counted) if counted else seen
    if not vertebrae:
        return None
    thing = "lesions" if stop == "lesions" else "vertebrae"
    n = f"{scan_count(len(contributing(stop, records)))}, {vertebrae} {thing}"
    return (system, data, n, *(show(figures) for _, show in COLUMNS[stop]))


def _published_row(published: Published) -> tuple[Cell, ...]:
    figures: dict = dict(published.figures)
    if published.confusion:
        figures |= _grades_of(published.confusion_matrix())
    shown = (show(figures) for _, show in COLUMNS[published.stop])
    return (published.system, published.data, published.n, *shown)


def _grades_of(confusion: np.ndarray) -> dict:
    fractures, moderate = detection_figures(confusion, 1), detection_figures(confusion, 2)
    return {
        "kappa_quadratic": weighted_kappa(confusion),
        **{f"f1_grade_{g.grade}": g.f1 for g in grade_figures(confusion)},
        "any_fracture_sensitivity": fractures.sensitivity,
        "any_fracture_ppv": fractures.ppv,
        "grade_2_or_3_sensitivity": moderate.sensitivity,
        "grade_2_or_3_ppv": moderate.ppv,
    }
