"""``grade [CT] --segmentation FILE [--add X Y Z LEVEL] -o FOLDER``."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

from ..console import Console
from ..label_numbers import AUTO, SCHEMES
from ..levels import MOBILE_LEVELS, level_named
from ..loading import load_ahead, loaded_beside
from .shared import OnProgress, Work, add_run_arguments, run_and_write, with_reading_time

_STAGES = ("reading", "grading", "writing")
_STAGES_ADDING = ("reading", "segmentation", "grading", "writing")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``grade``."""
    parser.add_argument(
        "ct", type=Path, nargs="?", help="the CT; without it densities are left empty"
    )
    parser.add_argument(
        "--segmentation",
        type=Path,
        required=True,
        metavar="FILE",
        help="label map with VerSe or TotalSegmentator numbers, or a .seg.nrrd whose segments "
        "bear level names",
    )
    parser.add_argument(
        "--bodies",
        type=Path,
        metavar="FILE",
        help="label map of the vertebral bodies, in numbers of levels or 1 for all",
    )
    parser.add_argument(
        "--numbers",
        choices=SCHEMES,
        default=AUTO,
        help="numbering of the label maps; auto goes by segment names, then by the numbers "
        "themselves, but those of TotalSegmentator's version 1 must be told",
    )
    parser.add_argument(
        "--add",
        nargs=4,
        action=_AddedPoints,
        default=[],
        metavar=("X", "Y", "Z", "LEVEL"),
        help="a vertebra that the segmentation lacks: a point in its body, LPS mm, and its level; "
        "it is segmented in the CT, and no label is changed. May be repeated",
    )
    parser.add_argument("--series-uid", metavar="UID", help="series to take from a DICOM folder")
    add_run_arguments(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``grade``; see `shared.run_and_write`."""

    def compute(on_progress: OnProgress, cancelled: Callable[[], bool]) -> Work:
        from ..added_vertebrae import AddedPoint
        from ..reading import read_ct, read_label_map

        started = time.monotonic()
        with loaded_beside("vertebra_core.grade_pipeline") as loaded:
            labels = read_label_map(args.segmentation)
            bodies = read_label_map(args.bodies) if args.bodies else None
            ct = read_ct(args.ct, args.series_uid) if args.ct else None
            on_progress("reading", 0.5)
            pipeline = loaded()
        load_ahead("vertebra_core.output.write_results")
        seconds = time.monotonic() - started
        added = tuple(AddedPoint(point, level) for point, level in args.add)
        options = pipeline.GradeOptions(args.device, args.threads, args.models, args.numbers, added)
        result, grid = pipeline.grade_segmentation(
            labels, ct, bodies, options, on_progress, cancelled
        )
        return Work(with_reading_time(result, seconds), ct, grid)

    return run_and_write(args, console, compute, _STAGES_ADDING if args.add else _STAGES)


class _AddedPoints(argparse.Action):
    """Collects ``X Y Z LEVEL`` as (point in LPS mm, Level)."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        *numbers, name = values
        try:
            point = tuple(float(number) for number in numbers)
        except ValueError:
            point = (math.nan,)
        if not all(math.isfinite(number) for number in point):
            parser.error(f"argument {option_string}: X, Y and Z must be numbers, in mm")
        if name not in {level.name for level in MOBILE_LEVELS}:
            parser.error(f"argument {option_string}: there is no level {name}; give C1 to L6")
        given = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, [*given, (point, level_named(name))])
