"""``evaluate records``: print the report of earlier evaluations again, from their records."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from .output import TITLES, add_output_arguments, print_records, progress
from .phantom_sets import INDEPENDENT, ORDINARY, phantom_title, wanted_in
from .record_log import RECORDS_NAME, RecordLog, noted_settings
from .records import KINDS, PART_SEPARATOR, CaseRecord
from .reliability_svg import write_reliability
from .tables import Table

_KINDS = {kind.name: kind for kind in (ORDINARY, INDEPENDENT)}


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

    Scans are grouped as the evaluations that recorded them grouped them: phantoms by what was
    asked for and by their voxels. Scans without a truth are left out; they have a requirement only.

    Raises
    ------
    InputError
        If there are no records, or they are those of a comparison.
    OutputError
        If the diagrams cannot be written.
    """
    by_name: dict[str, tuple[CaseRecord, _Group]] = {}
    settings: dict[Path, dict[str, object]] = {}
    for folder in args.folder:
        settings[folder] = noted_settings(folder)
        for record in _read(folder):
            by_name[record.name] = record, _group(record, settings[folder])
    _warn_of_differences(settings)
    groups: dict[_Group, list[CaseRecord]] = {}
    for record, group in by_name.values():
        if record.truth:
            groups.setdefault(group, []).append(record)
    if not groups:
        raise _no_records(args.folder[0] / RECORDS_NAME)
    groups = {group: groups[group] for group in sorted(groups, key=_order)}
    titled = {group.title: own for group, own in groups.items()}
    write_reliability(args.output or args.folder[0], titled)
    print_records(titled, args, _requirements(groups))
    return 0


@dataclass(frozen=True)
class _Group:
    """Scans that are told together.

    Attributes
    ----------
    title : str
    kind : str
        See `records.KINDS`.
    slice_mm, pixel_mm : float
        0 where scans of all voxels are told together.
    demanded : bool
        Whether anything must be reached on them.
    """

    title: str
    kind: str
    slice_mm: float = 0.0
    pixel_mm: float = 0.0
    demanded: bool = False


def _group(record: CaseRecord, settings: Mapping[str, object]) -> _Group:
    # Phantoms read from files are cases like others; only ``evaluate cases`` notes these.
    from_files = record.sources or "numbers" in settings
    if record.kind not in _KINDS or from_files:
        return _Group(TITLES[record.kind], record.kind)
    wanted = wanted_in(record.name)
    pixel_mm, _, slice_mm = record.spacing_xyz_mm
    title = phantom_title(_KINDS[record.kind], wanted, slice_mm, pixel_mm)
    return _Group(title, record.kind, slice_mm, pixel_mm, not wanted.tag)


def _order(group: _Group) -> tuple:
    return KINDS.index(group.kind), group.pixel_mm, not group.demanded, group.slice_mm, group.title


def _requirements(groups: Mapping[_Group, Sequence[CaseRecord]]) -> Table | None:
    """Return what must be reached on phantoms as they are drawn, of every kind and pixel size."""
    sets: dict[tuple[str, float], dict[float, Sequence[CaseRecord]]] = {}
    for group, own in groups.items():
        if group.demanded:
            sets.setdefault((group.kind, group.pixel_mm), {})[group.slice_mm] = own
    tables = [
        _of_pixels(_KINDS[kind].requirements(by_spacing), pixel_mm, len(sets) > 1)
        for (kind, pixel_mm), by_spacing in sets.items()
    ]
    if not tables:
        return None
    rows = tuple(row for table in tables for row in table.rows)
    title = "; ".join(dict.fromkeys(table.title for table in tables))
    return replace(tables[0], title=title, rows=rows)


def _of_pixels(table: Table, pixel_mm: float, told: bool) -> Table:
    if not told:
        return table
    rows = tuple((f"{scans}, pixels {pixel_mm:g} mm", *rest) for scans, *rest in table.rows)
    return replace(table, rows=rows)


def _warn_of_differences(settings: Mapping[Path, Mapping[str, object]]) -> None:
    """Say which folders were made otherwise than the first; groups tell deformed bodies apart."""
    (first, expected), *others = settings.items()
    for folder, noted in others:
        shared = noted.keys() & expected.keys() - {"deformed_bodies"}
        other = sorted(key.replace("_", " ") for key in shared if noted[key] != expected[key])
        if other:
            progress(f"{folder} was made with other {', '.join(other)} than {first}.")


def _read(folder: Path) -> list[CaseRecord]:
    path = folder / RECORDS_NAME
    records = RecordLog(path).all()
    if not records:
        raise _no_records(path)
    if any(record.name.count(PART_SEPARATOR) == 3 for record in records):
        raise InputError(
            "no_records",
            f"{folder} holds a comparison, whose records are of systems and not of scans.",
            "Run `evaluate --compare` with this --output to print it again.",
        )
    return records


def _no_records(path: Path) -> InputError:
    return InputError(
        "no_records",
        f"There are no records in {path}.",
        "Run `evaluate phantoms` or `evaluate cases` with --output first.",
    )
