"""The trunk of a phantom around its spine: outline, fat, muscle, rib cage and lungs.

All geometry is given beside the spine: ``u`` is mm to the left of the spine's centre line, ``v`` mm
behind it. Sizes are typical of supine adults, before the patient's own scale and habitus.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .codes import Tissue
from .grid import Grid
from .spine_curve import PlacedLevel

# Level (and mm above it), half-width, half-depth, and distance from the spine's centre to the skin
# of the back, mm.
_OUTLINE = (
    ("C1", 190.0, 40.0, 50.0, 95.0),
    ("C1", 120.0, 74.0, 96.0, 98.0),
    ("C1", 40.0, 72.0, 92.0, 78.0),
    ("C2", -10.0, 66.0, 72.0, 62.0),
    ("C5", 0.0, 60.0, 60.0, 60.0),
    ("C7", 0.0, 95.0, 68.0, 66.0),
    ("T2", 0.0, 195.0, 95.0, 70.0),
    ("T5", 0.0, 190.0, 112.0, 62.0),
    ("T9", 0.0, 165.0, 115.0, 58.0),
    ("T11", 0.0, 155.0, 112.0, 62.0),
    ("L2", 0.0, 145.0, 105.0, 70.0),
    ("L4", 0.0, 155.0, 108.0, 75.0),
    ("S1", -20.0, 172.0, 112.0, 80.0),
    ("S1", -120.0, 180.0, 112.0, 65.0),
    ("S1", -260.0, 170.0, 100.0, 75.0),
)

# Level, mm above it, half-width and half-depth (mm) of the rib cage's inner wall, whose back lies
# 34 mm behind the spine.
_CAGE = (
    ("C7", 10.0, 20.0, 20.0),
    ("T1", 0.0, 52.0, 40.0),
    ("T2", 0.0, 78.0, 55.0),
    ("T3", 0.0, 98.0, 68.0),
    ("T5", 0.0, 116.0, 82.0),
    ("T8", 0.0, 130.0, 92.0),
    ("T11", 0.0, 132.0, 92.0),
    ("L2", 0.0, 125.0, 88.0),
)
CAGE_BACK_MM = 34.0


@dataclass(frozen=True)
class Habitus:
    """Build of a patient.

    Attributes
    ----------
    scale : float
        Size against the median.
    fat_mm : float
        Thickness of subcutaneous fat.
    girth : float
        Width and depth of the outline against its bones.
    """

    scale: float
    fat_mm: float
    girth: float


class SpineLine:
    """Centre line of the spine as functions of z, with the heights of its levels.

    Parameters
    ----------
    column : tuple of PlacedLevel
    slide_mm : float
        How much higher than usual whatever lies before and beside the spine sits, in the chest and
        upper abdomen; head and pelvis stay. With inspiration, raised arms and age the sternum, the
        shoulders and the organs move along the spine by a vertebra or more, so that they must not
        tell its levels.
    """

    def __init__(self, column: tuple[PlacedLevel, ...], slide_mm: float = 0.0) -> None:
        points = np.array([p.center_zyx_mm for p in column])
        # Beyond both ends the line runs on straight up and down.
        ends = points[[0, -1]] + np.array([[300.0, 0, 0], [-400.0, 20.0, 0]])
        line = np.concatenate([ends[:1], points, ends[1:]])[::-1]
        order = np.argsort(line[:, 0])
        self._line = line[order]
        self._z = {p.name: float(p.center_zyx_mm[0]) for p in column}
        fixed, free = ("S1", "C5"), ("L3", "T1")
        (low, high), (lower, upper) = ([self._level(n) for n in names] for names in (fixed, free))
        self._slide = ([low, lower, upper, high], [0.0, slide_mm, slide_mm, 0.0])

    def level_z(self, name: str) -> float:
        """Height of a level, mm; a level that this column lacks gives its upper neighbour."""
        z = self._level(name)
        return z + float(np.interp(z, *self._slide))

    def _level(self, name: str) -> float:
        while name not in self._z:
            name = f"{name[0]}{int(name[1:]) - 1}"
        return self._z[name]

    def at(self, z_mm) -> tuple[np.ndarray, np.ndarray]:
        """Return y and x of the line at heights `z_mm`."""
        z = np.asarray(z_mm)
        return (
            np.interp(z, self._line[:, 0], self._line[:, 1]).astype(np.float32),
            np.interp(z, self._line[:, 0], self._line[:, 2]).astype(np.float32),
        )

    def profile(self, table, z_mm, scale: float) -> list[np.ndarray]:
        """Interpolate the columns of a (level, offset, values...) table at `z_mm`."""
        anchors = np.array([self.level_z(row[0]) + row[1] * scale for row in table])
        order = np.argsort(anchors)
        values = np.array([row[2:] for row in table])[order]
        return [
            np.interp(z_mm, anchors[order], values[:, k]).astype(np.float32) * np.float32(scale)
            for k in range(values.shape[1])
        ]

    def point(self, level: str, up_mm: float, v_mm: float, u_mm: float) -> np.ndarray:
        """Position (z, y, x mm): above a level, behind the line and left of it by so many mm."""
        z = self.level_z(level) + up_mm
        y, x = self.at(z)
        return np.array([z, float(y) + v_mm, float(x) + u_mm])


def paint_trunk(
    grid: Grid,
    line: SpineLine,
    habitus: Habitus,
    warp: tuple[np.ndarray, np.ndarray, np.ndarray],
    noise: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Paint skin, fat, muscle, lungs and the abdominal cavity.

    Parameters
    ----------
    grid : Grid
    line : SpineLine
        What the trunk is built around.
    habitus : Habitus
    warp : tuple of ndarray
        Displaced z, y, x coordinates of every voxel, mm.
    noise : ndarray
        Smooth unit-variance noise on the grid.
    rng : Generator

    Returns
    -------
    tissue : ndarray of uint8
    depth_mm : ndarray of float32
        Depth below the skin, negative outside the body.
    """
    z_line = grid.axes()[0].ravel()
    wz, wy, wx = warp
    yc, xc = (a[:, None, None] for a in line.at(z_line))
    s = habitus.scale
    half_w, half_d, back = (a[:, None, None] for a in line.profile(_OUTLINE, z_line, s))
    half_w, half_d = half_w * habitus.girth, half_d * habitus.girth
    back = back + habitus.fat_mm * 0.8
    y_mid = yc + back - half_d
    q = (np.abs(wx - xc) / half_w) ** 2.5 + (np.abs(wy - y_mid) / half_d) ** 2.5
    depth = (1 - q ** np.float32(0.4)) * np.minimum(half_w, half_d)
    del q

    tissue = np.zeros(grid.shape, np.uint8)
    tissue[depth > 0] = Tissue.SKIN
    fat = habitus.fat_mm * (1 + 0.25 * noise)
    skin = rng.uniform(1.2, 2.2)
    tissue[depth > skin] = Tissue.FAT
    tissue[depth > skin + fat] = Tissue.MUSCLE

    cage_w, cage_d = (a[:, None, None] for a in line.profile(_CAGE, z_line, s))
    u, v = wx - xc, wy - yc
    cage_mid = CAGE_BACK_MM * s - cage_d
    cage = np.sqrt((u / cage_w) ** 2 + ((v - cage_mid) / cage_d) ** 2)
    above = z_line[:, None, None] < line.level_z("T1") + 12 * s
    inside = (cage < 0.97) & above & (depth > skin + fat + 3)
    _paint_cavities(tissue, grid, line, s, inside, (wz, u, v), depth - skin - fat, noise, rng)
    _paint_back_muscle(tissue, line, s, z_line, (u, v), depth, skin + fat, noise)
    return tissue, depth


