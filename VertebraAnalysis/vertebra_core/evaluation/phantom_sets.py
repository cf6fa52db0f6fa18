"""The sets of phantoms that are evaluated apart: ordinary ones, and those of independent meshes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..phantom.arguments import check_shapes, shapes_name
from ..phantom.findings import WantedFindings
from .records import INDEPENDENT_MESHES, PHANTOM, CaseRecord
from .requirements import independent_mesh_requirements, phantom_requirements
from .tables import Table

if TYPE_CHECKING:
    from ..phantom.shape_library import ShapeLibrary


@dataclass(frozen=True)
class PhantomKind:
    """What is known of records of phantoms by their kind alone.

    Attributes
    ----------
    name : str
        See `records.KINDS`.
    title : str
        Heading of their tables.
    requirements : callable
        Slice distance -> records in, table of what must be reached out.
    """

    name: str
    title: str
    requirements: Callable[[Mapping[float, Sequence[CaseRecord]]], Table]


# As `WantedFindings.tag` writes them behind the prefix of a set.
_STATED = re.compile(r"[a-z]+(?:_fractures(\d+))?(?:_mild(\d+))?_\d+_")

ORDINARY = PhantomKind(PHANTOM, "Phantoms", phantom_requirements)
INDEPENDENT = PhantomKind(INDEPENDENT_MESHES, "Independent meshes", independent_mesh_requirements)


def phantom_title(
    kind: PhantomKind, wanted: WantedFindings, slice_mm: float, pixel_mm: float
) -> str:
    """Return the heading of phantoms of a kind with deformed bodies, scanned with such voxels."""
    deformed = [] if wanted.n_fractures is None else [f"{wanted.n_fractures} fractures"]
    deformed += [f"{wanted.n_mild} mild deformities"] if wanted.n_mild else []
    what = f" with {' and '.join(deformed)}" if deformed else ""
    return f"{kind.title}{what}, {slice_mm:g} mm slices of {pixel_mm:g} mm pixels"


def wanted_in(name: str) -> WantedFindings:
    """Return the deformed bodies that the name of a scan of ``evaluate phantoms`` states."""
    stated = _STATED.match(name)
    fractures, mild = stated.groups() if stated else (None, None)
    return WantedFindings(
        n_fractures=None if fractures is None else int(fractures), n_mild=int(mild or 0)
    )


@dataclass(frozen=True)
class PhantomSet:
    """What tells one set of phantoms from another.

    Attributes
    ----------
    kind : PhantomKind
    prefix : str
        Begins the names of its scans.
    scene_prefix : str
        Begins the names of its scene files.
    shapes : str
        What its vertebrae are shaped from, for the settings beside its records.
    make_library : callable
        Gives the library that its vertebrae are shaped from.
    meshes : Path or None
        Folder of independent meshes.
    """

    kind: PhantomKind
    prefix: str
    scene_prefix: str
    shapes: str
    make_library: Callable[[], ShapeLibrary]
    meshes: Path | None = None


def chosen_set(
    shapes: Path | None, shape_cache: Path | None, independent_meshes: Path | None
) -> PhantomSet:
    """Return the set that the arguments of ``evaluate phantoms`` ask for.

    Raises
    ------
    InputError
        ``bad_arguments`` or ``no_shapes``.
    """
    # Imported here: listing the arguments must not load what reads meshes.
    from ..phantom.independent_meshes import check_independent_meshes, independent_library
    from ..phantom.shape_library import ShapeLibrary

    if independent_meshes is None:
        check_shapes(shapes, shape_cache)
        return PhantomSet(
            kind=ORDINARY,
            prefix="phantom",
            scene_prefix="scene",
            shapes=shapes_name(shapes),
            make_library=partial(ShapeLibrary.chosen, shapes, shape_cache),
        )
    if shapes is not None:
        raise InputError(
            "bad_arguments",
            "Independent meshes cannot be mixed with shapes that training uses.",
            "Give either --shapes or --independent-meshes.",
        )
    check_independent_meshes(independent_meshes)
    return PhantomSet(
        kind=INDEPENDENT,
        prefix="independent",
        scene_prefix="independent",
        shapes="independent meshes",
        make_library=partial(independent_library, independent_meshes, shape_cache),
        meshes=independent_meshes,
    )
