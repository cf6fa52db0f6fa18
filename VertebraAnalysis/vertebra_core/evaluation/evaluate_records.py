"""``evaluate records``: print the report of earlier evaluations again, from their records."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import InputError
from .output import add_output_arguments, print_records
from .phantom_sets import INDEPENDENT, ORDINARY
from .record_log import RECORDS_NAME, RecordLog
from .records import REAL, CaseRecord
from .reliability_svg import write_reliability


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate records``."""
    parser.add_argument(
        "folder",
        type=Path,
        nargs="+",
        help="what --output named: holds records.jsonl; the first gets the diagrams. Of a scan in "
        "several folders the last one counts",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="write the reliability diagrams here instead"
    )
    add_output_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run ``evaluate records``; nothing is analysed.

    Raises
    ------
    InputError
        If there are no records.
    OutputError
        If the diagrams cannot be written.
    """
    by_name: dict[str, CaseRecord] = {}
    for folder in args.folder:
        by_name |= {record.name: record for record in _read(folder)}
    records = list(by_name.values())
    real = [r for r in records if r.kind == REAL]
    groups = {"Real scans": real} if real else {}
    requirements = None
    # A folder holds one kind of phantoms.
    for kind in (ORDINARY, INDEPENDENT):
        by_spacing: dict[float, list[CaseRecord]] = {}
        for record in records:
            if record.kind == kind.name:
                by_spacing.setdefault(record.spacing_xyz_mm[2], []).append(record)
        groups |= {f"{kind.title}, {s:g} mm slices": by_spacing[s] for s in sorted(by_spacing)}
        if by_spacing:
            requirements = kind.requirements(by_spacing)
    write_reliability(args.output or args.folder[0], groups)
    print_records(groups, args, requirements)
    return 0


def _read(folder: Path) -> list[CaseRecord]:
    path = folder / RECORDS_NAME
    records = RecordLog(path).all()
    if not records:
        raise InputError(
            "no_records",
            f"There are no records in {path}.",
            "Run `evaluate phantoms` or `evaluate cases` with --output first.",
        )
    return records
