"""One vertebra of a phantom: a shape, individually deformed, fractured and set in its place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ..levels import level_named
from ..morphometry import INTACT_RATIOS
from .fracture import HEIGHT_INSET, heights_from_sdf, source_points
from .grid import Grid
from .scene import PhantomVertebra, largest_height_loss
from .shape import VertebraShape
from .spine_curve import PlacedLevel
from .vertebra_parameters import TYPICAL

OUTSIDE_MM = 16.0
_REACH_LOW = np.array([-62.0, -45.0, -68.0])
_REACH_HIGH = np.array([60.0, 85.0, 68.0])
_BEHIND_BODY_MM, _BESIDE_BODY_MM = 4.0, 2.0
"""Processes are stretched from this far outside the body on, which keeps its size."""


@dataclass(frozen=True)
class Variation:
    """How one vertebra differs from its shape, drawn once and used for every evaluation.

    Attributes
    ----------
    scale_zyx : ndarray, shape (3,)
        Size against the shape.
    spinous_stretch, transverse_stretch : float
        Length of the processes behind and beside the body against the shape.
    spinous_shear : float
        Slope added to everything behind the body (mm down per mm back).
    bumps : ndarray, shape (3, 6, 6, 6)
        Coarse displacement in mm along z, y, x.
    profile : tuple of float
        Factors on the anterior, middle and posterior height that give the body the proportions
        drawn for it.
    osteophytes : ndarray, shape (n, 4)
        Centre z, y, x (mm, in the intact body's frame) and radius (mm) of bony spurs.
    """

    scale_zyx: np.ndarray
    spinous_stretch: float
    transverse_stretch: float
    spinous_shear: float
    bumps: np.ndarray
    profile: tuple[float, float, float]
    osteophytes: np.ndarray

    @classmethod
    def none(cls) -> Variation:
        """Return what leaves a shape as it is."""
        bumps, spurs = np.zeros((3, 2, 2, 2), np.float32), np.zeros((0, 4), np.float32)
        return cls(np.ones(3), 1.0, 1.0, 0.0, bumps, (1.0, 1.0, 1.0), spurs)


@dataclass(frozen=True)
class VertebraInstance:
    """A vertebra that can be evaluated anywhere in the patient's frame."""

    placed: PlacedLevel
    shape: VertebraShape
    variation: Variation

    @property
    def number(self) -> int:
        """VerSe number of the level."""
        return level_named(self.placed.name).number

    @property
    def body_size_mm(self) -> tuple[float, float, float]:
        """Intact height, depth and width of the body."""
        size = np.array([self.shape.height_mm, self.shape.depth_mm, self.shape.width_mm])
        return tuple(float(v) for v in size * self.variation.scale_zyx)

    @property
    def canal_depth_mm(self) -> float:
        """Front-to-back depth of the canal."""
        return float(self.shape.canal_depth_mm * self.variation.scale_zyx[1])

    def box(self, grid: Grid):
        """Return the part of `grid` that the vertebra can reach, or None."""
        corners = _REACH_LOW, _REACH_HIGH
        points = np.array(
            [
                [corners[i][0], corners[j][1], corners[k][2]]
                for i in (0, 1)
                for j in (0, 1)
                for k in (0, 1)
            ]
        )
        world = self.placed.center_zyx_mm + points @ self.placed.axes
        return grid.box(world.min(0), world.max(0))

    def distances(self, z, y, x) -> tuple[np.ndarray, np.ndarray]:
        """Signed distance (mm) to the vertebra and to its body at points of its own frame."""
        v = self.variation
        height, depth, width = self.body_size_mm
        z, y, x = np.broadcast_arrays(*(np.asarray(c, np.float32) for c in (z, y, x)))
        if self.placed.fracture is not None:
            z, y, x = source_points(self.placed.fracture, z, y, x, height, depth, width)
        z, y, x = self._undo_variation(z, y, x, depth, width)
        s = v.scale_zyx.astype(np.float32)
        origin = self.shape.origin_zyx_mm
        coords = [((c / s[k]) - origin[k]) / self.shape.spacing_mm for k, c in enumerate((z, y, x))]
        mean_scale = np.float32(np.prod(s) ** (1 / 3))
        whole, body = (
            ndimage.map_coordinates(
                field.astype(np.float32), coords, order=1, mode="constant", cval=OUTSIDE_MM
            )
            * mean_scale
            for field in (self.shape.sdf, self.shape.body_sdf)
        )
        for cz, cy, cx, r in v.osteophytes:
            spur = np.sqrt(((z - cz) * 1.5) ** 2 + (y - cy) ** 2 + (x - cx) ** 2) - np.float32(r)
            whole = np.minimum(whole, spur)
            body = np.minimum(body, spur)
        return whole, body

    def _undo_variation(self, z, y, x, depth, width):
        v = self.variation
        z = z / _height_factor(v.profile, y, depth)
        behind = np.maximum(y - np.float32(depth / 2 + _BEHIND_BODY_MM), 0)
        beside = np.maximum(np.abs(x) - np.float32(width / 2 + _BESIDE_BODY_MM), 0)
        z = z + np.float32(v.spinous_shear) * behind
        y = y + behind * np.float32(1 / v.spinous_stretch - 1)
        x = x + np.sign(x) * beside * np.float32(1 / v.transverse_stretch - 1)
        nodes = v.bumps.shape[1] - 1
        where = [
            np.clip((c - lo) / (hi - lo) * nodes, 0, nodes)
            for c, lo, hi in zip((z, y, x), _REACH_LOW, _REACH_HIGH, strict=True)
        ]
        moved = [ndimage.map_coordinates(b, where, order=1) for b in v.bumps]
        return z + moved[0], y + moved[1], x + moved[2]

    def truth(self, origin_zyx_mm: np.ndarray, trabecular_hu: float) -> PhantomVertebra:
        """Measure the truth of this vertebra; positions relative to `origin_zyx_mm`."""
        height, depth, width = self.body_size_mm
        half = np.array([height / 2 + 8, depth / 2 + 10, width / 2 + 10])
        step = 0.75
        lines = [np.arange(-h, h + step, step, dtype=np.float32) for h in half]
        z, y, x = lines[0][:, None, None], lines[1][None, :, None], lines[2][None, None, :]
        _, body = self.distances(z, y, x)
        first = tuple(float(line[0]) for line in lines)
        heights = heights_from_sdf(body, first, step, depth, width)
        centre = np.zeros(3)
        inside = np.argwhere(body < 0)
        if self.placed.name != "C1" and len(inside):
            centre = inside.mean(0) * step - half
        fracture = self.placed.fracture
        intact, grade, endplates = heights, 0, (0.0, 0.0)
        if fracture is not None:
            sound = VertebraInstance(
                replace(self.placed, fracture=None), self.shape, self.variation
            )
            _, sound_body = sound.distances(z, y, x)
            intact = heights_from_sdf(sound_body, first, step, depth, width)
            # What was built is graded, not what was asked for: ripples change a loss a little.
            grade = genant_grade(largest_height_loss(heights, intact))
            superior = fracture.loss * fracture.superior_share
            endplates = (superior, fracture.loss - superior)
        world = self.placed.center_zyx_mm + centre @ self.placed.axes - origin_zyx_mm
        return PhantomVertebra(
            level=self.number,
            center_zyx_mm=tuple(float(c) for c in world),
            axes_zyx=tuple(tuple(float(c) for c in row) for row in self.placed.axes),
            height_anterior_mm=float(heights[0]),
            height_middle_mm=float(heights[1]),
            height_posterior_mm=float(heights[2]),
            intact_heights_mm=tuple(float(h) for h in intact),
            width_mm=width,
            depth_mm=depth,
            grade=grade,
            shape="normal" if fracture is None or grade == 0 else fracture.shape,
            trabecular_hu=trabecular_hu,
            endplate_losses=endplates,
        )


def _height_factor(profile, y: np.ndarray, depth_mm: float) -> np.ndarray:
    """Factor on heights at depth `y` (mm): linear between the three stations, 1 behind the body."""
    stations = np.array([HEIGHT_INSET, 0.5, 1 - HEIGHT_INSET]) * depth_mm - depth_mm / 2
    factor = np.interp(y, stations, profile)
    fade = np.clip(1 - (y - depth_mm / 2) / 8.0, 0, 1)
    return (1 + (factor - 1) * fade).astype(np.float32)


def genant_grade(loss: float) -> int:
    """Genant grade of a height loss fraction: 20-25 % is 1, 25-40 % is 2, from 40 % on 3.

    Genant et al., J Bone Miner Res 8 (1993) 1137-1148.
    """
    return int(np.searchsorted([0.20, 0.25, 0.40], loss, side="right"))


def draw_variation(
    placed: PlacedLevel,
    shape: VertebraShape,
    lateral_scale: float,
    degeneration: float,
    rng: np.random.Generator,
) -> Variation:
    """Draw how a vertebra differs from its shape.

    Parameters
    ----------
    placed : PlacedLevel
    shape : VertebraShape
        What is scaled to the level's height.
    lateral_scale : float
        Size of the patient in y and x against the shapes.
    degeneration : float
        0 (young) to 1 (severe): how many and how large the osteophytes are.
    rng : Generator
    """
    height_scale = placed.intact_height_mm / shape.height_mm
    typical = TYPICAL.get(placed.name)
    scale = np.array([height_scale, lateral_scale, lateral_scale])
    if typical is not None:
        # Templates keep their form, but neighbours of one spine share its size.
        wanted = np.array([typical.depth, typical.width]) * lateral_scale
        scale[1:] = wanted / [shape.depth_mm, shape.width_mm] * np.exp(0.04 * rng.normal(size=2))
        scale[1:] = np.clip(scale[1:], 0.7 * scale[1:].mean(), 1.3 * scale[1:].mean())
    size = scale * [shape.height_mm, shape.depth_mm, shape.width_mm]
    bumps = rng.standard_normal((3, 6, 6, 6)).astype(np.float32) * rng.uniform(0.3, 1.1)
    return Variation(
        scale_zyx=scale,
        spinous_stretch=float(np.exp(0.12 * rng.standard_normal())),
        transverse_stretch=float(np.exp(0.12 * rng.standard_normal())),
        spinous_shear=float(0.10 * rng.standard_normal()),
        bumps=bumps,
        profile=_draw_profile(placed, shape, height_scale, rng),
        osteophytes=_draw_osteophytes(placed.name, size, degeneration, rng),
    )


def _draw_profile(placed, shape, height_scale, rng) -> tuple[float, float, float]:
    """Draw the proportions of an intact body and compare them with those of the shape."""
    ratios = INTACT_RATIOS.get(placed.name)
    if ratios is None:
        return (1.0, 1.0, 1.0)
    native = heights_from_sdf(
        shape.body_sdf.astype(np.float32),
        shape.origin_zyx_mm,
        shape.spacing_mm,
        shape.depth_mm,
        shape.width_mm,
    )
    wedge = ratios.wedge_ratio + ratios.wedge_sd * rng.standard_normal()
    middle = ratios.middle_ratio + ratios.middle_sd * rng.standard_normal()
    posterior = 3 * placed.intact_height_mm / (1 + wedge + middle * (1 + wedge) / 2)
    wanted = wedge * posterior, middle * (1 + wedge) / 2 * posterior, posterior
    factors = np.array(wanted) / (np.array(native) * height_scale)
    return tuple(float(f) for f in np.clip(np.nan_to_num(factors, nan=1.0), 0.65, 1.5))


def _draw_osteophytes(name, size_zyx_mm, degeneration, rng) -> np.ndarray:
    if name in ("C1", "C2") or rng.random() > degeneration:
        return np.zeros((0, 4), np.float32)
    spurs = []
    height, depth, width = size_zyx_mm
    for _ in range(rng.integers(1, 6)):
        # 0 is straight in front; spurs sit on the front and side rims, seldom behind.
        angle = np.deg2rad(rng.normal(0, 60))
        end = rng.choice([-1.0, 1.0])
        radius = rng.uniform(1.5, 2.0 + 3.5 * degeneration)
        rim = 0.92 + 0.06 * degeneration
        spurs.append(
            [
                end * (height / 2 - radius * 0.55),
                -np.cos(angle) * depth / 2 * rim,
                np.sin(angle) * width / 2 * rim,
                radius,
            ]
        )
    return np.asarray(spurs, np.float32)
