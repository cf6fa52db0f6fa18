"""``evaluate phantoms``: make phantoms that no training has seen, analyse them, print how good."""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

from ..errors import InputError
from ..phantom.arguments import add_deformed_arguments, check_spacings, wanted_deformed
from ..phantom.findings import WantedFindings
from .measured_pipeline import Analyse
from .output import print_records, progress
from .phantom_arguments import add_phantom_arguments
from .phantom_sets import PhantomSet, chosen_set, phantom_title
from .prediction import Predict
from .predictor import measured
from .record_log import RecordLog, open_log
from .records import CaseRecord
from .reliability_svg import write_reliability

MAX_PHANTOMS = 100_000
"""Phantoms per seed: seeds of different evaluations never overlap."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate phantoms``."""
    parser.add_argument("--count", type=int, default=100, help="number of phantoms")
    parser.add_argument(
        "--first",
        type=int,
        default=0,
        metavar="N",
        help="leave out the first N of the set: so several processes share it, each with an output "
        "folder of its own, and `evaluate records` reads them together",
    )
    parser.add_argument("--seed", type=int, default=0, help="other seeds give other phantoms")
    parser.add_argument(
        "--spacing",
        type=float,
        nargs="+",
        default=[1.0],
        metavar="MM",
        help="slice distances; every phantom is scanned at each (for example: 1 3)",
    )
    parser.add_argument(
        "--shapes",
        type=Path,
        metavar="FOLDER",
        help="public meshes and masks to shape phantoms from; without it they are parametric",
    )
    parser.add_argument(
        "--independent-meshes",
        type=Path,
        metavar="FOLDER",
        help="shape all vertebrae from these meshes (OpenSim's: cerv1.vtp ... lumbar5.vtp), which "
        "training never sees; a set of its own, with its own requirements",
    )
    parser.add_argument("--shape-cache", type=Path, metavar="FOLDER")
    add_deformed_arguments(parser)
    parser.add_argument(
        "--scenes",
        type=Path,
        metavar="FOLDER",
        help="keep the anatomy here, and take it from here where it was made before",
    )
    add_phantom_arguments(parser)


def run(args: argparse.Namespace, analyse: Analyse | None = None) -> int:
    """Run ``evaluate phantoms``.

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
        If the arguments make no sense or the output folder belongs to another evaluation.
    OutputError
        If nothing can be written to the output folder.
    """
    _check_arguments(args)
    wanted = wanted_deformed(args)
    chosen = chosen_set(args.shapes, args.shape_cache, args.independent_meshes)
    predict, weights = measured(args, analyse)
    log = open_log(args.output, _settings(args, weights, chosen, wanted))
    groups = _evaluated(args, chosen, wanted, predict, log)
    titled = {phantom_title(chosen.kind, wanted, s, args.pixel): own for s, own in groups.items()}
    if args.output:
        write_reliability(args.output, titled)
    # What must be reached is said of spines whose fractures are drawn as in patients.
    print_records(titled, args, None if wanted.tag else chosen.kind.requirements(groups))
    return 0


def _settings(
    args: argparse.Namespace, weights: dict[str, str], chosen: PhantomSet, wanted: WantedFindings
) -> dict[str, object]:
    """Return what records depend on that the names of their scans do not say."""
    return {
        "scene_spacing_mm": args.scene_spacing,
        "shapes": chosen.shapes,
        "setting": args.setting,
        "weights": weights,
        "deformed_bodies": wanted.tag or None,
    }


def _check_arguments(args: argparse.Namespace) -> None:
    fits = 0 <= args.first < args.first + args.count <= MAX_PHANTOMS
    if not fits or args.seed < 0:
        raise InputError(
            "bad_arguments",
            "The number of phantoms, the first of them or the seed is out of range.",
            f"At least 1 phantom; with those left out at most {MAX_PHANTOMS}; seed from 0.",
        )
    check_spacings((*args.spacing, args.pixel, args.scene_spacing))


def _evaluated(
    args: argparse.Namespace,
    chosen: PhantomSet,
    wanted: WantedFindings,
    predict: Predict,
    log: RecordLog,
) -> dict[float, list[CaseRecord]]:
    """Analyse every phantom at every slice distance; return the records by slice distance, mm."""
    # Imported here: making phantoms needs torch, listing the arguments must not.
    from . import phantom_cases

    groups: dict[float, list[CaseRecord]] = {s: [] for s in args.spacing}
    told = phantom_cases.as_it_is
    if chosen.meshes is not None:
        told = partial(phantom_cases.of_independent_meshes, meshes=chosen.meshes)
    scenes = phantom_cases.SceneStore(
        args.scene_spacing,
        args.scenes,
        chosen.make_library,
        chosen.scene_prefix,
        wanted,
        chosen.shapes,
    )
    started, made = time.monotonic(), 0
    for index in range(args.count):
        number = args.seed * MAX_PHANTOMS + args.first + index
        seed = phantom_cases.EVALUATION_SEED_START + number
        name = f"{chosen.prefix}{wanted.tag}_{seed}_{args.pixel:g}"
        names = {s: f"{name}x{s:g}mm" for s in args.spacing}
        missing = {s: n for s, n in names.items() if not log.holds(n, None, args.localisers)}
        if missing:
            scene = scenes.get(seed)
            for spacing, name in missing.items():
                voxel = (args.pixel, args.pixel, spacing)
                log.add(phantom_cases.evaluate_scene(name, scene, voxel, predict, told))
            made += 1
            left = (time.monotonic() - started) / made * (args.count - index - 1)
            progress(f"phantom {index + 1} of {args.count}, about {left / 60:.0f} min left")
        for spacing, name in names.items():
            groups[spacing].append(log[name])
    return groups
