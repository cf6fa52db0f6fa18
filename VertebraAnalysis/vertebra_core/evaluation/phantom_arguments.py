"""Arguments of the evaluations that scan phantoms."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..run_arguments import add_models_argument
from ..settings import add_setting_argument
from .evaluate_cases import add_comparison_arguments
from .measured_pipeline import add_computing_arguments
from .output import add_output_arguments


def add_phantom_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says how phantoms are scanned and analysed, and where records are kept."""
    parser.add_argument("--pixel", type=float, default=1.0, metavar="MM", help="pixel size")
    parser.add_argument(
        "--scene-spacing", type=float, default=1.5, metavar="MM", help="voxel size of the anatomy"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="keep records of all scans and the reliability diagrams here; an evaluation that was "
        "stopped goes on from it",
    )
    add_models_argument(parser)
    add_computing_arguments(parser)
    add_setting_argument(parser)
    add_comparison_arguments(parser)
    add_output_arguments(parser)
