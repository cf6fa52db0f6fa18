"""Checks on what a user asks of phantoms, before any is made."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from ..errors import InputError

SPACING_RANGE_MM = (0.3, 50.0)
"""Voxel sizes that phantoms are made with: below, a whole spine does not fit into memory."""

MOST_FRACTURES = 12


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


def check_fractures(count: int | None) -> None:
    """Check the number of fractures in every spine; None draws it.

    Raises
    ------
    InputError
        ``bad_arguments``.
    """
    if count is not None and not 0 <= count <= MOST_FRACTURES:
        raise InputError("bad_arguments", f"A spine can have 0 to {MOST_FRACTURES} fractures here.")


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
