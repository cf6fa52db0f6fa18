"""Checks on what a user asks of phantoms, before any is made."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from ..errors import InputError
from .findings import MOST_DEFORMED, MOST_DEFORMED_TOGETHER, WantedFindings

SPACING_RANGE_MM = (0.3, 50.0)
"""Voxel sizes that phantoms are made with: below, a whole spine does not fit into memory."""


def check_spacings(spacings_mm: Sequence[float]) -> None:
    """Check voxel sizes.

    Raises
    ------
    InputError
        ``bad_arguments``.
    """
    low, high = SPACING_RANGE_MM
    for spacing in spacings_mm:
        if not (isfinite(spacing) and low <= spacing <= high):
            raise InputError(
                "bad_arguments",
                f"Phantoms cannot be made with voxels of {spacing:g} mm.",
                f"Give sizes from {low:g} to {high:g} mm.",
            )


def add_deformed_arguments(
    parser: argparse.ArgumentParser, where: str = "in the field of view or not"
) -> None:
    """Add the numbers of fractures and of mild deformities in every spine.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    where : str
        Says whether scans show the fractures.
    """
    parser.add_argument(
        "--fractures",
        type=int,
        metavar="N",
        help=f"fractures in every spine, {where}; 0 to {MOST_DEFORMED} (default: drawn, as in "
        "patients)",
    )
    parser.add_argument(
        "--mild",
        type=int,
        default=0,
        metavar="N",
        help="bodies in every spine, in the field of view or not, that have lost 5 to 19 %% of "
        f"their height, too little for grade 1; 0 to {MOST_DEFORMED}, with the fractures at most "
        f"{MOST_DEFORMED_TOGETHER} (default 0)",
    )


def wanted_deformed(args: argparse.Namespace) -> WantedFindings:
    """Return what `add_deformed_arguments` were given.

    Raises
    ------
    InputError
        ``bad_arguments``.
    """
    for count, what in ((args.fractures, "fractures"), (args.mild, "mild deformities")):
        if count is not None and not 0 <= count <= MOST_DEFORMED:
            raise InputError("bad_arguments", f"A spine can have 0 to {MOST_DEFORMED} {what} here.")
    if (args.fractures or 0) + args.mild > MOST_DEFORMED_TOGETHER:
        raise InputError(
            "bad_arguments",
            f"A spine can have at most {MOST_DEFORMED_TOGETHER} fractures and mild deformities "
            f"together, not {args.fractures + args.mild}.",
            "Ask for fewer of either.",
        )
    return WantedFindings(n_fractures=args.fractures, n_mild=args.mild)


def shapes_name(folder: Path | None) -> str:
    """Say what vertebrae are shaped from, for notes beside scenes and records."""
    return "templates" if folder else "parametric"


def check_shapes(folder: Path | None, cache: Path | None) -> None:
    """Check the folder that vertebrae are shaped from.

    Raises
    ------
    InputError
        ``no_shapes``.
    """
    if folder is None or (cache is not None and (cache / "library.json").exists()):
        return
    if not any((folder / name).is_dir() for name in ("masks", "meshes")):
        raise InputError(
            "no_shapes",
            f"The folder {folder} holds neither masks nor meshes.",
            "Leave out --shapes: vertebrae are parametric then.",
        )
