"""Vertebral bodies and whole vertebrae as formulas, in the frame of the body (z up, y back)."""

from __future__ import annotations

import numpy as np
from vertebra_core.segmentation.segment import VertebraMask

HEIGHT_MM, DEPTH_MM, WIDTH_MM = 25.0, 32.0, 44.0


def body_level(z, y, x, height=HEIGHT_MM, depth=DEPTH_MM, width=WIDTH_MM, hollow=1.0, wedge=1.0):
    """Level set (mm, negative inside) of a body with hollow endplates.

    `wedge` is anterior over posterior height.
    """
    q = ((np.abs(x) / (width / 2)) ** 2.5 + (np.abs(y) / (depth / 2)) ** 2.5) ** (1 / 2.5)
    around = (q - 1) * min(depth, width) / 2
    slope = height * 2 * (1 - wedge) / (1 + wedge) / 0.76
    local = height + slope * y / depth
    ends = np.abs(z) - (local / 2 - hollow * np.clip(1 - q**2, 0, 1))
    return np.maximum(around, ends).astype(np.float32)


def arch_level(z, y, x, height=HEIGHT_MM, depth=DEPTH_MM, width=WIDTH_MM):
    """Level set of pedicles, lamina and spinous process around a canal."""
    wall = depth / 2
    ring_y = y - (wall + 8)
    ring = np.abs(np.hypot(ring_y, x * 0.85) - 12.5) - 3.0
    ring = np.maximum(np.maximum(ring, np.abs(z - 1) - height * 0.3), -(y - wall + 2))
    spine_z = z + 0.35 * (y - wall - 18)
    spine = np.maximum(np.abs(x) - 3.0, np.abs(spine_z) - 8.0)
    spine = np.maximum(np.maximum(spine, wall + 17 - y), y - wall - 45)
    side = np.hypot(z, (y - wall - 8) * 1.0) - 4.0
    side = np.maximum(np.maximum(side, np.abs(x) - width * 0.8), 10.0 - np.abs(x))
    return np.minimum(np.minimum(ring, spine), side).astype(np.float32)


def axes(half_sizes, step=0.75):
    """Broadcastable z, y, x coordinates (mm) of a grid about 0."""
    lines = [np.arange(-h, h + step, step, dtype=np.float32) for h in half_sizes]
    return lines[0][:, None, None], lines[1][None, :, None], lines[2][None, None, :]


def rotation(sagittal_deg=0.0, coronal_deg=0.0, axial_deg=0.0) -> np.ndarray:
    """Rows: the body's up, back and left axes (z, y, x) after turning it."""
    a, b, c = np.deg2rad([sagittal_deg, coronal_deg, axial_deg])
    about_x = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    return (about_x @ about_y @ about_z).T


def sampled(function, body_axes, center_zyx_mm, shape, spacing_zyx_mm, supersample=2):
    """Occupancy (0-1) of a level set's inside on a grid, from subsamples of every voxel."""
    total = np.zeros(shape, np.float32)
    offsets = (np.arange(supersample) + 0.5) / supersample - 0.5
    for oz in offsets:
        for oy in offsets:
            for ox in offsets:
                lines = [
                    ((np.arange(n) + o) * s - c).astype(np.float32)
                    for n, o, s, c in zip(
                        shape, (oz, oy, ox), spacing_zyx_mm, center_zyx_mm, strict=True
                    )
                ]
                z, y, x = lines[0][:, None, None], lines[1][None, :, None], lines[2][None, None, :]
                rows = np.asarray(body_axes, np.float32)
                local = [r[0] * z + r[1] * y + r[2] * x for r in rows]
                total += function(*local) < 0
    return total / supersample**3


def drawn_masks(ct, points, network):
    """Masks of a whole vertebra drawn at each point, as a segmentation would give them."""
    masks = []
    for point in points:
        center, shape = np.array([30.0, 35.0, 50.0]), (60, 110, 100)
        body = sampled(body_level, rotation(), center, shape, (1.0,) * 3, 1)
        arch = sampled(arch_level, rotation(), center, shape, (1.0,) * 3, 1)
        origin = np.asarray(point) - center[::-1]
        index = np.rint(ct.lps_to_index(origin)).astype(int)
        whole = np.maximum(body, arch).astype(np.float16)
        place = tuple(float(p) for p in point)
        masks.append(
            VertebraMask(
                place, tuple(index), tuple(map(float, origin)), whole, body.astype(np.float16)
            )
        )
    return tuple(masks)
