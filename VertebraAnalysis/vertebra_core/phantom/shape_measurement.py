"""Sizes of a vertebral body and its canal, measured on signed distances in the body's own frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .shape import VertebraShape
from .shape_frame import CLIP_MM, GRID_LOW_ZYX_MM

_IZ, _IY, _IX = (int(-a) for a in GRID_LOW_ZYX_MM)


@dataclass(frozen=True)
class BodySize:
    """Size of a vertebral body in its own frame, mm."""

    height_anterior_mm: float
    height_middle_mm: float
    height_posterior_mm: float
    depth_mm: float
    width_mm: float

    @property
    def height_mm(self) -> float:
        """Mean of the three heights."""
        return (self.height_anterior_mm + self.height_middle_mm + self.height_posterior_mm) / 3


def measure_body(body_sdf: np.ndarray) -> BodySize:
    """Measure a body on the standard 1 mm grid.

    Depth and width are the median extents along y and x over the middle 70 % of the height, within
    5 mm of the mid-lines; heights are taken 15 %, 50 % and 85 % of the way from the front to the
    posterior wall, averaged over the 8 mm about the mid-sagittal plane.
    """
    body = body_sdf.astype(np.float32)
    z = np.arange(body.shape[0]) + GRID_LOW_ZYX_MM[0]
    column = [_extent(body[:, _IY, _IX + d])[2] for d in (-4, -2, 0, 2, 4)]
    rough = float(np.median(column))
    low, high, _ = _extent(body[:, _IY, _IX])
    centre = z[0] + (low + high) / 2
    rows = np.flatnonzero(np.abs(z - centre) <= max(0.35 * rough, 1))
    sagittal = [_extent(body[k, :, _IX + d]) for k in rows for d in (-2, 0, 2)]
    depth = float(np.median([e[2] for e in sagittal]))
    front = float(np.median([e[0] for e in sagittal]))
    width = float(np.median([_extent(body[k, _IY + d, :])[2] for k in rows for d in (-4, 0, 4)]))
    heights = []
    for share in (0.15, 0.5, 0.85):
        j = front + share * depth
        low_j = int(np.clip(np.floor(j), 0, body.shape[1] - 2))
        t = j - low_j
        slab = (1 - t) * body[:, low_j] + t * body[:, low_j + 1]
        heights.append(float(np.mean([_extent(slab[:, _IX + d])[2] for d in (-4, -2, 0, 2, 4)])))
    return BodySize(*heights, depth, width)


def measure_atlas(body_sdf: np.ndarray) -> BodySize:
    """Measure the extents of the anterior arch of the atlas, which stands for a body."""
    size = np.ptp(np.argwhere(body_sdf < 0), axis=0) + 1.0
    return BodySize(size[0], size[0], size[0], size[1], size[2])


def body_centre(body_sdf: np.ndarray) -> np.ndarray:
    """Return the centre of mass (z, y, x, mm) of a body on the standard grid."""
    return np.argwhere(body_sdf < 0).mean(0) + GRID_LOW_ZYX_MM


def canal_depth(sdf: np.ndarray, posterior_wall_mm: float) -> float:
    """Measure the front-to-back depth (mm) of the canal in the mid-sagittal plane.

    Returns 15 mm, the adult mean, where no lamina closes the canal.
    """
    middle = sdf[:, :, _IX - 1 : _IX + 2].astype(np.float32).mean(-1)
    shadow = middle.min(0)
    start = int(np.floor(posterior_wall_mm)) - GRID_LOW_ZYX_MM[1]
    # The lips of the endplates may overhang the wall: the canal is the first wide gap behind it.
    gap = 0
    for j in range(start, len(shadow)):
        if shadow[j] >= 0:
            gap += 1
        elif gap >= 6:
            lamina = j + GRID_LOW_ZYX_MM[1] - shadow[j] / (shadow[j] - shadow[j - 1])
            return float(lamina - posterior_wall_mm)
        else:
            gap = 0
    return 15.0


def finished_shape(sdf: np.ndarray, body: np.ndarray, level: int, source: str) -> VertebraShape:
    """Measure distances on the standard grid and wrap them as a `VertebraShape`."""
    size = measure_atlas(body) if level == 1 else measure_body(body)
    wall = _wall(body)
    return VertebraShape(
        sdf=np.clip(sdf, -CLIP_MM, CLIP_MM).astype(np.float16),
        origin_zyx_mm=tuple(float(v) for v in GRID_LOW_ZYX_MM),
        spacing_mm=1.0,
        source=source,
        level=level,
        body_sdf=np.clip(body, -CLIP_MM, CLIP_MM).astype(np.float16),
        height_mm=size.height_mm,
        depth_mm=size.depth_mm,
        width_mm=size.width_mm,
        canal_depth_mm=canal_depth(sdf, wall),
    )


def _wall(body: np.ndarray) -> float:
    ix = -GRID_LOW_ZYX_MM[2]
    backs = np.where(body[:, :, ix] < 0, np.arange(body.shape[1])[None], -1).max(1)
    return float(np.median(backs[backs >= 0]) + GRID_LOW_ZYX_MM[1] + 0.5)


def _extent(line: np.ndarray) -> tuple[float, float, float]:
    """First and last crossing (index units) and length of the negative part of a line."""
    inside = np.flatnonzero(line < 0)
    if not len(inside):
        return 0.0, 0.0, 0.0
    a, b = int(inside[0]), int(inside[-1])
    low, high = float(a), float(b)
    if a:
        low -= line[a] / (line[a] - line[a - 1])
    if b + 1 < len(line):
        high += line[b] / (line[b] - line[b + 1])
    return low, high, high - low
