"""Files that state the truth of a case: this project's own, and VerSe's centroid files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..grading.shape_names import SHAPE_NAMES
from ..levels import is_level_number, level_named, level_numbered
from ..volume import CtVolume, LabelVolume
from .records import PHANTOM, REAL, Point, TrueVertebra
from .truth import HEIGHT_NAMES

GRADES = (0, 1, 2, 3)

OUTSIDE_MM = 20.0
"""The centre of a body that the border cuts may lie beyond it by so much: about half a body."""

_AXES = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}
"""Letter that an axis points to -> world axis (x, y, z), sign in LPS."""


def read_truth_file(path: Path) -> tuple[str, dict[str, TrueVertebra]]:
    """Read a truth file.

    It holds ``{"vertebrae": [...]}`` or ``{"centers": [...]}``; each entry has ``level`` (name or
    VerSe number), ``center_lps_mm`` and, if known, ``grade``, ``shape`` and ``heights_mm``
    (anterior, middle, posterior; or ``height_anterior_mm`` and so on, as phantoms have them). A
    ``seed`` marks a phantom; of its C1 and C2, which are never graded, only the centres are taken.

    Returns
    -------
    str
        `records.REAL` or `records.PHANTOM`.
    dict
        Level name -> what is known.

    Raises
    ------
    ValueError
        If the file holds something else.
    """
    path = Path(path)
    content = _json_of(path)
    entries = None
    if isinstance(content, dict):
        entries = content.get("vertebrae", content.get("centers"))
    if not isinstance(entries, list):
        raise ValueError(f"{path.name} is no truth file: it has no list of vertebrae")
    facts: dict[str, TrueVertebra] = {}
    for entry in entries:
        fact = _fact(entry, path.name)
        if fact.level in facts:
            raise ValueError(f"{path.name}: {fact.level} stands there twice")
        facts[fact.level] = fact
    facts.pop("S1", None)
    if "seed" not in content:
        return REAL, facts
    # Phantoms state the shape of every vertebra, but Genant's grades leave C1 and C2 out.
    for name in facts.keys() & {"C1", "C2"}:
        facts[name] = TrueVertebra(name, facts[name].center_lps_mm)
    return PHANTOM, facts


def check_inside(
    facts: Mapping[str, TrueVertebra], geometry: CtVolume | LabelVolume, file: str
) -> None:
    """Refuse centres that lie farther than `OUTSIDE_MM` beyond the voxels of `geometry`.

    Raises
    ------
    ValueError
    """
    for name, fact in facts.items():
        index_zyx = geometry.lps_to_index(np.array(fact.center_lps_mm))
        if _outside_mm(index_zyx[::-1], geometry) > OUTSIDE_MM:
            raise ValueError(f"{file}: {name} lies outside the scan")


def read_verse_centroids(path: Path, geometry: CtVolume | LabelVolume) -> dict[str, TrueVertebra]:
    """Read a VerSe centroid file: voxel coordinates along the axes that ``direction`` names.

    Raises
    ------
    ValueError
        If the file holds something else, or centres that lie outside of `geometry`.
    """
    path = Path(path)
    content = _json_of(path)
    if not isinstance(content, list) or not all(isinstance(e, dict) for e in content):
        raise ValueError(f"{path.name} is no VerSe centroid file: it is no list of entries")
    axes = _axes_of(content[0].get("direction") if content else None, path.name)
    facts = {}
    for entry in content[1:]:
        number, point = _labelled_point(entry, path.name)
        if not is_level_number(number) or level_numbered(number).name == "S1":
            continue
        name = level_numbered(number).name
        index_xyz = _to_image_axes(np.array(point), axes, geometry)
        if _outside_mm(index_xyz, geometry) > OUTSIDE_MM:
            raise ValueError(f"{path.name}: {name} lies outside the scan")
        centre = geometry.index_to_lps(index_xyz[::-1])
        facts[name] = TrueVertebra(name, tuple(float(c) for c in centre))
    return facts


def _json_of(path: Path) -> Any:
    try:
        # Of bytes, a byte order mark tells the encoding.
        return json.loads(path.read_bytes())
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not stored as UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name} is no JSON file (see its line {error.lineno})") from error


def _fact(entry: Any, file: str) -> TrueVertebra:
    level = entry.get("level") if isinstance(entry, dict) else None
    name = _level_name(level)
    if name is None:
        raise ValueError(f"{file} is no truth file: {level!r} is no level of a vertebra")
    if entry.get("center_lps_mm") is None:
        raise ValueError(f"{file}, {name}: center_lps_mm, the centre of its body, is missing")
    centre = _three_numbers(entry["center_lps_mm"])
    if centre is None:
        raise ValueError(f"{file}, {name}: center_lps_mm is not three numbers")
    grade, shape = entry.get("grade"), entry.get("shape")
    if grade is not None and (isinstance(grade, bool | str) or grade not in GRADES):
        raise ValueError(f"{file}, {name}: the grade {grade!r} is none of 0, 1, 2, 3 and null")
    if shape is not None and shape not in SHAPE_NAMES:
        known = ", ".join(SHAPE_NAMES)
        raise ValueError(f"{file}, {name}: the shape {shape!r} is none of {known} and null")
    heights = _heights(entry, f"{file}, {name}")
    grade = None if grade is None else int(grade)
    return TrueVertebra(name, centre, grade=grade, shape=shape, heights_mm=heights)


def _level_name(level: Any) -> str | None:
    """Return the name of the level that a name or a VerSe number means; None if there is none."""
    if isinstance(level, bool):
        return None
    try:
        return (level_named if isinstance(level, str) else level_numbered)(level).name
    except (KeyError, TypeError):
        return None


def _heights(entry: dict, place: str) -> Point | None:
    given = entry.get("heights_mm")
    if given is None and "height_anterior_mm" in entry:
        given = [entry.get(f"height_{k}_mm") for k in HEIGHT_NAMES]
        if all(height is None for height in given):
            return None
    elif isinstance(given, dict):
        given = [given.get(k) for k in HEIGHT_NAMES]
    if given is None:
        return None
    heights = _three_numbers(given)
    if heights is None or min(heights) <= 0:
        raise ValueError(f"{place}: heights_mm is not three numbers above 0")
    return heights


def _three_numbers(given: Any) -> Point | None:
    """Return a list of three finite numbers as a tuple; None if `given` is something else."""
    try:
        numbers = tuple(float(n) for n in given) if isinstance(given, list) else ()
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers if len(numbers) == 3 and all(map(math.isfinite, numbers)) else None


def _axes_of(direction: Any, file: str) -> str:
    """Return the letters that the axes of a centroid file point to."""
    letters = list(direction) if isinstance(direction, str | list) else []
    named = [_AXES[k][0] for k in letters if isinstance(k, str) and k in _AXES]
    if len(letters) != 3 or sorted(named) != [0, 1, 2]:
        raise ValueError(
            f"{file} is no VerSe centroid file: its direction must name one of L and R, one of P "
            "and A, and one of S and I"
        )
    return "".join(letters)


def _labelled_point(entry: dict, file: str) -> tuple[int, Point]:
    try:
        number = int(entry["label"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{file} is no VerSe centroid file: an entry has no number as its label"
        ) from error
    point = _three_numbers([entry.get(k) for k in "XYZ"])
    if point is None:
        raise ValueError(f"{file}: the position of {number} is not three numbers")
    return number, point


def _to_image_axes(point: np.ndarray, axes: str, geometry: CtVolume | LabelVolume) -> np.ndarray:
    """Bring a voxel position given along `axes` (letters that each axis points to) to x, y, z."""
    direction = np.asarray(geometry.direction).reshape(3, 3)
    size_xyz = geometry.size_xyz
    index = np.zeros(3)
    for image_axis in range(3):
        world = int(np.abs(direction[:, image_axis]).argmax())
        sign = np.sign(direction[world, image_axis])
        given = next(k for k, letter in enumerate(axes) if _AXES[letter][0] == world)
        same = _AXES[axes[given]][1] == sign
        index[image_axis] = point[given] if same else size_xyz[image_axis] - 1 - point[given]
    return index


def _outside_mm(index_xyz: np.ndarray, geometry: CtVolume | LabelVolume) -> float:
    """Return how far beyond the voxels of `geometry` a position lies, along the farthest axis."""
    beyond = np.maximum(-index_xyz, index_xyz - (np.asarray(geometry.size_xyz) - 1))
    return float((beyond * geometry.spacing_xyz_mm).max())
