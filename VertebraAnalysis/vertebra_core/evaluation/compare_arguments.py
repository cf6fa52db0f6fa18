"""Arguments of ``evaluate --compare``; listing them must not load torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..phantom.arguments import add_deformed_arguments
from .measured_pipeline import add_computing_arguments
from .output import add_output_arguments
from .perturbations import PERTURBATIONS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate --compare``."""
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FOLDER",
        help="weights that `train` wrote, in any sub-folder; bundled ones complete the pipeline",
    )
    parser.add_argument("--count", type=int, default=20, help="number of phantoms (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="other seeds give other phantoms")
    parser.add_argument(
        "--spacing", type=float, default=1.0, metavar="MM", help="voxel size of the phantoms' scans"
    )
    parser.add_argument("--scene-spacing", type=float, default=1.5, metavar="MM")
    parser.add_argument(
        "--lesions", type=float, default=0.5, metavar="SHARE", help="share of phantoms with lesions"
    )
    add_deformed_arguments(parser)
    parser.add_argument(
        "--domains",
        nargs="+",
        default=[],
        metavar="NAME",
        help="imaging domains to scan phantoms in, such as sharp or thick; all without it",
    )
    parser.add_argument(
        "--perturb",
        nargs="+",
        default=[],
        choices=tuple(PERTURBATIONS),
        metavar="NAME",
        help=f"also show every scan with these changes: {', '.join(PERTURBATIONS)}",
    )
    parser.add_argument("--shapes", type=Path, metavar="FOLDER", help="meshes and masks to use")
    parser.add_argument("--shape-cache", type=Path, metavar="FOLDER")
    parser.add_argument("--scenes", type=Path, metavar="FOLDER", help="keep the anatomies here")
    parser.add_argument(
        "--public-data", type=Path, metavar="FOLDER", help="the project's public real CTs"
    )
    parser.add_argument("--cases", type=Path, metavar="FOLDER", help="real CTs with labels")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="keep records here; go on from them later"
    )
    add_computing_arguments(parser)
    add_output_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the comparison; see `compare.run`."""
    from .compare import run as run_comparison

    return run_comparison(args)