def _paint_cavities(tissue, grid, line, s, cage_inside, coords, deep, noise, rng):
    """Lungs above the diaphragm, peritoneal fat below it, the mediastinum between the lungs."""
    wz, u, v = coords
    top = line.level_z("T10") + rng.uniform(-10, 25)
    dome = (
        top
        - ((np.abs(u) - 65 * s) / (70 * s)) ** 2 * 32 * s
        - ((v + 45 * s) / (75 * s)) ** 2 * 40 * s
    )
    above = wz > dome
    hilum = 30 * s + 14 * s * np.clip((v + 60 * s) / (-60 * s), -1, 1)
    mediastinum = (np.abs(u - 4) < hilum) & (v < 22)
    spine_bulge = (u / (24 * s)) ** 2 + ((v - 6) / (26 * s)) ** 2 < 1
    thorax = cage_inside & above
    tissue[thorax] = Tissue.LUNG
    tissue[thorax & (mediastinum | spine_bulge)] = Tissue.FAT
    wall = 14 * s
    belly = (deep > wall) & ~above & (v < 15 * s)
    tissue[belly] = Tissue.FAT


def _paint_back_muscle(tissue, line, s, z_line, uv, depth, shell, noise):
    """Erector spinae behind, psoas beside the spine; strands of fat between them."""
    u, v = uv
    z = z_line[:, None, None]
    erector = ((np.abs(u) - 30 * s) / (30 * s)) ** 2 + ((v - 40 * s) / (30 * s)) ** 2 < 1
    erector &= z < line.level_z("T1") + 30
    tissue[erector & (depth > shell)] = Tissue.MUSCLE
    size = np.clip(
        (line.level_z("T12") - z) / (line.level_z("T12") - line.level_z("L5")), 0.15, 1.1
    )
    psoas = ((np.abs(u) - (24 + 16 * size) * s) / (18 * s * size)) ** 2 + (
        (v + 4 * s) / (24 * s * size)
    ) ** 2 < 1
    psoas &= (z < line.level_z("T12")) & (z > line.level_z("S1") - 90)
    tissue[psoas & (depth > shell)] = Tissue.MUSCLE
    strands = (tissue == Tissue.MUSCLE) & (noise > 1.55)
    tissue[strands] = Tissue.FAT
