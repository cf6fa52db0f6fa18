"""``phantom -o FOLDER``: synthetic CTs with exact truth, or a bank of anatomies to train from."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path

from ..console import Console
from ..errors import InputError
from ..output_errors import output_error
from ..phantom.arguments import (
    add_deformed_arguments,
    check_shapes,
    check_spacings,
    wanted_deformed,
)
from ..phantom.findings import FUSED_SHARE, WantedFindings
from ..whole_folder import made_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``phantom``."""
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=1, help="number of phantoms (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="first seed; others follow")
    parser.add_argument(
        "--pixel", type=float, default=1.0, metavar="MM", help="pixel size (default 1)"
    )
    parser.add_argument(
        "--slice", type=float, default=1.0, metavar="MM", help="slice distance (default 1)"
    )
    parser.add_argument(
        "--scene-spacing", type=float, default=1.5, metavar="MM", help="voxel size of the anatomy"
    )
    parser.add_argument(
        "--shapes",
        type=Path,
        metavar="FOLDER",
        help="public meshes and masks to shape vertebrae from; without it they are parametric",
    )
    parser.add_argument(
        "--shape-cache", type=Path, metavar="FOLDER", help="keeps the shapes that were read"
    )
    parser.add_argument(
        "--lesions",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of phantoms with lytic or sclerotic lesions (default 0)",
    )
    add_deformed_arguments(parser, "at least one of them whole in every scan (not with --bank)")
    parser.add_argument(
        "--fused",
        type=float,
        default=FUSED_SHARE,
        metavar="SHARE",
        help="share of spines with fused vertebrae, sacralisation included (default %(default)s)",
    )
    parser.add_argument(
        "--bank",
        action="store_true",
        help="write the anatomies only (a bank for `train`), not CTs with truth",
    )


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``phantom``."""
    if args.count < 1 or args.seed < 0 or not 0 <= args.lesions <= 1:
        raise InputError(
            "bad_arguments",
            "The count must be positive, the seed not negative, and the share of lesions from "
            "0 to 1.",
        )
    if not 0 <= args.fused <= 1:
        raise InputError("bad_arguments", "The share of fused spines must be from 0 to 1.")
    deformed = wanted_deformed(args)
    check_spacings((args.pixel, args.slice, args.scene_spacing))
    check_shapes(args.shapes, args.shape_cache)
    from ..phantom.shape_library import ShapeLibrary

    try:
        with made_folder(args.output):
            library = ShapeLibrary.chosen(args.shapes, args.shape_cache)
            wanted = replace(deformed, lesion_share=args.lesions, fused_share=args.fused)
            made = (_bank if args.bank else _cases)(args, library, wanted)
    except OSError as error:
        raise output_error(error, "The phantoms", args.output) from error
    console.result({"folder": str(args.output.resolve()), "made": made}, "\n".join(made))
    return 0


def _bank(args: argparse.Namespace, library, wanted: WantedFindings) -> list[str]:
    from ..phantom.bank import build_bank

    # A bank takes hours: every scene is told on standard error, as steps of a training are.
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        n = build_bank(
            args.output,
            args.count,
            args.seed,
            library,
            args.scene_spacing,
            wanted,
        )
    except ValueError as error:
        raise InputError("bad_seed", f"This bank cannot be built: {error}.") from error
    return [f"{n} new of {args.count} anatomies in {args.output}"]


def _cases(args: argparse.Namespace, library, wanted: WantedFindings) -> list[str]:
    import numpy as np

    from ..phantom.bank import make_scene
    from ..phantom.case_writing import write_case
    from ..phantom.scan_case import scan

    wanted = replace(wanted, fracture_in_view=True)
    made = []
    for seed in range(args.seed, args.seed + args.count):
        scene = make_scene(seed, library, args.scene_spacing, wanted)
        spacing_xyz_mm = (args.pixel, args.pixel, args.slice)
        ct, labels, bodies = scan(scene, spacing_xyz_mm, np.random.default_rng(seed))
        folder = args.output / f"phantom_{seed:06d}"
        write_case(folder, scene, ct, labels, bodies)
        made.append(str(folder))
    return made
