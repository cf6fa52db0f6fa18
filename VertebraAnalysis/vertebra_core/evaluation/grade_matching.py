"""Whose grades a table holds: its names of scans against the names of cases."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from ..errors import InputError

_VERSE_SCAN = re.compile(r"verse\d+")

Grades = Mapping[str, Mapping[str, int]]
"""Scan -> level name -> Genant grade."""


def grades_by_case(case_names: Sequence[str], grades: Grades) -> tuple[dict[str, int], ...]:
    """Return the grades of every case, {} for one that the table does not name.

    A scan of the table is the case of that name, else the one whose name ends with it behind a
    folder, or with it as VerSe's number (verse253 is ``sub-verse401_split-verse253``).

    Parameters
    ----------
    case_names : sequence of str
        Of all cases that there are.
    grades : mapping
        See `grade_table.read_grades`.

    Raises
    ------
    InputError
        ``no_graded_case`` if the table names none of the cases; ``grades_ambiguous`` if one of its
        names could mean several.
    """
    claims: dict[str, list[int]] = {}
    for place, name in enumerate(case_names):
        scan = _scan_of(name, grades)
        if scan is not None:
            claims.setdefault(scan, []).append(place)
    if grades and case_names and not claims:
        raise InputError(
            "no_graded_case",
            f"The table of grades names none of the scans: it has {min(grades)}, for one, where "
            f"a scan is called {min(case_names)}.",
            "Write the names of the scans into it as they are.",
        )
    found: list[dict[str, int]] = [{} for _ in case_names]
    for scan, places in claims.items():
        for place in _meant(scan, places, case_names):
            found[place] = dict(grades[scan])
    return tuple(found)


def _meant(scan: str, places: Sequence[int], case_names: Sequence[str]) -> Sequence[int]:
    """Return the places of the cases that `scan` means, of those that it could mean."""
    if _VERSE_SCAN.fullmatch(scan):
        # The same scan, if it comes twice: VerSe's numbers are the same everywhere.
        return places
    # Behind a folder it is another scan than the one that bears the name itself.
    exact = [place for place in places if case_names[place] == scan] or places
    if len(exact) > 1:
        meant = " or ".join(case_names[place] for place in exact)
        raise InputError(
            "grades_ambiguous",
            f"The name {scan} in the table of grades could mean {meant}.",
            "Give every scan a name of its own, there and in the table.",
        )
    return exact


def _scan_of(case_name: str, grades: Grades) -> str | None:
    """Return the name by which `grades` has a case."""
    case_name = unicodedata.normalize("NFC", case_name)
    # Only the last is the scan's: VerSe's later issue puts its patient first.
    verse = _VERSE_SCAN.findall(case_name)
    for name in (case_name, case_name.rpartition("/")[2], *verse[-1:]):
        if name in grades:
            return name
    return None
