"""Tables of Genant grades: a row per vertebra, or a row per scan as VerSe'19 was published [1]_.

References
----------
.. [1] Loeffler et al., "A vertebral segmentation dataset with fracture grading", Radiol Artif
   Intell 2 (2020) e190138, appendix E1.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import InputError
from ..levels import level_named, level_numbered

_GRADE_COLUMN = re.compile(r"([CTL]\d{1,2})_fx-g")
_FOREIGN_MATERIAL = "x"
"""Stands in the published table instead of a grade."""


def read_grades(path: Path) -> dict[str, dict[str, int]]:
    """Read a table of Genant grades.

    Parameters
    ----------
    path : Path
        CSV with a row per vertebra and the columns ``verse_scan`` (or ``case``), ``label`` (VerSe
        number) and ``genant_grade``; or the published table of VerSe'19, saved as CSV with comma
        or semicolon: a row per scan with ``verse_ID`` (4 is verse004) and ``T1_fx-g`` to
        ``L6_fx-g``.

    Returns
    -------
    dict
        Scan -> level name -> grade.

    Raises
    ------
    InputError
        ``bad_grades``, if the table has other columns or values.
    """
    grades: dict[str, dict[str, int]] = {}
    try:
        # Excel begins its CSV with a mark of the encoding.
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            file.seek(0)
            delimiter = ";" if head.count(";") > head.count(",") else ","
            for row in csv.DictReader(file, delimiter=delimiter):
                scan, found = _published(row) if "verse_ID" in row else _of_vertebra(row)
                if found:
                    grades.setdefault(scan, {}).update(found)
    except (OSError, KeyError, ValueError, TypeError) as error:
        reason = f"no column {error}" if isinstance(error, KeyError) else str(error)
        if isinstance(error, OSError):
            reason = error.strerror or reason
        raise InputError(
            "bad_grades",
            f"{Path(path).name} is not a table of grades ({reason}).",
            "It needs the columns verse_scan, label and genant_grade, or those of VerSe's own.",
        ) from error
    return grades


def grades_of(case_name: str, grades: dict[str, dict[str, int]]) -> dict[str, int]:
    """Return the grades of the scan called `case_name`, or whose name is a whole word of it."""
    for name in (case_name, case_name.rpartition("/")[2]):
        if name in grades:
            return grades[name]
    words: Sequence[str] = re.split(r"[^A-Za-z0-9]+", case_name)
    return next((g for scan, g in grades.items() if scan in words), {})


def _of_vertebra(row: Mapping[str, str]) -> tuple[str, dict[str, int]]:
    scan = row["verse_scan"] if "verse_scan" in row else row["case"]
    return scan, {level_numbered(int(row["label"])).name: _grade(row["genant_grade"])}


def _published(row: Mapping[str, str]) -> tuple[str, dict[str, int]]:
    scan = (row["verse_ID"] or "").strip()
    if not scan:
        # Spreadsheets leave empty rows below the last one.
        return "", {}
    name = scan if scan.startswith("verse") else f"verse{_whole(scan):03d}"
    columns = [(m[1], m[0]) for m in map(_GRADE_COLUMN.fullmatch, filter(None, row)) if m]
    if not columns:
        raise ValueError("no column of grades such as L1_fx-g")
    cells = {level_named(level).name: (row[column] or "").strip() for level, column in columns}
    graded = {level: c for level, c in cells.items() if c and not c.startswith(_FOREIGN_MATERIAL)}
    return name, {level: _grade(cell) for level, cell in graded.items()}


def _grade(text: str) -> int:
    grade = _whole(text)
    if not 0 <= grade <= 3:
        raise ValueError(f"there is no grade {text}")
    return grade


def _whole(text: str) -> int:
    # A column with empty cells may have been saved with decimals.
    number = float(text)
    if not number.is_integer():
        raise ValueError(f"{text} is no whole number")
    return int(number)
