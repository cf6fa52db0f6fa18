"""``evaluate consistency``: analyse CTs as they are and perturbed, and print how far both agree."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path

from ..reading import read_ct
from ..settings import add_setting_argument, setting_named
from .consistency import consistency, consistency_table
from .evaluate_cases import Analyse, pipeline_with, predictor
from .output import add_output_arguments, print_json, progress
from .perturbations import PERTURBATIONS
from .tables import join


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate consistency``."""
    parser.add_argument("ct", type=Path, nargs="+", help="CTs: files or DICOM folders; no truth")
    parser.add_argument(
        "--perturb",
        nargs="+",
        choices=tuple(PERTURBATIONS),
        default=tuple(PERTURBATIONS),
        metavar="NAME",
        help=f"perturbations (default all): {', '.join(PERTURBATIONS)}",
    )
    parser.add_argument(
        "--models", type=Path, metavar="FOLDER", help="weights to use instead of the bundled ones"
    )
    add_setting_argument(parser)
    add_output_arguments(parser)


def run(args: argparse.Namespace, analyse: Analyse | None = None) -> int:
    """Run ``evaluate consistency``.

    Parameters
    ----------
    args : argparse.Namespace
        As parsed with `add_arguments`.
    analyse : callable, optional
        By default the whole pipeline with the setting that was asked for.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        If a CT cannot be read.
    """
    analyse = analyse or pipeline_with(setting_named(args.setting), models_folder=args.models)
    predict = predictor(None, analyse)
    agreements = []
    for path in args.ct:
        started = time.monotonic()
        agreements += consistency(path.name, read_ct(path), predict, args.perturb)
        progress(f"{path.name}: {time.monotonic() - started:.1f} s")
    if args.json:
        print_json({"consistency": [asdict(a) for a in agreements]})
    else:
        print(join([consistency_table(agreements)], args.markdown))
    return 0
