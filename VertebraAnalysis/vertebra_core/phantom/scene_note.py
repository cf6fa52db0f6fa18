"""What a scene on disk was made with beyond its seed, so that it is not taken for another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ..errors import InputError
from .findings import WantedFindings
from .shape_library import ShapeLibrary

_ANOTHER = "Name another folder for the scenes, or make them as they were made."


def made_with(shapes: str, wanted: WantedFindings) -> dict[str, object]:
    """Return the note that `scene.save_scene` keeps with a scene.

    Parameters
    ----------
    shapes : str
        What its vertebrae are shaped from, in words.
    wanted : WantedFindings
    """
    return {"shapes": shapes, "findings": asdict(wanted)}


def shapes_of(library: ShapeLibrary) -> str:
    """Say what the vertebrae of a library are shaped from."""
    if library.evaluation_only:
        return "independent meshes"
    return "templates" if library.templates else "parametric"


def check_scene(path: Path, spacing_mm: float, made: Mapping[str, object]) -> None:
    """Refuse a scene on disk that was made otherwise than it would be now.

    Scenes of earlier versions note their voxels only, so nothing else can contradict.

    Parameters
    ----------
    path : Path
        Of the scene; what is noted lies beside it (.json).
    spacing_mm : float
    made : mapping
        See `made_with`.

    Raises
    ------
    InputError
        ``other_scenes``, or ``scene_damaged`` where there is no such note.
    """
    try:
        noted = json.loads(path.with_suffix(".json").read_text())
        own_mm, own = float(noted["spacing_mm"]), dict(noted.get("made", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "scene_damaged",
            f"The scene {path} is damaged or cannot be read.",
            "Delete it, or make it anew.",
        ) from error
    differences = []
    if abs(own_mm - spacing_mm) > 1e-6:
        differences.append(f"voxels of {own_mm:g} mm")
    if own.get("shapes", made["shapes"]) != made["shapes"]:
        differences.append(f"{own['shapes']} shapes")
    if own.get("findings", made["findings"]) != made["findings"]:
        differences.append("other findings")
    if differences:
        raise InputError(
            "other_scenes", f"The scene {path} was made with {', '.join(differences)}.", _ANOTHER
        )
