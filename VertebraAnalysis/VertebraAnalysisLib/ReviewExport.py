"""A review as files for spreadsheets and programs: what the analysis said, and what holds now."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vertebra_core.analysis import SpineAnalysis
from vertebra_core.analysis_json import analysis_to_dict
from vertebra_core.output.analysis_csv import COLUMNS, analysis_to_csv

from .Review import Review
from .ReviewedVertebra import ReviewedVertebra
from .WholeFile import writeWhole

_AI_FIGURES: tuple[str, ...] = (
    "level",
    "level_probability",
    "grade",
    "shape",
    "borderline",
    *(f"height_{name}_mm" for name in ("anterior", "middle", "posterior")),
    *(f"height_loss_{name}" for name in ("wedge", "biconcave", "crush")),
    "density_hu",
    "volume_ml",
)
_REVIEW_COLUMNS: tuple[str, ...] = (
    "rejected",
    "added",
    "level_changed",
    "grade_changed",
    "grade_overridden",
    "heights_changed",
    "remeasured",
    "reason",
    "changed_by",
    "changed_at",
    "reviewed",
    "reviewed_by",
    "reviewed_at",
)

CSV_COLUMNS: tuple[str, ...] = (
    "key",
    *COLUMNS,
    *(f"ai_{name}" for name in _AI_FIGURES),
    *_REVIEW_COLUMNS,
)
"""Header of the table: those of ``vertebrae.csv`` with the values that hold now, the analysis'
own values as ``ai_...``, and who changed what when."""

_OF_A_VERTEBRA: tuple[str, ...] = (
    "level",
    "level_probability",
    "runner_up_level",
    "runner_up_probability",
    "level_margin",
    "grade",
    "shape",
    "grade_probabilities",
    *(f"grade_{g}_probability" for g in range(4)),
    "morphometric_grade",
    "learned_grade",
    "borderline",
)
"""What is left empty of what the reader rejected, so that nobody counts it."""

_NO_VERTEBRA = "Not a vertebra, says the reader."

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def reviewToCsv(review: Review) -> str:
    """Return the vertebrae as CSV text (RFC 4180, comma, point as decimal separator)."""
    now = _rows(analysis_to_csv(review.currentAnalysis))
    analysed = _rows(analysis_to_csv(_analysed(review)))
    text = io.StringIO()
    table = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\r\n")
    table.writeheader()
    for vertebra, row, ai in zip(review.vertebrae, now, analysed, strict=True):
        if vertebra.rejected:
            row |= _emptied(row, "") | {"not_measured": f"level: {_NO_VERTEBRA}"}
        # The analysis named nothing that it missed.
        ai |= {"level": vertebra.aiLevel}
        own = {name: _cell(value) for name, value in _reviewFigures(review, vertebra).items()}
        table.writerow(
            {"key": vertebra.key, **row, **{f"ai_{n}": ai[n] for n in _AI_FIGURES}, **own}
        )
    return text.getvalue()


def reviewToJson(review: Review) -> str:
    """Return `Review.toJson` with the values that hold now beside it.

    The analysis' own values stay under ``vertebrae``; those that hold are under
    ``review.current``, in the same words, with who changed them when. `Review.fromJson` reads it.
    """
    content = json.loads(review.toJson())
    current = analysis_to_dict(review.currentAnalysis)["vertebrae"]
    for vertebra, entry in zip(review.vertebrae, current, strict=True):
        if vertebra.rejected:
            entry |= _emptied(entry, None) | {"not_measured": {"level": _NO_VERTEBRA}}
    content["review"]["current"] = [
        {"key": vertebra.key, **entry, **_reviewFigures(review, vertebra)}
        for vertebra, entry in zip(review.vertebrae, current, strict=True)
    ]
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def writeCsv(review: Review, path: Path | str) -> None:
    """Write `reviewToCsv` to a file, whole or not at all.

    Raises
    ------
    UserError
        If it cannot be written; an earlier file is untouched then.
    """
    # Spreadsheets take a file for UTF-8 only if it begins with the mark.
    writeWhole(path, reviewToCsv(review).encode("utf-8-sig"))


def writeJson(review: Review, path: Path | str) -> None:
    """Write `reviewToJson` to a file, whole or not at all; errors as in `writeCsv`."""
    writeWhole(path, reviewToJson(review).encode("utf-8"))


def _analysed(review: Review) -> SpineAnalysis:
    """The analysis, with what the reader added as it was measured then."""
    return replace(review.analysis, vertebrae=tuple(v.ai for v in review.vertebrae))


def _reviewFigures(review: Review, vertebra: ReviewedVertebra) -> dict[str, Any]:
    own = [c for c in review.standingChanges if c.key == vertebra.key]
    edits = [c for c in own if c.action != "reviewed"]
    marks = [c for c in own if c.action == "reviewed"] if vertebra.reviewed else []
    return {
        "rejected": vertebra.rejected,
        "added": vertebra.added,
        "level_changed": vertebra.levelChanged,
        "grade_changed": vertebra.gradeChanged,
        "grade_overridden": vertebra.gradeOverridden,
        "heights_changed": vertebra.heightsChanged,
        "remeasured": vertebra.remeasured,
        "reason": vertebra.reason,
        "changed_by": edits[-1].reader if edits else "",
        "changed_at": edits[-1].time if edits else "",
        "reviewed": vertebra.reviewed,
        "reviewed_by": marks[-1].reader if marks else "",
        "reviewed_at": marks[-1].time if marks else "",
    }


def _emptied(row: Mapping[str, Any], empty: str | None) -> dict[str, str | None]:
    return {name: empty for name in _OF_A_VERTEBRA if name in row}


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    # What a reader typed must not run as a formula of the spreadsheet.
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
