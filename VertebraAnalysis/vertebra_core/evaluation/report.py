"""The tables that `evaluate` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..levels import MOBILE_LEVELS
from .flag_promises import promise_table
from .grading_metrics import GradingSummary, summarise_grading
from .labelling_metrics import LevelFigures, before_positional_logic, summarise_labelling
from .localisation_metrics import (
    ACCURACY_LIMITS_MM,
    LocalisationSummary,
    match_case,
    summarise_localisation,
)
from .records import CaseRecord, MaskScore
from .reliability import reliability_tables
from .summary import localisers, mask_means, masks_of, with_localiser
from .tables import Cell, Table, decimals, percent

_LOCALISERS_ALONE = "Of the whole pipeline; --localisers states LocNet-F and LocNet-H alone too."


def report_tables(records: Sequence[CaseRecord], title: str) -> list[Table]:
    """Return the tables for `records`, all of which carry `title`."""
    pipeline = localisation_table(summarise_localisation(records), f"{title}: localisation")
    if not localisers(records):
        pipeline = replace(pipeline, note=f"{pipeline.note} {_LOCALISERS_ALONE}")
    tables = [cases_table(records, title), pipeline]
    tables += [
        localisation_table(
            summarise_localisation(with_localiser(records, name)),
            f"{title}: localisation by {name}",
        )
        for name in localisers(records)
    ]
    for part in ("vertebra", "body"):
        scores = masks_of(records, part)
        if scores:
            tables.append(mask_table(scores, f"{title}: segmentation, {part}"))
    tables += labelling_tables(records, title)
    grading = summarise_grading(records)
    if grading is not None:
        tables += grading_tables(grading, title)
    tables += reliability_tables(records, title)
    flags = promise_table(records, title)
    return [*tables, flags] if flags else tables


def cases_table(records: Sequence[CaseRecord], title: str) -> Table:
    """One row per scan."""
    rows = []
    for record in records:
        matching = match_case(record)
        own = summarise_localisation([record])
        labelling = summarise_labelling([record])
        vertebra, body = masks_of([record], "vertebra"), masks_of([record], "body")
        n = own.regions["all"].n_true
        in_view = [(i, j) for i, j, _ in matching.pairs if record.truth[i].in_view]
        right = sum(record.truth[i].level == record.found[j].level for i, j in in_view)
        rows.append(
            (
                record.name,
                f"{own.regions['all'].n_found}/{n}",
                f"{right}/{n}",
                decimals(own.regions["all"].error_mean_mm),
                decimals(own.regions["all"].error_max_mm),
                own.false_positives,
                own.outside_spine,
                decimals(record.stray_ml, 1),
                decimals(mask_means(vertebra)["dice_mean"], 3),
                decimals(mask_means(vertebra)["dice_min"], 3),
                decimals(mask_means(body)["dice_mean"], 3),
                "yes" if labelling.scans_all_right == 1.0 else "no",
                decimals(sum(record.seconds_per_stage.values()) or None, 1),
            )
        )
    columns = (
        "scan",
        "found",
        "right level",
        "error mm",
        "worst mm",
        "false pos.",
        "off spine",
        "stray ml",
        "Dice",
        "worst Dice",
        "body Dice",
        "all right",
        "s",
    )
    return Table(f"{title} (n = {len(records)})", columns, tuple(rows))


def localisation_table(summary: LocalisationSummary, title: str) -> Table:
    """One row per region."""
    columns = ("region", "n", "recall", "error mm", "sd", "median", "max")
    columns += tuple(f"<= {limit:g} mm" for limit in ACCURACY_LIMITS_MM)
    rows: list[tuple[Cell, ...]] = [
        (
            f.region,
            f.n_true,
            percent(f.recall),
            decimals(f.error_mean_mm),
            decimals(f.error_sd_mm),
            decimals(f.error_median_mm),
            decimals(f.error_max_mm),
            *(percent(f.within.get(limit)) for limit in ACCURACY_LIMITS_MM),
        )
        for f in summary.regions.values()
    ]
    per_scan = decimals(summary.false_positives_per_scan, 3)
    note = (
        f"{summary.false_positives} false positives ({per_scan} per scan), "
        f"{summary.outside_spine} of them off the spine; {summary.cut_found} of {summary.cut_true} "
        "vertebrae mostly cut off by the field of view were reported too."
    )
    return Table(title, columns, tuple(rows), note)


def mask_table(scores: Sequence[MaskScore], title: str) -> Table:
    """One row per level and one for all."""
    columns = ("level", "n", "missed", "DSC", "sd", "min", "IoU", "PA", "FPD", "FND")
    columns += ("MSD mm", "HD mm", "HD95 mm", "avg. HD mm")
    groups = [(v.name, [s for s in scores if s.level == v.name]) for v in MOBILE_LEVELS]
    rows = [_mask_row(name, own) for name, own in [*groups, ("all", list(scores))] if own]
    note = "Missed vertebrae count as Dice 0; PA and FPD within the masks' box plus 10 mm."
    return Table(title, columns, tuple(rows), note)


def _mask_row(name: str, scores: Sequence[MaskScore]) -> tuple[Cell, ...]:
    mean = mask_means(scores)
    return (
        name,
        len(scores),
        sum(s.found_level is None for s in scores),
        decimals(mean["dice_mean"], 3),
        decimals(mean["dice_sd"], 3),
        decimals(mean["dice_min"], 3),
        decimals(mean["iou_mean"], 3),
        decimals(mean["pixel_accuracy_mean"], 3),
        decimals(mean["false_positive_rate_mean"], 3),
        decimals(mean["false_negative_rate_mean"], 3),
        decimals(mean["mean_surface_distance_mm"]),
        decimals(mean["hausdorff_mm"]),
        decimals(mean["hausdorff95_mm"]),
        decimals(mean["average_hausdorff_mm"]),
    )


def labelling_tables(records: Sequence[CaseRecord], title: str) -> list[Table]:
    """Naming after positional logic, and before it where that is known."""
    stages = [("after positional logic", list(records))]
    raw = [before_positional_logic(r) if r.found else r for r in records]
    if any(r.found for r in records) and all(r is not None for r in raw):
        stages.insert(0, ("before positional logic", raw))
    tables = []
    for stage, staged in stages:
        summary = summarise_labelling(staged)
        if summary.n_true == 0:
            continue
        rows = [_level_row(f) for f in [*summary.levels.values(), *summary.regions.values()]]
        note = (
            f"Identified within 20 mm: {percent(summary.identification_rate) or '-'} of "
            f"{summary.n_true}; named rightly of those found: "
            f"{percent(summary.accuracy_of_found) or '-'}; scans with every level right (vertebrae "
            "reported where there is none do not count): "
            f"{percent(summary.scans_all_right) or '-'} of {summary.n_scans}; "
            f"shifted as a whole: {summary.shifted_scans}. Accuracy is of those found; one vs. "
            "rest counts true negatives too."
        )
        columns = ("level", "n", "accuracy", "recall", "precision", "one vs. rest")
        tables.append(Table(f"{title}: levels {stage}", columns, tuple(rows), note))
    return tables


def _level_row(figures: LevelFigures) -> tuple[Cell, ...]:
    return (
        figures.name,
        figures.n_true,
        percent(figures.accuracy),
        percent(figures.recall),
        percent(figures.precision),
        percent(figures.one_vs_rest_accuracy),
    )


def grading_tables(summary: GradingSummary, title: str) -> list[Table]:
    """Confusion matrix with precision, recall and F1; detection; heights."""
    tables = []
    if summary.confusion.sum():
        columns = ("true grade", "given 0", "1", "2", "3", "precision", "recall", "F1")
        rows = [
            (
                str(g.grade),
                *(int(n) for n in summary.confusion[g.grade]),
                decimals(g.precision),
                decimals(g.recall),
                decimals(g.f1),
            )
            for g in summary.grades
        ]
        note = (
            f"Kappa {decimals(summary.kappa_quadratic, 3) or '-'} (quadratic weights), "
            f"{decimals(summary.kappa_linear, 3) or '-'} (linear); "
            f"{summary.not_graded} complete vertebrae not graded, "
            f"{summary.fractured_not_graded} of them fractured; right shape of detected "
            f"fractures: {percent(summary.shape_accuracy) or '-'}."
        )
        tables.append(Table(f"{title}: Genant grades", columns, tuple(rows), note))
        detection = [
            (
                name,
                d.n_true,
                percent(d.sensitivity),
                percent(d.specificity),
                percent(d.ppv),
            )
            for name, d in (
                ("any fracture", summary.any_fracture),
                ("grade 2 or 3", summary.moderate_or_worse),
            )
        ]
        columns = ("finding", "n", "sensitivity", "specificity", "PPV")
        tables.append(Table(f"{title}: fractures", columns, tuple(detection)))
    heights = [
        (
            name,
            h.n,
            decimals(h.mean_absolute_error_mm),
            decimals(h.bias_mm),
            decimals(h.error95_mm),
        )
        for name, h in summary.heights.items()
        if h.n
    ]
    if heights:
        columns = ("height", "n", "mean abs. error mm", "bias mm", "95th percentile mm")
        tables.append(Table(f"{title}: heights", columns, tuple(heights)))
    return tables
