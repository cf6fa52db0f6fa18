"""Vertebrae for evaluation alone: meshes of the OpenSim models, which no training may see.

The meshes (opensim-org/opensim-models, folder Geometry) carry no licence, so they are neither part
of this project nor of any bank: a library made here is marked `evaluation_only`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from ..errors import InputError
from ..levels import level_named, level_numbered
from .shape import VertebraShape
from .shape_library import ShapeLibrary, look_alikes
from .template_shapes import STEP_MM, mesh_field, read_mesh, shape_from_field

SOURCE = "opensim"

# Metres; x forward, y up, z to the right. Rows give LPS x, y, z in mm.
_TO_LPS = np.array([[0, 0, -1000], [-1000, 0, 0], [0, 1000, 0.0]])

# C2 is left out: its mesh is that of C3 with a spike for a dens, 27 mm tall where an axis has
# about 40, and so has no long axis that it could be stood up by. C5 and C6 are one mesh.
_FILES = {
    "C1": "cerv1.vtp",
    **{f"C{i}": f"cerv{i}.vtp" for i in range(3, 8)},
    **{f"T{i}": f"thoracic{i}.vtp" for i in range(1, 13)},
    **{f"L{i}": f"lumbar{i}.vtp" for i in range(1, 6)},
}

_SIZE_RANGE_MM = (30.0, 150.0)
"""Largest extent of a vertebra, processes included; meshes in other units lie far outside."""


def covered_levels(folder: Path) -> frozenset[int]:
    """Return the VerSe numbers of the levels that `folder` has usable meshes of."""
    return frozenset(
        level_named(name).number for name, file in _FILES.items() if (Path(folder) / file).is_file()
    )


def independent_library(folder: Path, cache: Path | None = None) -> ShapeLibrary:
    """Return a library of the meshes in `folder` alone; sacrum and hip bones are parametric.

    Parameters
    ----------
    folder : Path
        Holds ``cerv1.vtp`` ... ``lumbar5.vtp`` or some of them, in metres.
    cache : Path, optional
        Read from there if such a library was saved in it, else saved to it once built.

    Raises
    ------
    InputError
        ``no_shapes`` if there is no mesh, ``bad_mesh`` if one cannot be used, ``other_shapes`` if
        `cache` holds shapes that are used for training.
    """
    if cache is not None and (Path(cache) / "library.json").exists():
        return ShapeLibrary.load(cache).checked(cache, evaluation_only=True)
    check_independent_meshes(folder)
    library = ShapeLibrary(independent_shapes(folder), evaluation_only=True)
    if cache is not None:
        library.save(cache)
    return library


def check_independent_meshes(folder: Path) -> None:
    """Check that `folder` holds at least one mesh.

    Raises
    ------
    InputError
        ``no_shapes``.
    """
    if not covered_levels(folder):
        raise InputError(
            "no_shapes",
            f"The folder {folder} holds no meshes of vertebrae.",
            "Meshes are looked for under the names of OpenSim: cerv1.vtp ... lumbar5.vtp.",
        )


def independent_shapes(folder: Path) -> tuple[VertebraShape, ...]:
    """Load the vertebrae of `folder`, head to foot; files that are absent are passed over.

    Raises
    ------
    InputError
        ``bad_mesh`` if a file is no mesh or not of a vertebra's size.
    """
    paths = {name: Path(folder) / file for name, file in _FILES.items()}
    return tuple(
        shape_from_field(
            mesh_field(_vertebra_mesh(path), STEP_MM), level_named(name).number, SOURCE
        )
        for name, path in paths.items()
        if path.is_file()
    )


def stand_in_notes(levels: Collection[int], covered: Collection[int]) -> tuple[str, ...]:
    """Say which of `levels` (VerSe numbers) are not shaped by a mesh of their own level."""
    notes = []
    for number in levels:
        if number in covered:
            continue
        name = level_numbered(number).name
        lent = look_alikes(number) & set(covered)
        notes.append(
            f"{name} is shaped by the mesh of a neighbouring level."
            if lent
            else f"{name} is parametric: there is no mesh of it."
        )
    return tuple(notes)


def _vertebra_mesh(path: Path) -> vtk.vtkPolyData:
    mesh = read_mesh(path, _TO_LPS)
    extent = float(np.ptp(vtk_to_numpy(mesh.GetPoints().GetData()), axis=0).max())
    low, high = _SIZE_RANGE_MM
    if not low <= extent <= high:
        raise InputError(
            "bad_mesh",
            f"The mesh {path} is {extent:.3g} mm large, which no vertebra is.",
            "Coordinates must be metres.",
        )
    return mesh
