"""``vertebrae.csv``: a row per vertebra, for spreadsheets and statistics."""

from __future__ import annotations

import csv
import io
import math

from ..analysis import Manifest, SpineAnalysis, Vertebra
from ..missing import missing_reasons

_HEIGHTS = ("anterior", "middle", "posterior")
_LOSSES = ("wedge", "biconcave", "crush")

COLUMNS: tuple[str, ...] = (
    "level",
    "level_probability",
    "runner_up_level",
    "runner_up_probability",
    "level_margin",
    "center_x_lps_mm",
    "center_y_lps_mm",
    "center_z_lps_mm",
    "grade",
    "shape",
    "borderline",
    *(f"grade_{g}_probability" for g in range(4)),
    "morphometric_grade",
    "learned_grade",
    *(f"height_{name}_mm" for name in _HEIGHTS),
    *(f"height_{name}_spread_mm" for name in _HEIGHTS),
    *(f"height_loss_{name}" for name in _LOSSES),
    "height_reference",
    "density_hu",
    "volume_ml",
    "flags",
    "flag_reasons",
    "not_measured",
)
"""Header of the table."""


def analysis_to_csv(analysis: SpineAnalysis) -> str:
    """Return the vertebrae as CSV text (RFC 4180, comma, point as decimal separator).

    What could not be measured is an empty cell; the column ``not_measured`` gives the reasons.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for vertebra in analysis.vertebrae:
        row = _row(vertebra, analysis.manifest)
        table.writerow([_cell(row[name]) for name in COLUMNS])
    return text.getvalue()


def _row(v: Vertebra, manifest: Manifest) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(v, name) for name in COLUMNS if hasattr(v, name)}
    row |= {f"center_{a}_lps_mm": c for a, c in zip("xyz", v.center_lps_mm, strict=True)}
    row |= {
        f"grade_{g}_probability": v.grade_probabilities and v.grade_probabilities[g]
        for g in range(4)
    }
    for name in _HEIGHTS:
        row[f"height_{name}_mm"] = getattr(v.heights_mm, name, None)
        row[f"height_{name}_spread_mm"] = getattr(v.heights_spread_mm, name, None)
    row |= {f"height_loss_{name}": getattr(v.height_loss, name, None) for name in _LOSSES}
    row["height_reference"] = getattr(v.height_reference, "source", None)
    row["flags"] = " ".join(dict.fromkeys(flag.code for flag in v.flags))
    row["flag_reasons"] = " ".join(flag.reason for flag in v.flags)
    missing = missing_reasons(v, manifest)
    row["not_measured"] = "; ".join(f"{figure}: {why}" for figure, why in missing.items())
    return row


def _cell(value: object) -> object:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1000 else value
