"""Tables of text as spreadsheets save them: any usual encoding, any usual delimiter."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = (",", ";", "\t")
_STATED_DELIMITER = re.compile(r'"?sep=(.)"?\r?\n')
"""What some programs write into a line of its own above the columns."""


def rows_of(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of every row that holds anything, and its cells by column.

    Commas, semicolons and tabs are told apart by the first line, which names the columns; blanks
    around cells are left out. Text that is neither UTF-8 nor UTF-16 is taken for Western European.

    Parameters
    ----------
    path : Path

    Yields
    ------
    int
        Line of the file.
    dict of str to str

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no text, or a row has more cells than there are columns.
    """
    text = _text(Path(path))
    stated = _STATED_DELIMITER.match(text)
    body = text[stated.end() :] if stated else text
    head = body.lstrip().partition("\n")[0]
    delimiter = stated.group(1) if stated else max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, skipinitialspace=True)
    columns: list[str] = []
    for row in reader:
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if not columns:
            columns = cells
            continue
        number = reader.line_num + (1 if stated else 0)
        if any(cells[len(columns) :]):
            raise ValueError(f"row {number} has more cells than there are columns")
        cells += [""] * (len(columns) - len(cells))
        yield number, dict(zip(columns, cells, strict=False))


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith(_UTF_16_MARKS):
        return data.decode("utf-16")
    if b"\0" in data:
        raise ValueError("it is no text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
