"""``evaluate records``: print the report of an earlier evaluation again, from its records."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import InputError
from .output import add_output_arguments, print_records
from .record_log import RecordLog
from .records import INDEPENDENT_MESHES, PHANTOM, REAL, CaseRecord
from .reliability_svg import write_reliability
from .requirements import independent_mesh_requirements, phantom_requirements

_SYNTHETIC = {
    PHANTOM: ("Phantoms", phantom_requirements),
    INDEPENDENT_MESHES: ("Independent meshes", independent_mesh_requirements),
}
"""Kind of synthetic records -> title, and what they must reach; a folder holds one kind."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate records``."""
    parser.add_argument(
        "folder", type=Path, help="what --output named: holds records.jsonl, gets the diagrams"
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
    """
    path = args.folder / "records.jsonl"
    try:
        records = RecordLog(path).all() if path.exists() else []
    except ValueError as error:
        raise InputError("no_records", f"{path} holds no records: {error}.") from error
    if not records:
        raise InputError(
            "no_records",
            f"There are no records in {path}.",
            "Run `evaluate phantoms` or `evaluate cases` with --output first.",
        )
    real = [r for r in records if r.kind == REAL]
    groups = {"Real scans": real} if real else {}
    requirements = None
    for kind, (title, requirements_of) in _SYNTHETIC.items():
        by_spacing: dict[float, list[CaseRecord]] = {}
        for record in records:
            if record.kind == kind:
                by_spacing.setdefault(record.spacing_xyz_mm[2], []).append(record)
        groups |= {f"{title}, {s:g} mm slices": by_spacing[s] for s in sorted(by_spacing)}
        if by_spacing:
            requirements = requirements_of(by_spacing)
    write_reliability(args.output or args.folder, groups)
    print_records(groups, args, requirements)
    return 0
