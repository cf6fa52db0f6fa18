"""All figures of an evaluation over several scans, as one dictionary that is ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from ..levels import MOBILE_LEVELS
from .calibration import Calibration
from .flag_promises import promise_figures
from .grading_metrics import summarise_grading
from .labelling_metrics import before_positional_logic, summarise_labelling
from .localisation_metrics import summarise_localisation
from .records import KINDS, CaseRecord, FoundVertebra, MaskScore
from .reliability import grade_calibration, level_calibration

DISTANCE_FIELDS = (
    "mean_surface_distance_mm",
    "hausdorff_mm",
    "hausdorff95_mm",
    "average_hausdorff_mm",
)
OVERLAP_FIELDS = (
    "dice",
    "iou",
    "pixel_accuracy",
    "false_positive_rate",
    "false_negative_rate",
)


def summarise(records: Sequence[CaseRecord]) -> dict:
    """Return every figure over `records`; where several kinds are mixed, also of each alone.

    Shares are fractions. What the truth does not allow to be measured is None.
    """
    figures = _summarise(records)
    groups = {kind: [r for r in records if r.kind == kind] for kind in KINDS}
    for kind, group in groups.items():
        figures[f"n_{kind}_scans"] = len(group)
    mixed = {kind: group for kind, group in groups.items() if group}
    if len(mixed) > 1:
        figures |= {kind: _summarise(group) for kind, group in mixed.items()}
    return figures


def _summarise(records: Sequence[CaseRecord]) -> dict:
    return {
        "n_scans": len(records),
        **localisation_figures(records),
        **labelling_figures(records),
        **mask_figures(records),
        **grading_figures(records),
        "flag_promises": promise_figures(records),
        "seconds_mean": _mean([sum(r.seconds_per_stage.values()) for r in records]),
        "notes": sorted({f"{r.name}: {note}" for r in records for note in r.notes}),
    }


def localisation_figures(records: Sequence[CaseRecord]) -> dict:
    """Return the figures of localisation.

    Those of LocNet-F and LocNet-H alone, ``localisation_by_localiser``, are empty unless all scans
    were evaluated with ``--localisers``.
    """
    summary = summarise_localisation(records)
    everything = summary.regions["all"]
    stray = [r.stray_ml for r in records if r.stray_ml is not None]
    return {
        "n_vertebrae": everything.n_true,
        "recall": everything.recall,
        "localisation_error_mm": everything.error_mean_mm,
        "localisation_error_sd_mm": everything.error_sd_mm,
        "localisation_error_median_mm": everything.error_median_mm,
        "localisation_error_max_mm": everything.error_max_mm,
        **{f"within_{k:g}_mm": v for k, v in everything.within.items()},
        "false_positives": summary.false_positives,
        "false_positives_per_scan": summary.false_positives_per_scan,
        "outside_spine": summary.outside_spine,
        "stray_ml": float(sum(stray)) if stray else None,
        "cut_vertebrae": summary.cut_true,
        "cut_vertebrae_found": summary.cut_found,
        "localisation_by_region": {k: _plain(asdict(v)) for k, v in summary.regions.items()},
        "localisation_by_localiser": {
            name: {
                region: _plain(asdict(v))
                for region, v in summarise_localisation(
                    with_localiser(records, name)
                ).regions.items()
            }
            for name in localisers(records)
        },
    }


def localisers(records: Sequence[CaseRecord]) -> tuple[str, ...]:
    """Return the names of the localisers that were compared in all of `records`."""
    sets = [set(r.centres_by_localiser) for r in records]
    return tuple(sorted(set.intersection(*sets))) if sets else ()


def with_localiser(records: Sequence[CaseRecord], name: str) -> list[CaseRecord]:
    """Return `records` as if the centres of localiser `name` were what had been found."""
    return [
        replace(r, found=tuple(FoundVertebra("C1", c) for c in r.centres_by_localiser[name]))
        for r in records
    ]


def labelling_figures(records: Sequence[CaseRecord]) -> dict:
    """Return the figures of labelling, also before positional logic where that is known."""
    summary = summarise_labelling(records)
    calibration = level_calibration(records)
    raw = [before_positional_logic(r) for r in records if r.found]
    figures = {
        "identification_rate": summary.identification_rate,
        "level_accuracy": summary.accuracy_of_found,
        "scans_all_right": summary.scans_all_right,
        "shifted_scans": summary.shifted_scans,
        "level_calibration_error": calibration.error,
        "level_calibration_bins": _bins(calibration),
        "levels": {k: asdict(v) for k, v in summary.levels.items()},
        "levels_by_region": {k: asdict(v) for k, v in summary.regions.items()},
        "identification_rate_before_logic": None,
        "level_accuracy_before_logic": None,
        "scans_all_right_before_logic": None,
    }
    if raw and all(r is not None for r in raw):
        nothing_found = [r for r in records if not r.found]
        before = summarise_labelling([*raw, *nothing_found])
        figures["identification_rate_before_logic"] = before.identification_rate
        figures["level_accuracy_before_logic"] = before.accuracy_of_found
        figures["scans_all_right_before_logic"] = before.scans_all_right
        figures["levels_before_logic"] = {k: asdict(v) for k, v in before.levels.items()}
    return figures


def masks_of(records: Sequence[CaseRecord], part: str) -> list[MaskScore]:
    """Return the scores of all vertebrae in view, of ``"vertebra"`` or ``"body"``."""
    return [m for r in records for m in r.masks if m.part == part and m.in_view]


def mask_means(scores: Sequence[MaskScore]) -> dict[str, float | None]:
    """Return the mean of every measure; overlaps count missed masks, distances cannot."""
    figures: dict[str, float | None] = {
        f"{name}_mean": _mean([getattr(s, name) for s in scores]) for name in OVERLAP_FIELDS
    }
    for name in DISTANCE_FIELDS:
        figures[name] = _mean([getattr(s, name) for s in scores if s.found_level is not None])
    figures["dice_min"] = min((s.dice for s in scores), default=None)
    figures["dice_sd"] = float(np.std([s.dice for s in scores])) if scores else None
    return figures


def mask_figures(records: Sequence[CaseRecord]) -> dict:
    """Return the figures of segmentation: ``dice_mean``, ``dice_body_mean`` and so on."""
    figures: dict = {}
    for part in ("vertebra", "body"):
        scores = masks_of(records, part)
        figures["n_masks" if part == "vertebra" else "n_body_masks"] = len(scores)
        for name, value in mask_means(scores).items():
            figures[_key(name, part)] = value
    figures["masks_by_level"] = {
        part: {
            level.name: {"n": len(own), **mask_means(own)}
            for level in MOBILE_LEVELS
            if (own := [s for s in masks_of(records, part) if s.level == level.name])
        }
        for part in ("vertebra", "body")
    }
    return figures


def grading_figures(records: Sequence[CaseRecord]) -> dict:
    """Return the figures of grading and heights; empty where no truth is known."""
    summary = summarise_grading(records)
    if summary is None:
        return {}
    calibration = grade_calibration(records)
    any_fracture, moderate = summary.any_fracture, summary.moderate_or_worse
    return {
        "n_graded": int(summary.confusion.sum()),
        "kappa_quadratic": summary.kappa_quadratic,
        "kappa_linear": summary.kappa_linear,
        **{f"f1_grade_{g.grade}": g.f1 for g in summary.grades},
        **{f"precision_grade_{g.grade}": g.precision for g in summary.grades},
        **{f"recall_grade_{g.grade}": g.recall for g in summary.grades},
        "any_fracture_sensitivity": any_fracture.sensitivity,
        "any_fracture_specificity": any_fracture.specificity,
        "any_fracture_ppv": any_fracture.ppv,
        "grade_2_or_3_sensitivity": moderate.sensitivity,
        "grade_2_or_3_specificity": moderate.specificity,
        "grade_2_or_3_ppv": moderate.ppv,
        "confusion_matrix": summary.confusion.tolist(),
        "not_graded": summary.not_graded,
        "fractured_not_graded": summary.fractured_not_graded,
        "shape_accuracy": summary.shape_accuracy,
        "grade_calibration_error": calibration.error,
        "grade_calibration_bins": _bins(calibration),
        "height_error_mm": {k: h.mean_absolute_error_mm for k, h in summary.heights.items()},
        "height_bias_mm": {k: h.bias_mm for k, h in summary.heights.items()},
        "height_error95_mm": {k: h.error95_mm for k, h in summary.heights.items()},
        "n_heights": max(h.n for h in summary.heights.values()),
    }


def _key(name: str, part: str) -> str:
    if part == "vertebra":
        return name
    return name.replace("dice_", "dice_body_") if name.startswith("dice_") else f"body_{name}"


def _bins(calibration: Calibration) -> list[dict]:
    return [asdict(b) for b in calibration.bins]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _plain(figures: dict) -> dict:
    return {
        **{k: v for k, v in figures.items() if k != "within"},
        **{f"within_{k:g}_mm": v for k, v in figures["within"].items()},
    }
