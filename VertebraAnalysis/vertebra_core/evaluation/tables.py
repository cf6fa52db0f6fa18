"""Tables of figures as plain text or Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """A titled table; cells are text already, or numbers with the format of `text`.

    Attributes
    ----------
    title : str
    columns : tuple of str
    rows : tuple of tuple
        As many cells per row as columns; None is shown as ``-``.
    note : str
        A line below the table.
    n_left : int
        How many leading columns hold text and are aligned to the left.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    n_left: int = 1


def percent(share: float | None) -> str | None:
    """Format a share (0-1) in percent."""
    return None if share is None else f"{100 * share:.1f} %"


def decimals(value: float | None, digits: int = 2) -> str | None:
    """Format a number with `digits` decimals."""
    return None if value is None else f"{value:.{digits}f}"


def scan_count(scans: int) -> str:
    """Return how many scans there are, in words."""
    return f"{scans} scan{'s' * (scans != 1)}"


def text(table: Table, markdown: bool = False) -> str:
    """Render `table`, columns of text aligned to the left, the others to the right."""
    grid = [list(table.columns)] + [[_cell(c) for c in row] for row in table.rows]
    widths = [max(len(row[k]) for row in grid) for k in range(len(table.columns))]
    left = [k < table.n_left for k in range(len(widths))]
    lines = [
        [c.ljust(w) if to_left else c.rjust(w) for c, w, to_left in zip(*columns, strict=True)]
        for columns in ((row, widths, left) for row in grid)
    ]
    if markdown:
        rule = [
            "-" * w if to_left else "-" * (w - 1) + ":"
            for w, to_left in zip(widths, left, strict=True)
        ]
        body = ["| " + " | ".join(cells) + " |" for cells in [lines[0], rule, *lines[1:]]]
        heading = [f"**{table.title}**", ""]
    else:
        rule = ["-" * w for w in widths]
        body = ["  ".join(cells).rstrip() for cells in [lines[0], rule, *lines[1:]]]
        heading = [table.title]
    note = (["", table.note] if markdown else [table.note]) if table.note else []
    return "\n".join([*heading, *body, *note])


def join(tables: Sequence[Table], markdown: bool = False) -> str:
    """Render several tables with an empty line between them."""
    return "\n\n".join(text(t, markdown) for t in tables)


def _cell(value: Cell) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value)
