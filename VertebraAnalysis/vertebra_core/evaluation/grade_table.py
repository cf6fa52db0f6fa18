"""Tables of Genant grades: a row per vertebra, or a row per scan as VerSe'19 was published [1]_.

References
----------
.. [1] Loeffler et al., "A vertebral segmentation dataset with fracture grading", Radiol Artif
   Intell 2 (2020) e190138, appendix E1.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from ..levels import level_named, level_numbered
from .table_text import rows_of

_GRADE_COLUMN = re.compile(r"([CTL]\d{1,2})_fx-g")
_SCAN_COLUMNS = ("verse_scan", "case")
_VERSE_SCAN = re.compile(r"(?:sub-)?(verse\d+)")
_FOREIGN_MATERIAL = "x"
"""Stands in the published table instead of a grade."""


def read_grades(path: Path) -> dict[str, dict[str, int]]:
    """Read a table of Genant grades.

    Parameters
    ----------
    path : Path
        CSV (see `table_text.rows_of`) with a row per vertebra and the columns ``verse_scan`` (or
        ``case``), ``label`` (VerSe number, or name such as L1) and ``genant_grade``; or the
        published table of VerSe'19: a row per scan with ``verse_ID`` (4 is verse004) and
        ``T1_fx-g`` to ``L6_fx-g``. An empty grade, or one that begins with ``x``, is none.

    Returns
    -------
    dict
        Scan -> level name -> grade; ``sub-verse004`` is called verse004.

    Raises
    ------
    InputError
        ``bad_grades``, if the table has other columns or values, gives a vertebra two grades, or
        holds no grade at all.
    """
    grades: dict[str, dict[str, int]] = {}
    try:
        for number, row in rows_of(path):
            scan, found = _named(number, row)
            # Some systems write an umlaut as two characters.
            _add(grades, number, unicodedata.normalize("NFC", scan), found)
        if not grades:
            raise ValueError("it holds no grade")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(
            "bad_grades",
            f"{Path(path).name} is not a table of grades ({reason or error}).",
            "Save it as CSV with the columns verse_scan, label and genant_grade, or those of "
            "VerSe's own.",
        ) from error
    return grades


def _named(number: int, row: Mapping[str, str]) -> tuple[str, dict[str, int]]:
    """Return scan and grades of a row."""
    if "verse_ID" not in row:
        for column in (next((c for c in _SCAN_COLUMNS if c in row), "case"), "label",
                       "genant_grade"):  # fmt: skip
            if column not in row:
                raise ValueError(f"no column '{column}'")
    try:
        return _published(row) if "verse_ID" in row else _of_vertebra(row)
    except ValueError as error:
        raise ValueError(f"row {number}: {error}") from error


def _add(
    grades: dict[str, dict[str, int]], number: int, scan: str, found: Mapping[str, int]
) -> None:
    for level, grade in found.items():
        before = grades.setdefault(scan, {}).setdefault(level, grade)
        if before != grade:
            raise ValueError(
                f"row {number}: {level} of {scan} has grade {grade}, in an earlier row {before}"
            )


def _of_vertebra(row: Mapping[str, str]) -> tuple[str, dict[str, int]]:
    scan = next(row[column] for column in _SCAN_COLUMNS if column in row)
    if not scan:
        raise ValueError("no scan is named")
    verse = _VERSE_SCAN.fullmatch(scan)
    grade = _grade(row["genant_grade"])
    level = _level(row["label"])
    return verse.group(1) if verse else scan, {} if grade is None else {level: grade}


def _published(row: Mapping[str, str]) -> tuple[str, dict[str, int]]:
    scan = row["verse_ID"]
    if not scan:
        # Spreadsheets leave empty rows below the last one.
        return "", {}
    verse = _VERSE_SCAN.fullmatch(scan)
    name = verse.group(1) if verse else f"verse{_whole(scan):03d}"
    columns = [(m[1], m[0]) for m in map(_GRADE_COLUMN.fullmatch, row) if m]
    if not columns:
        raise ValueError("no column of grades such as L1_fx-g")
    graded = {_level(level): _grade(row[column]) for level, column in columns}
    return name, {level: grade for level, grade in graded.items() if grade is not None}


def _level(text: str) -> str:
    """Return the name of a level that is given by name or VerSe number."""
    try:
        if text[:1].isalpha():
            return level_named(text.upper()).name
        return level_numbered(_whole(text)).name
    except KeyError as error:
        raise ValueError(f"there is no level {text}") from error


def _grade(text: str) -> int | None:
    """Return a grade, None where there is none."""
    if not text or text.lower().startswith(_FOREIGN_MATERIAL):
        return None
    grade = _whole(text)
    if not 0 <= grade <= 3:
        raise ValueError(f"there is no grade {text}")
    return grade


def _whole(text: str) -> int:
    # A column with empty cells may have been saved with decimals.
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = 0.5
    if not number.is_integer():
        raise ValueError(f"'{text}' is no whole number")
    return int(number)
