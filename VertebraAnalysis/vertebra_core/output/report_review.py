"""What a reader made of the results, as a section of the report."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from ..counting import counted


@dataclass(frozen=True)
class Correction:
    """One thing that a reader changed.

    Attributes
    ----------
    vertebra : str
        What it is called now, such as ``"L1"``.
    before, after : str
        As a reader reads them, such as ``"G1 wedge"`` and ``"G2 crush"``.
    reader : str
    time : str
        ISO 8601, UTC.
    reason : str
        May be empty.
    """

    vertebra: str
    before: str
    after: str
    reader: str
    time: str
    reason: str = ""


@dataclass(frozen=True)
class Reading:
    """A reader's review of an analysis.

    Attributes
    ----------
    vertebrae, reviewed : int
        How many there are, without rejected ones, and how many of them were marked as reviewed.
    readers : tuple of str
        Who marked them.
    corrections : tuple of Correction
        Those that hold, oldest first.
    rejected : tuple of str
        What rows that are no vertebra, and no part of the report otherwise, were called.
    added : tuple of str
        Levels of vertebrae that the analysis missed, and a reader added.
    """

    vertebrae: int
    reviewed: int
    readers: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] = ()
    rejected: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


def changes_by_level(reading: Reading) -> dict[str, list[str]]:
    """Return level -> sentences on what was changed there, for the table of vertebrae."""
    changes: dict[str, list[str]] = {}
    for c in reading.corrections:
        text = f"Changed by a reader: {c.before} \N{RIGHTWARDS ARROW} {c.after}."
        changes.setdefault(c.vertebra, []).append(text)
    return changes


def reading_html(reading: Reading) -> str:
    """Return the section: how much was reviewed by whom, what was rejected, added and changed."""
    parts = ["<h2>Review</h2>"]
    if reading.vertebrae:
        parts.append(f"<p>{_progress(reading)}</p>")
    if reading.rejected:
        names = escape(", ".join(reading.rejected))
        parts.append(f"<p><b>Not a vertebra, and left out here: {names}.</b></p>")
    if reading.added:
        names = escape(", ".join(reading.added))
        parts.append(f"<p><b>Missed by the analysis, and added by a reader: {names}.</b></p>")
    if reading.corrections:
        parts.append(_table(reading.corrections))
    else:
        parts.append("<p>Nothing was changed: all values are those of the analysis.</p>")
    return "\n".join(parts)


def _progress(reading: Reading) -> str:
    total, done = reading.vertebrae, reading.reviewed
    of_all = counted(total, "vertebra", "vertebrae")
    if not done:
        return f"None of the {of_all} was marked as reviewed."
    by = f", by {escape(', '.join(reading.readers))}" if reading.readers else ""
    verb = "was" if done == 1 else "were"
    return f"{done} of {of_all} {verb} marked as reviewed{by}."


def _table(corrections: tuple[Correction, ...]) -> str:
    head = "".join(
        f"<th class='text' scope='col'>{name}</th>"
        for name in ("Vertebra", "Before", "Now", "Reader", "When, UTC", "Reason")
    )
    rows = "".join(f"<tr>{_cells(c)}</tr>" for c in corrections)
    return (
        "<div class='table'><table><caption>Changes by readers, oldest first.</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cells(c: Correction) -> str:
    # Minutes are enough to read.
    time = c.time[:16].replace("T", " ")
    words = (c.vertebra, c.before, c.after, c.reader, time)
    plain = "".join(f"<td class='text'>{escape(word)}</td>" for word in words)
    return f"{plain}<td class='notes'>{escape(c.reason)}</td>"
