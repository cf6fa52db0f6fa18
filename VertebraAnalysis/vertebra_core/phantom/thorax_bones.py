"""Ribs, sternum and shoulder girdle of a phantom as chains of capsules."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .codes import Bone
from .grid import Grid, capsule_distance
from .torso import CAGE_BACK_MM, SpineLine
from .vertebra_instance import VertebraInstance

# Half-width and half-depth (mm) of the oval that ribs 1-12 follow, how far they fall from back to
# front (mm), and where they end: degrees around the oval, 180 at the sternum.
_RIBS = {
    1: (58, 46, 30, 150), 2: (84, 60, 45, 155), 3: (103, 74, 60, 155), 4: (115, 82, 70, 155),
    5: (122, 88, 80, 152), 6: (128, 92, 88, 150), 7: (132, 95, 95, 148), 8: (135, 97, 95, 140),
    9: (136, 97, 95, 130), 10: (135, 96, 90, 120), 11: (130, 94, 70, 85), 12: (125, 90, 50, 55),
    13: (120, 88, 25, 30),
}  # fmt: skip

BonePiece = tuple[int, tuple[slice, slice, slice], np.ndarray]
"""Bone code, box of the grid and signed distance (mm, float32) in that box."""


def rib_pieces(
    instance: VertebraInstance, grid: Grid, line: SpineLine, scale: float, rng: np.random.Generator
) -> Iterator[BonePiece]:
    """Yield the two ribs of a thoracic vertebra segment by segment.

    A twelfth rib is short or missing in some patients, as in life; T13 carries rudimentary ribs.
    """
    index = int(instance.placed.name[1:])
    length = float(np.exp(rng.normal(0, 0.06)))
    if index >= 12:
        length = rng.uniform(0.35, 1.25)
        if rng.random() < 0.06:
            return
    for side in (-1.0, 1.0):
        path = _rib_path(instance, index, side, line, scale, length * np.exp(rng.normal(0, 0.04)))
        radius = (4.0 if index in (1, 12, 13) else 4.9) * scale * np.exp(rng.normal(0, 0.08))
        for k, (a, b) in enumerate(zip(path[:-1], path[1:], strict=True)):
            r = radius * (0.85 if k < 2 else 1.0)
            yield from _capsule(grid, Bone.RIB, a, b, r, flatten=1.0 if k < 2 else 0.72)


def _rib_path(instance, index, side, line, scale, length) -> np.ndarray:
    half_w, half_d, fall, end_deg = _RIBS[index]
    half_w, half_d, fall = half_w * scale, half_d * scale, fall * scale
    height, depth, width = instance.body_size_mm
    axes, centre = instance.placed.axes, instance.placed.center_zyx_mm
    # The head meets the upper back corner of the body (T11-T13: its middle), the tubercle meets
    # the transverse process, the angle lies furthest back.
    head_up = height * (0.42 if 2 <= index <= 10 else 0.15)
    local = np.array(
        [
            [head_up, depth * 0.42, side * (width / 2 + 3)],
            [head_up * 0.4 + 2, depth * 0.42 + 15 * scale, side * (width / 2 + 15 * scale)],
            [-2.0, depth * 0.42 + 27 * scale, side * (width / 2 + 30 * scale)],
        ]
    )
    near = centre + local @ axes
    tip = near[-1]
    _, xc = line.at(tip[0])
    start = float(np.arcsin(np.clip(abs(tip[2] - xc) / half_w, 0.05, 0.95)))
    stop = start + (np.deg2rad(end_deg) - start) * min(length, 1.15)
    theta = np.linspace(start, max(stop, start + 0.15), max(4, int(14 * (stop - start) / 2)))
    progress = (theta - start) / (np.pi - start)
    z = tip[0] - fall * (progress * 1.25 - 0.25 * np.sin(progress * np.pi))
    y_tip, _ = line.at(tip[0])
    back = CAGE_BACK_MM * scale + 5
    y = y_tip + back - half_d + half_d * np.cos(theta)
    # Slide the oval so that it begins at the rib's tubercle, and let the shift fade along it.
    fade = np.clip(1 - progress * 2.5, 0, 1)
    y = y + (tip[1] - y[0]) * fade
    x = xc + side * half_w * np.sin(theta)
    x = x + (tip[2] - x[0]) * fade
    return np.concatenate([near[:-1], np.stack([z, y, x], axis=1)])


def _capsule(grid, code, a, b, radius, flatten=1.0) -> Iterator[BonePiece]:
    reach = radius / min(flatten, 1.0) + 4
    box = grid.box(np.minimum(a, b) - reach, np.maximum(a, b) + reach)
    if box is None:
        return
    z, y, x = grid.axes(box)
    # Ribs are taller than thick: distances along z count less.
    squeeze = np.float32(flatten)
    a, b = a * [squeeze, 1, 1], b * [squeeze, 1, 1]
    yield code, box, capsule_distance(z * squeeze, y, x, a, b, radius)


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
        yield from _capsule(grid, Bone.SHOULDER, head, head + [1, 0, 0], 23 * scale)
        shaft = [180, -10, side * 25] if raised else [-260, 5, side * 20]
        yield from _capsule(grid, Bone.SHOULDER, head, head + shaft, 11 * scale)
        inner = line.point("T3", 4, (CAGE_BACK_MM - 2 * 62) * scale, side * 22 * scale)
        bend = (inner + head) / 2 + [8, -12, 0]
        outer = head + np.array([22.0, 5.0, -side * 14])
        for a, b in ((inner, bend), (bend, outer)):
            yield from _capsule(grid, Bone.SHOULDER, a, b, 6 * scale)
        spine_root = line.point("T3", 0, 46 * scale, side * 75 * scale)
        yield from _capsule(grid, Bone.SHOULDER, spine_root, outer + [4, 12, 0], 5 * scale)
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
        yield from _capsule(grid, Bone.SHOULDER, p, q, 2.2 * half_thickness)
