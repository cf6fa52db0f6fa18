"""The atlas (C1): a ring of two arches and two lateral masses, without a body.

Sizes after Panjabi 1991 and Doherty and Heggeness, Spine 19 (1994) 2497; radii of single solids
have no source of their own and are chosen so that the parts join into a ring of that size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .grid import noise_field
from .sdf import Canvas, ball, bar, plate, with_far_distances
from .shape_frame import GRID_HIGH_ZYX_MM, GRID_LOW_ZYX_MM

_SIZE_SD, _PART_SD = 0.05, 0.06
"""Standard deviations of the logarithm: of the whole atlas, and of each of its parts beside."""

_FRONT_MM, _BACK_MM = -12.5, 35.5
"""Front of the anterior and back of the posterior arch along y."""

_MASS_X_MM, _MASS_Y_MM = 19.5, 5.5
"""Centre of the left lateral mass."""

_MASS_RADII_MM = (9.0, 11.0, 7.5)
"""Its radii along z, y and x."""

_TIP_X_MM = 38.5
"""Tip of the left transverse process."""

_ARCH_HALF_HEIGHT_MM = 5.0
"""Of the anterior arch."""

_ROUGHNESS_MM, _ROUGHNESS_LENGTH_MM = 0.35, 7.0
"""Height and extent of the bumps on its surface."""

_ARCH_DEPTH_MM, _ARCH_HALF_WIDTH_MM = 5.5, 9.0
"""Part of the anterior arch that stands for a body."""


@dataclass(frozen=True)
class _Sizes:
    """Sizes of one individual, mm; `scale` is its size against the mean."""

    scale: float
    front: float
    back: float
    mass_x: float
    mass_y: float
    tip_x: float
    mass_height: float
    mass_depth: float
    arch_half_height: float


def build_atlas(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Build an atlas.

    Returns
    -------
    sdf, body : ndarray of float32
        Signed distances (mm) on the standard grid to the whole and to its anterior arch. The origin
        lies where the axis of the dens passes through the ring.
    """
    sizes = _draw_sizes(rng)
    canvas = Canvas(GRID_LOW_ZYX_MM, GRID_HIGH_ZYX_MM)
    _add_lateral_masses(canvas, sizes)
    _add_anterior_arch(canvas, sizes)
    _add_posterior_arch(canvas, sizes)
    _add_transverse_processes(canvas, sizes)
    _cut_condyle_hollows(canvas, sizes)
    _cut_ring(canvas, sizes)
    canvas.field += _ROUGHNESS_MM * noise_field(rng, canvas.field.shape, _ROUGHNESS_LENGTH_MM)
    sdf = with_far_distances(canvas.field)
    _, y, x = canvas.axes()
    outside = np.maximum(y - (sizes.front + _ARCH_DEPTH_MM), np.abs(x) - _ARCH_HALF_WIDTH_MM)
    return sdf, np.maximum(sdf, outside).astype(np.float32)


def _draw_sizes(rng: np.random.Generator) -> _Sizes:
    scale = float(np.exp(_SIZE_SD * rng.standard_normal()))
    k = scale * np.exp(_PART_SD * rng.standard_normal(8))
    return _Sizes(
        scale=scale,
        front=_FRONT_MM * k[0],
        back=_BACK_MM * k[1],
        mass_x=_MASS_X_MM * k[2],
        mass_y=_MASS_Y_MM * scale,
        tip_x=_TIP_X_MM * k[3],
        mass_height=_MASS_RADII_MM[0] * k[4],
        mass_depth=_MASS_RADII_MM[1] * k[5],
        arch_half_height=_ARCH_HALF_HEIGHT_MM * k[6],
    )


def _add_lateral_masses(canvas: Canvas, s: _Sizes) -> None:
    """Wedges with a hollow upper facet and a flat lower one that slopes outward."""
    radii = (s.mass_height, s.mass_depth, _MASS_RADII_MM[2])
    canvas.add_pair(ball((0, s.mass_y, s.mass_x), radii), 2.0)
    facet = -3.5, s.mass_y + 1, s.mass_x + 1.5
    canvas.add_pair(plate(facet, (1, 0, 0.35), (0, 1, 0), (8.5, 7.5, 5), 3), 4.0)


def _add_anterior_arch(canvas: Canvas, s: _Sizes) -> None:
    """Two bars on either side from the tubercle in the middle to the lateral mass."""
    half = s.arch_half_height
    knots = [
        (-1, s.front + 2.5, 0.0),
        (-1, s.front + 4.5, 8.0),
        (-1, s.mass_y - 7.0, s.mass_x - 2.5),
    ]
    for a, b in zip(knots[:-1], knots[1:], strict=True):
        canvas.add_pair(bar(a, b, (1, 0, 0), (half, 3.0), (half + 1, 3.6)), 2.0)
    tubercle = -1.5, s.front + 1.2, 0
    canvas.add(ball(tubercle, (4.0, 2.0, 3.5)), 2.0)


def _add_posterior_arch(canvas: Canvas, s: _Sizes) -> None:
    """An arch that is thin behind the lateral mass, where the vertebral artery grooves it."""
    knots = [
        (1, s.mass_y + 7.0, s.mass_x + 1.5),
        (1.0, 19.5 * s.scale, s.mass_x + 1.0),
        (0, s.back - 6.5, 11.5),
        (-0.5, s.back - 3.0, 0.0),
    ]
    radii = [(4.0, 4.0), (3.6, 3.4), (4.8, 3.4), (5.2, 3.6)]
    for i in range(3):
        canvas.add_pair(bar(knots[i], knots[i + 1], (1, 0, 0), radii[i], radii[i + 1]), 2.0)
    tubercle = -0.5, s.back - 1.0, 0
    canvas.add(ball(tubercle, (4.0, 2.5, 4.0)), 2.0)


def _add_transverse_processes(canvas: Canvas, s: _Sizes) -> None:
    """Two bars and a knob on either side, about the foramen of the vertebral artery."""
    y = s.mass_y + 1.0
    for dy in (-5.0, 4.0):
        root, tip = (-2, y + dy, s.mass_x + 4), (-3, y + 0.35 * dy, s.tip_x - 3)
        canvas.add_pair(bar(root, tip, (1, 0, 0), (5.0, 3.4), (5.0, 3.4)), 3.0)
    canvas.add_pair(ball((-3, y, s.tip_x - 3.5), (6.0, 6.0, 4.2)), 3.0)
    x = (s.mass_x + 6.0 + s.tip_x - 4.0) / 2
    canvas.cut_pair(bar((-16, y, x), (16, y, x), (0, 1, 0), (3.1, 2.9), (3.1, 2.9)), 1.0)


def _cut_condyle_hollows(canvas: Canvas, s: _Sizes) -> None:
    """The occipital condyles sit in hollows that face up and inwards."""
    front, back = (14.5, s.mass_y - 8, s.mass_x - 5), (14.5, s.mass_y + 8, s.mass_x - 1)
    canvas.cut_pair(bar(front, back, (0, 0, 1), (9.5, 9.5), (9.5, 9.5)), 1.5)


def _cut_ring(canvas: Canvas, s: _Sizes) -> None:
    """Dens and cord stay free."""
    dens, cord = s.front + 12.5, (s.front + 14.0 + s.back - 7.0) / 2
    canvas.cut(bar((-30, dens, 0), (30, dens, 0), (0, 1, 0), (7.5, 8.5), (7.5, 8.5)), 1.0)
    radii = s.back - 6.5 - cord, 14.0
    canvas.cut(bar((-30, cord, 0), (30, cord, 0), (0, 1, 0), radii, radii), 1.0)
