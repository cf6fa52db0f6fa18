"""Skull, jaw and their cavities of a phantom."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .codes import Bone, Tissue
from .grid import Grid, capsule_distance, ellipsoid_distance, noise_field
from .thorax_bones import BonePiece
from .torso import SpineLine


def skull_pieces(
    grid: Grid, line: SpineLine, scale: float, tissue: np.ndarray, rng: np.random.Generator
) -> Iterator[BonePiece]:
    """Yield skull vault, base, condyles and jaw; paint brain and sinuses into `tissue`."""
    centre = line.point("C1", 88 * scale, -22 * scale, 0)
    radii = np.array([72.0, 92.0, 72.0]) * scale
    box = grid.box(centre - radii - 12, centre + radii + 12)
    if box is not None:
        z, y, x = grid.axes(box)
        d = ellipsoid_distance(z, y, x, centre, radii)
        d = d + 1.5 * noise_field(rng, d.shape, 12)
        # The foramen magnum stays open over the canal.
        hole_centre = line.point("C1", 14, 14 * scale, 0)
        hole = np.sqrt((y - hole_centre[1]) ** 2 + (x - hole_centre[2]) ** 2) - 16 * scale
        wall = rng.uniform(2.5, 4.0)
        shell = np.maximum(np.abs(d) - wall, np.where(z < centre[0] - radii[0] * 0.5, -hole, -99))
        tissue[box][d < -wall] = Tissue.BRAIN
        yield Bone.SKULL, box, shell.astype(np.float32)
    for side in (-1.0, 1.0):
        condyle = line.point("C1", 15 * scale, -3, side * 17 * scale)
        yield from _blob(grid, condyle, np.array([7.0, 11.0, 8.0]) * scale)
        mastoid = line.point("C1", 16 * scale, 2, side * 52 * scale)
        yield from _blob(grid, mastoid, np.array([16.0, 14.0, 12.0]) * scale)
        petrous = line.point("C1", 34 * scale, -18 * scale, side * 32 * scale)
        yield from _blob(grid, petrous, np.array([11.0, 18.0, 28.0]) * scale)
        angle = line.point("C2", 0, -32 * scale, side * 46 * scale)
        chin = line.point("C3", -8 * scale, -112 * scale, side * 10 * scale)
        joint = line.point("C1", 25 * scale, -24 * scale, side * 50 * scale)
        yield from _strut(grid, joint, angle, 6 * scale)
        yield from _strut(grid, angle, chin, 9 * scale)
        cheek = line.point("C1", 25 * scale, -90 * scale, side * 30 * scale)
        yield from _blob(grid, cheek, np.array([18.0, 18.0, 16.0]) * scale, shell_mm=2.5)
        sinus = grid.box(cheek - 14, cheek + 14)
        if sinus is not None:
            hollow = (
                ellipsoid_distance(*grid.axes(sinus), cheek, np.array([15, 15, 13]) * scale) < 0
            )
            tissue[sinus][hollow] = Tissue.BOWEL_GAS


def _blob(grid, centre, radii, shell_mm=None) -> Iterator[BonePiece]:
    box = grid.box(centre - radii - 4, centre + radii + 4)
    if box is None:
        return
    d = ellipsoid_distance(*grid.axes(box), centre, radii)
    if shell_mm is not None:
        d = np.abs(d + shell_mm / 2) - shell_mm / 2
    yield Bone.SKULL, box, d.astype(np.float32)


def _strut(grid, a, b, radius) -> Iterator[BonePiece]:
    box = grid.box(np.minimum(a, b) - radius - 4, np.maximum(a, b) + radius + 4)
    if box is None:
        return
    yield Bone.SKULL, box, capsule_distance(*grid.axes(box), a, b, radius)
