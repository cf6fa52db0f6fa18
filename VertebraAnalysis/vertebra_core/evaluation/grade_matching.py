"""Whose grades a table holds: its names of scans against the names of cases."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from ..errors import InputError
from ..training.patient_split import patient_of

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
        names could mean several, as a patient's does who has several scans.
    """
    claims = _claims(case_names, grades)
    for scan in sorted(grades.keys() - claims.keys()):
        _refuse_patient(scan, case_names)
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


def names_without_case(case_names: Sequence[str], grades: Grades) -> str | None:
    """Return a sentence on names of a table that are of no case, None if there are none.

    Parameters
    ----------
    case_names : sequence of str
        Of all cases that there are.
    grades : mapping
    """
    left = sorted(grades.keys() - _claims(case_names, grades).keys())
    if not left:
        return None
    return f"{len(left)} of the {len(grades)} names in it are of no scan here, for one {left[0]}"


def _claims(case_names: Sequence[str], grades: Grades) -> dict[str, list[int]]:
    """Return the places of the cases that each name of `grades` could mean, if any."""
    claims: dict[str, list[int]] = {}
    for place, name in enumerate(case_names):
        scan = _scan_of(name, grades)
        if scan is not None:
            claims.setdefault(scan, []).append(place)
    return claims


def _refuse_patient(scan: str, case_names: Sequence[str]) -> None:
    """Raise InputError if `scan`, which is none, is a patient with several."""
    own = [name for name in case_names if _is_patient(scan, name)]
    if len(own) > 1:
        raise _ambiguous(scan, own)


def _is_patient(name: str, case_name: str) -> bool:
    """Tell whether `name` is a case's patient, with or without ``sub-``, or a folder above it."""
    folders = unicodedata.normalize("NFC", case_name).split("/")[:-1]
    return name in folders or patient_of(case_name) in (name, f"sub-{name}")


def _ambiguous(scan: str, meant: Sequence[str]) -> InputError:
    return InputError(
        "grades_ambiguous",
        f"The name {scan} in the table of grades could mean {' or '.join(meant)}.",
        "Give every scan a name of its own, there and in the table.",
    )


def _meant(scan: str, places: Sequence[int], case_names: Sequence[str]) -> Sequence[int]:
    """Return the places of the cases that `scan` means, of those that it could mean."""
    if _VERSE_SCAN.fullmatch(scan):
        # The same scan, if it comes twice: VerSe's numbers are the same everywhere. A patient's
        # number alone is told by what follows it, as in sub-verse004_dir-ax and _dir-sag.
        if len({case_names[place].rpartition(scan)[2] for place in places} - {""}) > 1:
            raise _ambiguous(scan, [case_names[place] for place in places])
        return places
    # Behind a folder it is another scan than the one that bears the name itself.
    exact = [place for place in places if case_names[place] == scan] or places
    if len(exact) > 1:
        raise _ambiguous(scan, [case_names[place] for place in exact])
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
