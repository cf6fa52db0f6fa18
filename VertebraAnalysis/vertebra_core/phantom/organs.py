"""Organs, vessels, airways, calcifications and the table of a phantom."""

from __future__ import annotations

import numpy as np

from .codes import Tissue
from .grid import Grid, capsule_distance, ellipsoid_distance
from .torso import SpineLine

# tissue, level, mm above it, v, u (centre, mm), radii z, y, x (mm)
_ORGANS = (
    (Tissue.LIVER, "T11", 5, -55, -78, 72, 78, 78),
    (Tissue.LIVER, "T12", 8, -95, -25, 40, 45, 70),
    (Tissue.SPLEEN, "T11", 5, -8, 98, 48, 42, 26),
    (Tissue.KIDNEY, "L1", 5, -6, 64, 54, 26, 28),
    (Tissue.KIDNEY, "L2", 12, -6, -64, 54, 26, 28),
    (Tissue.STOMACH, "T12", 5, -80, 55, 42, 48, 52),
    (Tissue.SOFT_OTHER, "L1", 0, -58, 10, 14, 12, 70),
    (Tissue.BLADDER, "S1", -115, -75, 0, 34, 34, 42),
    (Tissue.SOFT_OTHER, "S1", -100, -35, 0, 28, 28, 38),
)

# tissue, radius mm, then waypoints of level, mm above it, v, u
_TUBES = (
    (Tissue.AORTA, 14.5, (
        ("T7", 0, -75, -8), ("T5", 0, -82, -14), ("T4", 8, -62, -2), ("T4", 10, -38, 14),
        ("T5", 0, -26, 22), ("T8", 0, -27, 20), ("T12", 0, -34, 9))),
    (Tissue.AORTA, 10.0, (("T12", 0, -34, 9), ("L2", 0, -36, 6), ("L4", -5, -36, 5))),
    (Tissue.AORTA, 6.0, (
        ("L4", -5, -36, 5), ("S1", 0, -48, 32), ("S1", -60, -70, 62), ("S1", -140, -95, 82))),
    (Tissue.AORTA, 6.0, (
        ("L4", -5, -36, 5), ("S1", 0, -48, -28), ("S1", -60, -70, -60), ("S1", -140, -95, -82))),
    (Tissue.VEIN, 11.0, (
        ("T9", 0, -62, -26), ("T11", 0, -42, -26), ("L2", 0, -34, -19), ("L5", 5, -34, -14))),
    (Tissue.VEIN, 7.0, (("L5", 5, -34, -14), ("S1", -60, -58, 55), ("S1", -140, -85, 76))),
    (Tissue.VEIN, 7.0, (("L5", 5, -34, -14), ("S1", -60, -58, -55), ("S1", -140, -85, -76))),
    (Tissue.VEIN, 9.0, (("T2", 0, -58, -22), ("T4", 0, -66, -26), ("T7", 0, -68, -30))),
    (Tissue.BLOOD_POOL, 12.0, (
        ("T6", 10, -86, 16), ("T5", 0, -66, 16), ("T5", -8, -46, 34), ("T6", 0, -40, 55))),
    (Tissue.BLOOD_POOL, 10.0, (("T5", 0, -66, 14), ("T6", 0, -48, -50))),
    (Tissue.AORTA, 3.6, (
        ("T3", 0, -50, 22), ("C7", 0, -34, 26), ("C3", 0, -24, 28), ("C1", 0, -10, 26))),
    (Tissue.AORTA, 3.6, (
        ("T3", 0, -50, -18), ("C7", 0, -34, -26), ("C3", 0, -24, -28), ("C1", 0, -10, -26))),
    (Tissue.VEIN, 6.0, (
        ("T2", 0, -52, 30), ("C7", 0, -36, 36), ("C3", 0, -22, 36), ("C1", 0, -2, 34))),
    (Tissue.VEIN, 6.0, (
        ("T2", 0, -52, -30), ("C7", 0, -36, -36), ("C3", 0, -22, -36), ("C1", 0, -2, -34))),
    (Tissue.SOFT_OTHER, 8.0, (
        ("C6", 0, -24, 3), ("T2", 0, -27, 5), ("T8", 0, -34, 6), ("T11", 0, -50, 18))),
    (Tissue.TRACHEA, 8.5, (
        ("C4", 0, -36, 0), ("C7", 0, -38, 0), ("T2", 0, -44, -2), ("T5", 5, -46, -4))),
    (Tissue.TRACHEA, 5.5, (("T5", 5, -46, -4), ("T6", 0, -46, -32))),
    (Tissue.TRACHEA, 5.5, (("T5", 5, -46, -4), ("T6", 0, -44, 36))),
    (Tissue.TRACHEA, 9.0, (("C4", 0, -36, 0), ("C2", 0, -28, 0), ("C1", 20, -30, 0))),
)  # fmt: skip


