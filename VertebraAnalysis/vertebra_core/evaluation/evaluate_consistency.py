"""``evaluate consistency``: analyse CTs as they are and perturbed, and print how far both agree."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ..errors import InputError
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
        If a CT is not there, before any is analysed, or there is no such device; after everything
        else, if some CTs could not be read or analysed.
    """
    scans = _named(args.ct)
    predict = predictor(None, analyse or pipeline_of(args))
    agreements, left_out = [], []
    for name, path in scans.items():
        started = time.monotonic()
        try:
            own = consistency(name, read_ct(path), predict, args.perturb)
        except InputError as error:
            progress(f"{name}: left out. {error}")
            left_out.append(name)
            continue
        agreements += own
        for agreement in own:
            for note in agreement.notes:
                progress(f"{name}, {agreement.perturbation}: {note}")
        progress(f"{name}: {time.monotonic() - started:.1f} s")
    if agreements and args.json:
        print_json({"consistency": [asdict(a) for a in agreements]})
    elif agreements:
        print(join([consistency_table(agreements)], args.markdown))
    if left_out:
        raise InputError(
            "scans_left_out",
            f"{len(left_out)} of {len(scans)} scans are not in the figures: {', '.join(left_out)}.",
            "What is said of them above tells why.",
        )
    return 0


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    """Return scans by what tells them apart: their file's name, or the whole path where it must.

    Raises
    ------
    InputError
        ``no_such_file``.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise InputError(
            "no_such_file", f"There is no {', '.join(missing)}.", "Give CTs that are there."
        )
    once = list({path.resolve(): path for path in paths}.values())
    alike = Counter(path.name for path in once)
    return {path.name if alike[path.name] == 1 else str(path): path for path in once}
