"""Sets sacrum, hip bones and femora in their place below the column."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from .codes import Bone
from .grid import Grid, capsule_distance, noise_field
from .parametric_pelvis import hip_centres_mm
from .shape import BoneShape
from .shape_library import ShapeLibrary
from .spine_curve import PlacedLevel
from .thorax_bones import BonePiece
from .vertebra_instance import OUTSIDE_MM


def place_shape(
    grid: Grid,
    placed: PlacedLevel,
    shape: BoneShape,
    scale_zyx: np.ndarray,
    rng: np.random.Generator,
) -> tuple[tuple[slice, slice, slice], np.ndarray] | None:
    """Evaluate a bone given in the frame of `placed` on `grid`.

    Returns
    -------
    box, distance : slices and ndarray of float32, or None
        Part of the grid that the bone can reach and the signed distance there (mm).
    """
    low = (np.asarray(shape.origin_zyx_mm)) * scale_zyx
    size = (np.asarray(shape.sdf.shape) - 1) * shape.spacing_mm * scale_zyx
    corners = low + size * np.array(list(np.ndindex(2, 2, 2)))
    world = placed.center_zyx_mm + corners @ placed.axes
    box = grid.box(world.min(0), world.max(0))
    if box is None:
        return None
    coords = grid.local(box, placed.center_zyx_mm, placed.axes)
    extent = tuple(s.stop - s.start for s in box)
    index = [
        ((c + 1.5 * noise_field(rng, extent, 20)) / scale_zyx[k] - shape.origin_zyx_mm[k])
        / shape.spacing_mm
        for k, c in enumerate(coords)
    ]
    distance = ndimage.map_coordinates(
        shape.sdf.astype(np.float32), index, order=1, mode="constant", cval=OUTSIDE_MM
    )
    return box, distance * np.float32(np.prod(scale_zyx) ** (1 / 3))


def sacrum_pieces(
    grid: Grid,
    placed: PlacedLevel,
    library: ShapeLibrary,
    scale_zyx: np.ndarray,
    rng: np.random.Generator,
) -> Iterator[tuple[tuple[slice, slice, slice], np.ndarray]]:
    """Yield the sacrum as (box, signed distance in mm)."""
    found = place_shape(grid, placed, library.sacrum(rng), scale_zyx, rng)
    if found is not None:
        yield found


def pelvis_pieces(
    grid: Grid,
    placed: PlacedLevel,
    library: ShapeLibrary,
    scale_zyx: np.ndarray,
    rng: np.random.Generator,
) -> Iterator[BonePiece]:
    """Yield the hip bones and the upper femora."""
    pelvis = library.pelvis(rng)
    found = place_shape(grid, placed, pelvis, scale_zyx, rng)
    if found is not None:
        yield Bone.PELVIS, *found
    for hip in hip_centres_mm(pelvis):
        side = float(np.sign(hip[2]))
        head = placed.center_zyx_mm + (hip * scale_zyx) @ placed.axes + rng.normal(0, 1.5, 3)
        scale = float(np.mean(scale_zyx))
        trochanter = head + np.array([-14.0, 8.0, side * 48]) * scale
        shaft = trochanter + np.array([-16.0, 0, -side * 8]) * scale
        foot = shaft + np.array([-240.0, -8, -side * 14]) * scale
        yield from _rod(grid, head, head + [0.5, 0, 0], rng.uniform(21, 25.5) * scale)
        yield from _rod(grid, head, trochanter, 14.5 * scale)
        yield from _rod(grid, trochanter + [10, 0, 0], shaft, 16.5 * scale)
        yield from _rod(grid, shaft, foot, 14.0 * scale)


def _rod(grid, a, b, radius) -> Iterator[BonePiece]:
    box = grid.box(np.minimum(a, b) - radius - 4, np.maximum(a, b) + radius + 4)
    if box is not None:
        yield Bone.FEMUR, box, capsule_distance(*grid.axes(box), a, b, radius)
