"""How the `evaluate` commands print."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from .records import PHANTOM, REAL, CaseRecord
from .report import report_tables
from .summary import summarise
from .tables import Table, join

TITLES = {REAL: "Real scans", PHANTOM: "Phantoms"}


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to print."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--markdown", action="store_true", help="print tables as Markdown")


def print_records(
    records: Sequence[CaseRecord], args: argparse.Namespace, more: Sequence[Table] = ()
) -> None:
    """Print tables (real scans and phantoms apart), or everything as one JSON object."""
    if args.json:
        figures = summarise(records)
        figures["cases"] = {r.name: summarise([r]) for r in records}
        print_json(figures)
        return
    tables = [
        table
        for kind, title in TITLES.items()
        if (own := [r for r in records if r.kind == kind])
        for table in report_tables(own, title)
    ]
    print(join([*tables, *more], args.markdown))
    for record in records:
        for note in record.notes:
            print(f"{record.name}: {note}", file=sys.stderr)


def print_json(figures: dict) -> None:
    """Print `figures` as one JSON object; NaN would not be JSON and is refused."""
    print(json.dumps(figures, indent=2, allow_nan=False))


def progress(message: str) -> None:
    """Say on stderr how far an evaluation has come."""
    print(message, file=sys.stderr, flush=True)
