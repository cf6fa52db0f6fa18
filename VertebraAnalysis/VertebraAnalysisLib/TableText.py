"""The table of vertebrae as text to paste into a report. Knows neither Qt nor 3D Slicer."""

from __future__ import annotations

from collections.abc import Iterable

from .ReviewedVertebra import ReviewedVertebra
from .VertebraCells import cells

_UNITS = {"Ha": "Ha (mm)", "Hm": "Hm (mm)", "Hp": "Hp (mm)"}


def tableText(vertebrae: Iterable[ReviewedVertebra]) -> str:
    """Return a header and a row per vertebra, tabs between columns, without symbols.

    Parameters
    ----------
    vertebrae : iterable of ReviewedVertebra
        Head to foot.
    """
    rows = [_row(vertebra) for vertebra in vertebrae]
    names = rows[0] if rows else {}
    lines = [[_UNITS.get(name, name) for name in names], *(row.values() for row in rows)]
    return "\n".join("\t".join(line) for line in lines)


def _row(vertebra: ReviewedVertebra) -> dict[str, str]:
    row = {name: cell.text for name, cell in cells(vertebra).items()}
    doubt = "?" if vertebra.borderline else ""
    row["Grade"] = "not graded" if vertebra.grade is None else f"G{vertebra.grade}{doubt}"
    row["Flags"] = row["Flags"].partition(": ")[2]
    row["Reviewed"] = "yes" if vertebra.reviewed else ""
    return row
