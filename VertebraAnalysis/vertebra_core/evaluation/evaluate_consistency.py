"""``evaluate consistency``: analyse CTs as they are and perturbed, and print how far both agree."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path

from ..reading import read_ct
from ..run_arguments import add_models_argument
from ..settings import add_setting_argument
from .consistency import consistency, consistency_table
from .measured_pipeline import Analyse, add_computing_arguments, pipeline_of
from .output import add_output_arguments, print_json, progress
from .perturbations import PERTURBATIONS
from .predictor import predictor
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
    add_models_argument(parser)
    add_computing_arguments(parser)
    add_setting_argument(parser)
    add_output_arguments(parser)


def run(args: argparse.Namespace, analyse: Analyse | None = None) -> int:
    """Run ``evaluate consistency``.

    Parameters
    ----------
    args : argparse.Namespace
        As parsed with `add_arguments`.
    analyse : callable, optional
        By default the whole pipeline as it was asked for.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        If a CT cannot be read or there is no such device.
    """
    predict = predictor(None, analyse or pipeline_of(args))
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
