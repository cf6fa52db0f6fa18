"""``analyze CT -o FOLDER``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from ..console import Console
from ..loading import load_ahead, loaded_beside
from ..settings import add_setting_argument, setting_named
from .shared import OnProgress, Work, add_run_arguments, run_and_write, with_reading_time


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``analyze``."""
    parser.add_argument(
        "ct", type=Path, help="NIfTI, NRRD or MHA file, DICOM folder, or one file of a DICOM series"
    )
    parser.add_argument("--series-uid", metavar="UID", help="series to take from a DICOM folder")
    parser.add_argument(
        "--localiser",
        choices=("votes", "heat", "sagittal"),
        default="votes",
        help="how centres are found: LocNet-F (votes, default), LocNet-H (heat), or boxes on "
        "sagittal slices (needs its weights and scikit-learn)",
    )
    parser.add_argument(
        "--labeller",
        choices=("sequence", "single"),
        default="sequence",
        help="how levels are named: all vertebrae at once (default), or one by one by their masks",
    )
    parser.add_argument(
        "--grader",
        default="grading",
        metavar="WEIGHTS",
        help="weights that grade: the learned head beside morphometry (default), or a fracture "
        "network such as fracsegnet_focal alone",
    )
    parser.add_argument(
        "--lesions",
        action="store_true",
        help="flag what may be a lytic or sclerotic lesion of a body too (experimental)",
    )
    add_setting_argument(parser)
    add_run_arguments(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``analyze``; see `shared.run_and_write`."""
    setting = setting_named(args.setting)

    def compute(on_progress: OnProgress, cancelled: Callable[[], bool]) -> Work:
        from ..reading import read_ct

        started = time.monotonic()
        with loaded_beside("vertebra_core.pipeline") as loaded:
            ct = read_ct(args.ct, args.series_uid)
            on_progress("reading", 0.5)
            pipeline = loaded()
        load_ahead("vertebra_core.output.write_results")
        seconds = time.monotonic() - started
        options = pipeline.AnalysisOptions(
            device=args.device,
            threads=args.threads,
            models_folder=args.models,
            localiser=args.localiser,
            setting=setting,
            labeller=args.labeller,
            grader=args.grader,
            lesions=args.lesions,
        )
        result = pipeline.analyze(ct, options, on_progress, cancelled)
        return Work(with_reading_time(result, seconds), ct, ct)

    return run_and_write(args, console, compute, packed_scene=setting.packed_scene)
