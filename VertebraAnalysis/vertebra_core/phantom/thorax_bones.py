"""Sternum and shoulder girdle of a phantom as capsules and plates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .bone_pieces import BonePiece, capsule_pieces
from .codes import Bone
from .grid import Grid
from .torso import CAGE_BACK_MM, SpineLine


def sternum_pieces(
    grid: Grid, line: SpineLine, scale: float, rng: np.random.Generator
) -> Iterator[BonePiece]:
    """Yield manubrium and body of the sternum."""
    top = line.point("T3", 0, (CAGE_BACK_MM - 2 * 68 - 8) * scale, 0)
    low = line.point("T9", 0, (CAGE_BACK_MM - 2 * 92 - 12) * scale, 0)
    box = grid.box(np.minimum(top, low) - [5, 15, 35], np.maximum(top, low) + [5, 15, 35])
    if box is None:
        return
    z, y, x = grid.axes(box)
    t = np.clip((z - top[0]) / (low[0] - top[0]), 0, 1)
    half = (24 - 14 * np.minimum(t * 3, 1) + 6 * np.sin(t * np.pi)) * scale
    front = np.abs(y - (top[1] + t * (low[1] - top[1]))) - rng.uniform(4, 6.5)
    side = np.abs(x - top[2]) - half
    ends = np.maximum(z - top[0], low[0] - z)
    yield Bone.STERNUM, box, np.maximum(np.maximum(front, side), ends).astype(np.float32)


def shoulder_pieces(
    grid: Grid, line: SpineLine, scale: float, rng: np.random.Generator
) -> Iterator[BonePiece]:
    """Yield clavicles, scapulae and humeri, arms down or raised."""
    raised = rng.random() < 0.6
    for side in (-1.0, 1.0):
        lift = rng.uniform(25, 60) if raised else rng.uniform(-15, 10)
        head = line.point("T2", lift, rng.uniform(-35, 5), side * rng.uniform(148, 172) * scale)
        yield from capsule_pieces(grid, Bone.SHOULDER, head, head + [1, 0, 0], 23 * scale)
        shaft = [180, -10, side * 25] if raised else [-260, 5, side * 20]
        yield from capsule_pieces(grid, Bone.SHOULDER, head, head + shaft, 11 * scale)
        inner = line.point("T3", 4, (CAGE_BACK_MM - 2 * 62) * scale, side * 22 * scale)
        bend = (inner + head) / 2 + [8, -12, 0]
        outer = head + np.array([22.0, 5.0, -side * 14])
        for a, b in ((inner, bend), (bend, outer)):
            yield from capsule_pieces(grid, Bone.SHOULDER, a, b, 6 * scale)
        spine_root = line.point("T3", 0, 46 * scale, side * 75 * scale)
        yield from capsule_pieces(grid, Bone.SHOULDER, spine_root, outer + [4, 12, 0], 5 * scale)
        blade = [
            line.point("T2", 0, 38 * scale, side * 78 * scale),
            line.point("T7", 0, 44 * scale, side * 92 * scale),
            head + [-8, 10, -side * 24],
        ]
        yield from _plate(grid, blade, rng.uniform(1.5, 2.8))


def _plate(grid, corners, half_thickness) -> Iterator[BonePiece]:
    """A thin triangular plate with a thicker rim, as the blade of the scapula has."""
    corners = np.asarray(corners)
    box = grid.box(corners.min(0) - 10, corners.max(0) + 10)
    if box is None:
        return
    z, y, x = grid.axes(box)
    a, b, c = corners
    normal = np.cross(b - a, c - a)
    normal /= np.linalg.norm(normal)
    d = np.abs(normal[0] * (z - a[0]) + normal[1] * (y - a[1]) + normal[2] * (x - a[2]))
    inside = np.full(np.broadcast_shapes(z.shape, y.shape, x.shape), -1e3, np.float32)
    for p, q, o in ((a, b, c), (b, c, a), (c, a, b)):
        edge = np.cross(normal, q - p)
        edge /= np.linalg.norm(edge)
        edge *= -np.sign(edge @ (o - p))
        inside = np.maximum(
            inside, edge[0] * (z - p[0]) + edge[1] * (y - p[1]) + edge[2] * (x - p[2])
        )
    plate = np.maximum(d - half_thickness, inside)
    yield Bone.SHOULDER, box, plate.astype(np.float32)
    for p, q in ((a, b), (b, c)):
        yield from capsule_pieces(grid, Bone.SHOULDER, p, q, 2.2 * half_thickness)
