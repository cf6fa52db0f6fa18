"""Discs, the vertebral canal with its cord, and what implants and cement put into bone."""

from __future__ import annotations

import numpy as np

from .codes import Tissue
from .grid import Grid, capsule_distance
from .spine_curve import PlacedLevel, disc_frame
from .vertebra_instance import VertebraInstance

CORD_RADIUS_MM = 5.2


def paint_discs(
    tissue: np.ndarray,
    grid: Grid,
    instances: list[VertebraInstance],
    sacrum: PlacedLevel,
    rng: np.random.Generator,
) -> None:
    """Paint a disc below every body (none between C1 and C2), in place."""
    below = [(i.placed, i.body_size_mm) for i in instances[1:]]
    below.append((sacrum, instances[-1].body_size_mm))
    for upper, (lower, lower_size) in zip(instances, below, strict=True):
        if upper.placed.name == "C1":
            continue
        a, b = upper.placed.center_zyx_mm, lower.center_zyx_mm
        _, depth, width = ((p + q) / 2 for p, q in zip(upper.body_size_mm, lower_size, strict=True))
        reach = np.array([upper.body_size_mm[0] * 0.9, depth, width])
        box = grid.box(np.minimum(a, b) - reach * 0.3, np.maximum(a, b) + reach * 0.3)
        wide = grid.box((a + b) / 2 - reach * 0.75, (a + b) / 2 + reach * 0.75)
        if box is None or wide is None:
            continue
        z, y, x = grid.local(wide, *disc_frame(upper.placed, lower))
        half = np.linalg.norm(a - b) * 0.36
        bulge = rng.uniform(0.0, 2.0)
        oval = (y / (depth / 2 + bulge)) ** 2 + (x / (width / 2 + bulge)) ** 2
        tissue[wide][(np.abs(z) < half) & (oval < 1)] = Tissue.DISC


def paint_canal(
    tissue: np.ndarray, grid: Grid, instances: list[VertebraInstance], sacrum: PlacedLevel
) -> None:
    """Paint the canal and, down to L1, the spinal cord, in place."""
    points, radii = [], []
    for instance in instances:
        _, depth, _ = instance.body_size_mm
        back = depth / 2 + instance.canal_depth_mm / 2
        points.append(instance.placed.center_zyx_mm + back * instance.placed.axes[1])
        radii.append(instance.canal_depth_mm / 2)
    points.append(sacrum.center_zyx_mm + 24.0 * sacrum.axes[1])
    radii.append(6.0)
    points, radii = np.array(points)[::-1], np.array(radii)[::-1]
    cord_end = next(
        (i.placed.center_zyx_mm[0] for i in instances if i.placed.name == "L1"), points[0][0]
    )
    z_axis, y, x = grid.axes()
    for k, z in enumerate(z_axis.ravel()):
        if not points[0][0] - 25 <= z <= points[-1][0] + 60:
            continue
        yc, xc, r = (np.interp(z, points[:, 0], v) for v in (points[:, 1], points[:, 2], radii))
        dy, dx = y[0] - np.float32(yc), x[0] - np.float32(xc)
        inside = (dy / (r + 1)) ** 2 + (dx / (r * 1.35 + 1)) ** 2 < 1
        tissue[k][inside] = Tissue.CANAL
        if z > cord_end:
            cord = (dy / CORD_RADIUS_MM) ** 2 + (dx / (CORD_RADIUS_MM * 1.3)) ** 2 < 1
            tissue[k][cord & inside] = Tissue.CORD


def paint_implants(
    tissue: np.ndarray, grid: Grid, instances: list[VertebraInstance], names: tuple[str, ...]
) -> None:
    """Paint pedicle screws at the levels `names` and the rods that join them, in place."""
    heads: dict[float, list[np.ndarray]] = {-1.0: [], 1.0: []}
    for instance in instances:
        if instance.placed.name not in names:
            continue
        height, depth, width = instance.body_size_mm
        for side in (-1.0, 1.0):
            ends = np.array(
                [
                    [height * 0.05, -depth * 0.25, side * width * 0.14],
                    [height * 0.22, depth / 2 + 28, side * width * 0.42],
                ]
            )
            tip, head = instance.placed.center_zyx_mm + ends @ instance.placed.axes
            _paint_rod(tissue, grid, tip, head, 2.8)
            heads[side].append(head)
    for side_heads in heads.values():
        for a, b in zip(side_heads[:-1], side_heads[1:], strict=True):
            _paint_rod(tissue, grid, a, b, 3.0)


def _paint_rod(tissue, grid, a, b, radius) -> None:
    box = grid.box(np.minimum(a, b) - radius - 1, np.maximum(a, b) + radius + 1)
    if box is not None:
        tissue[box][capsule_distance(*grid.axes(box), a, b, radius) < 0] = Tissue.METAL


def paint_cement(
    tissue: np.ndarray,
    grid: Grid,
    instances: list[VertebraInstance],
    names: tuple[str, ...],
    rng: np.random.Generator,
) -> None:
    """Paint a cloud of bone cement into the bodies of the levels `names`, in place."""
    for instance in instances:
        if instance.placed.name not in names:
            continue
        height, depth, width = instance.body_size_mm
        for _ in range(rng.integers(2, 7)):
            at = rng.normal(0, 0.16, 3) * [height, depth, width]
            centre = instance.placed.center_zyx_mm + at @ instance.placed.axes
            radius = rng.uniform(3, 0.3 * height)
            _paint_blob(tissue, grid, centre, radius)


def _paint_blob(tissue, grid, centre, radius) -> None:
    box = grid.box(centre - radius, centre + radius)
    if box is None:
        return
    z, y, x = grid.axes(box)
    near = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < radius**2
    tissue[box][near] = Tissue.CEMENT