def paint_organs(
    tissue: np.ndarray,
    depth_mm: np.ndarray,
    grid: Grid,
    line: SpineLine,
    scale: float,
    warp: tuple[np.ndarray, np.ndarray, np.ndarray],
    noise: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Paint organs into `tissue` in place, at randomised places and sizes, inside the body only."""
    for code, level, up, v, u, *radii in _ORGANS:
        centre = line.point(level, up * scale, v * scale, u * scale) + rng.normal(0, 7, 3)
        size = np.asarray(radii) * scale * np.exp(rng.normal(0, 0.12, 3))
        _paint_ellipsoid(tissue, depth_mm, grid, warp, centre, size, code)
        if code == Tissue.STOMACH and rng.random() < 0.6:
            gas = centre - [0, size[1] * 0.45, 0]
            _paint_ellipsoid(tissue, depth_mm, grid, warp, gas, size * 0.5, Tissue.BOWEL_GAS)
    _paint_bowel(tissue, depth_mm, grid, line, scale, warp, rng)
    _paint_heart(tissue, depth_mm, grid, line, scale, warp, noise, rng)
    _paint_tubes(tissue, depth_mm, grid, line, scale, rng)


def _paint_ellipsoid(tissue, depth, grid, warp, centre, radii, code, only=None) -> None:
    reach = np.asarray(radii) + 12
    box = grid.box(centre - reach, centre + reach)
    if box is None:
        return
    d = ellipsoid_distance(*(w[box] for w in warp), centre, radii)
    where = (d < 0) & (depth[box] > 6)
    if only is not None:
        where &= np.isin(tissue[box], only)
    tissue[box][where] = code


def _paint_bowel(tissue, depth, grid, line, scale, warp, rng) -> None:
    for _ in range(rng.integers(15, 45)):
        up = rng.uniform(-130, 120)
        centre = line.point(
            "L4", up * scale, rng.uniform(-150, -45) * scale, rng.uniform(-110, 110) * scale
        )
        radii = rng.uniform(9, 24, 3) * scale
        soft = [Tissue.FAT, Tissue.BOWEL_WALL]
        _paint_ellipsoid(tissue, depth, grid, warp, centre, radii, Tissue.BOWEL_WALL, soft)
        content = rng.choice(
            [Tissue.BOWEL_CONTENT, Tissue.BOWEL_GAS, Tissue.BOWEL_WALL], p=[0.5, 0.25, 0.25]
        )
        _paint_ellipsoid(tissue, depth, grid, warp, centre, radii - 3, content, [Tissue.BOWEL_WALL])


def _paint_heart(tissue, depth, grid, line, scale, warp, noise, rng) -> None:
    centre = line.point("T8", 0, -82 * scale, 24 * scale) + rng.normal(0, 6, 3)
    radii = np.array([50.0, 44.0, 58.0]) * scale * np.exp(rng.normal(0, 0.1))
    _paint_ellipsoid(tissue, depth, grid, warp, centre, radii, Tissue.HEART)
    box = grid.box(centre - radii - 12, centre + radii + 12)
    if box is None:
        return
    chambers = (
        ((5, -18, 26), (26, 22, 22)),
        ((0, -26, -14), (28, 20, 26)),
        ((14, 18, 2), (24, 18, 34)),
        ((2, -4, -36), (26, 24, 20)),
    )
    for offset, size in chambers:
        _paint_ellipsoid(
            tissue, depth, grid, warp, centre + np.asarray(offset) * scale,
            np.asarray(size) * scale * np.exp(rng.normal(0, 0.1, 3)), Tissue.BLOOD_POOL,
            [Tissue.HEART],
        )  # fmt: skip


def _paint_tubes(tissue, depth, grid, line, scale, rng) -> None:
    calcified = rng.random() < 0.4
    for code, radius, waypoints in _TUBES:
        points = np.array(
            [line.point(lv, up * scale, v * scale, u * scale) for lv, up, v, u in waypoints]
        )
        points = _smooth_path(points + rng.normal(0, 3, 3))
        r = radius * scale * np.exp(rng.normal(0, 0.12))
        for a, b in zip(points[:-1], points[1:], strict=True):
            box = grid.box(np.minimum(a, b) - r - 2, np.maximum(a, b) + r + 2)
            if box is None:
                continue
            d = capsule_distance(*grid.axes(box), a, b, r)
            tissue[box][(d < 0) & (depth[box] > 4)] = code
            if code == Tissue.AORTA and calcified and rng.random() < 0.25:
                direction = rng.normal(0, 1, 3)
                spot = a + r * direction / np.linalg.norm(direction)
                size = rng.uniform(1.0, 4.0, 3)
                spot_box = grid.box(spot - 5, spot + 5)
                if spot_box is not None:
                    plaque = ellipsoid_distance(*grid.axes(spot_box), spot, size) < 0
                    tissue[spot_box][plaque & (depth[spot_box] > 4)] = Tissue.CALCIFICATION


def _smooth_path(points: np.ndarray) -> np.ndarray:
    """Round a polyline by two passes of corner cutting (Chaikin), keeping its ends."""
    for _ in range(2):
        a, b = points[:-1], points[1:]
        cut = np.stack([0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b], axis=1).reshape(-1, 3)
        points = np.concatenate([points[:1], cut, points[-1:]])
    return points


def paint_table(
    tissue: np.ndarray, depth_mm: np.ndarray, grid: Grid, rng: np.random.Generator
) -> None:
    """Paint the table's shell, and often a mattress gap, behind the body, in place."""
    behind = np.nonzero((depth_mm > 0).any(axis=(0, 2)))[0]
    if len(behind) == 0:
        return
    _, y, x = grid.axes()
    skin_y = float(y.ravel()[behind.max()])
    gap = rng.uniform(1, 30)
    middle = float(x.mean()) + rng.uniform(-40, 40)
    curve = rng.uniform(0, 0.0018) * (x - middle) ** 2
    thickness = rng.uniform(0.8, 2.5)
    for offset in (0.0, rng.uniform(15, 60)):
        shell = np.abs(y - (skin_y + gap + offset - curve)) < thickness
        shell = np.broadcast_to(shell, grid.shape)
        tissue[shell & (depth_mm < -0.5)] = Tissue.TABLE
