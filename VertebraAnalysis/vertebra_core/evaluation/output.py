"""How the `evaluate` commands print."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence

from .records import EXPERT_MASKS, INDEPENDENT_MESHES, PHANTOM, REAL, CaseRecord
from .report import report_tables
from .summary import summarise
from .tables import Table, join

TITLES = {
    REAL: "Real scans",
    PHANTOM: "Phantoms",
    INDEPENDENT_MESHES: "Independent meshes",
    EXPERT_MASKS: "Expert masks painted as CT",
}


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to print."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--markdown", action="store_true", help="print tables as Markdown")


def print_records(
    groups: Mapping[str, Sequence[CaseRecord]],
    args: argparse.Namespace,
    requirements: Table | None = None,
) -> None:
    """Print tables for every group of records, or everything as one JSON object.

    Parameters
    ----------
    groups : mapping
        Title -> records; the figures of the first group are the JSON object's own, those of
        others come below their titles.
    args : argparse.Namespace
        As parsed with `add_output_arguments`.
    requirements : Table, optional
        What must be reached, and what was.
    """
    if args.json:
        (_, first), *others = groups.items()
        figures = summarise(first)
        for title, records in others:
            figures[title] = summarise(records)
        figures["cases"] = {r.name: summarise([r]) for own in groups.values() for r in own}
        if requirements is not None:
            figures["requirements"] = [
                dict(zip(requirements.columns, row, strict=True)) for row in requirements.rows
            ]
        print_json(figures)
        return
    tables = [t for title, own in groups.items() for t in report_tables(own, title)]
    if requirements is not None:
        tables.append(requirements)
    print(join(tables, args.markdown))
    for record in (r for own in groups.values() for r in own):
        for note in record.notes:
            print(f"{record.name}: {note}", file=sys.stderr)


def by_kind(records: Sequence[CaseRecord]) -> dict[str, list[CaseRecord]]:
    """Return the kinds of scans apart, under their titles."""
    groups = {title: [r for r in records if r.kind == kind] for kind, title in TITLES.items()}
    return {title: own for title, own in groups.items() if own}


def print_json(figures: dict) -> None:
    """Print `figures` as one JSON object; NaN would not be JSON and is refused."""
    print(json.dumps(figures, indent=2, allow_nan=False))


def progress(message: str) -> None:
    """Say on stderr how far an evaluation has come."""
    print(message, file=sys.stderr, flush=True)
