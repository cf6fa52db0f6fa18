"""Both hip bones built from simple solids, in the frame of the S1 body.

Iliac crests 270 mm apart, hip centres 93 mm from S1 (pelvic incidence 50 degrees: Legaye et al.,
Eur Spine J 7 (1998) 99-103). Sizes beyond these have no source of their own; they are chosen so
that the parts join into a bone of that size. All are mm. Points are those of an upright pelvis
about the centre of the S1 body: z up, y to the back, x to the left.
"""

from __future__ import annotations

import numpy as np

from .parametric_bone import SPACING_MM, finished_bone
from .sdf import Canvas, ball, bar
from .shape import BoneShape

_BOX_ZYX_MM = (-185, -130, -160), (85, 95, 160)
_WIDTH_SD = 0.05
"""Standard deviation of the logarithm of the width."""

_ENDPLATE_SLOPE_RAD = np.deg2rad(35.0)
_COS, _SIN = np.cos(_ENDPLATE_SLOPE_RAD), np.sin(_ENDPLATE_SLOPE_RAD)

_CREST = (
    (20, -50, 125),
    (45, -25, 138),
    (57, 5, 132),
    (48, 35, 105),
    (20, 55, 70),
    (-5, 62, 55),
)
"""Iliac crest from the front to the back."""

_WAIST = (
    (-55, -40, 88),
    (-45, -25, 92),
    (-35, -5, 90),
    (-28, 15, 78),
    (-22, 35, 62),
    (-25, 45, 56),
)
"""Where the wing of the ilium meets the body above the acetabulum, point by point as the crest."""

_WING_SHEETS = 16
_ACETABULUM = (-78.0, -28.0, 88.0)
_ACETABULUM_RADII_MM = (29, 29, 26)
_SOCKET_SHIFT_ZYX_MM = (-2.0, -1.0, 9.0)
"""From the centre of the acetabulum's bone to that of its socket."""

_SOCKET_RADIUS_MM = 25.5
_HIP_MM = (-90.0, -24.0, 95.0)
"""Centre of the left hip joint from that of the S1 body in an upright pelvis."""

_VHM_HIP_MM = (-79.5, -61.0, 84.0)
"""The same of the Visible Human, in the frame of S1: the best fitting sphere in the socket."""


def parametric_pelvis(rng: np.random.Generator) -> BoneShape:
    """Build both hip bones in the frame of the S1 body, whose endplate slopes 35 degrees."""
    width = float(np.exp(_WIDTH_SD * rng.standard_normal()))
    canvas = Canvas(*_BOX_ZYX_MM, SPACING_MM)
    _add_crests(canvas, width)
    _add_wings(canvas, width)
    _add_posterior_masses(canvas, width)
    _add_acetabula(canvas, width)
    _add_pubes(canvas, width)
    _add_ischia(canvas, width)
    _cut_sockets(canvas, width)
    _cut_sacroiliac_joints(canvas)
    return finished_bone(canvas)


def hip_centres_mm(pelvis: BoneShape) -> np.ndarray:
    """Return the centres of the left and right hip joints (2, 3: z, y, x mm) in the S1 frame."""
    z, y, x = _VHM_HIP_MM if pelvis.source == "vhm_lumbosacral" else _sloped(*_HIP_MM)
    return np.array([[z, y, x], [z, y, -x]])


def _sloped(z: float, y: float, x: float) -> tuple[float, float, float]:
    """Turn an upright direction into the frame of the sloping endplate."""
    return _COS * z - _SIN * y, _SIN * z + _COS * y, x


def _at(z: float, y: float, x: float) -> tuple[float, float, float]:
    """Bring a point of the upright pelvis into the frame of the sloping endplate."""
    # Everything about the hip joint lies at its place; the wing reaches up from there.
    low = np.clip((-30.0 - z) / 40.0, 0, 1)
    return _sloped(z - 10.0 * low, y + 5.0 * low, x)


def _add_crests(canvas: Canvas, width: float) -> None:
    """The thick upper edges of the wings."""
    knots = [_at(z, y, x * width) for z, y, x in _CREST]
    for a, b in zip(knots[:-1], knots[1:], strict=True):
        canvas.add_pair(bar(a, b, (0, 0, 1), (7, 7), (7, 7)), 4.0)


def _add_wings(canvas: Canvas, width: float) -> None:
    """Sheets of the ilium between the crest and the body above the acetabulum."""
    across = _sloped(0, 1, 0)
    edges = _resampled(_CREST, _WING_SHEETS), _resampled(_WAIST, _WING_SHEETS)
    for upper, lower in zip(*edges, strict=True):
        middle = (upper + lower) / 2 + [0, 0, 4]
        a, b, c = (_at(z, y, x * width) for z, y, x in (upper, middle, lower))
        canvas.add_pair(bar(a, b, across, (8, 6.5), (8, 4.0)), 3.0)
        canvas.add_pair(bar(b, c, across, (8, 4.0), (8, 11.0)), 3.0)


def _resampled(points: tuple[tuple[float, ...], ...], count: int) -> np.ndarray:
    """Return `count` points along a polyline, evenly spaced in the number of the knot."""
    knots = np.arange(len(points))
    fine = np.linspace(0, len(points) - 1, count)
    return np.stack([np.interp(fine, knots, axis) for axis in zip(*points, strict=True)], 1)


def _add_posterior_masses(canvas: Canvas, width: float) -> None:
    """The thick part of the ilium beside the sacrum."""
    upper, lower = _at(10, 52, 62 * width), _at(-25, 45, 60 * width)
    canvas.add_pair(bar(upper, lower, (0, 0, 1), (11, 14), (10, 14)), 5.0)


def _add_acetabula(canvas: Canvas, width: float) -> None:
    """The bone about the hip joints; `_cut_sockets` hollows it out."""
    z, y, x = _ACETABULUM
    canvas.add_pair(ball(_at(z, y, x * width), _ACETABULUM_RADII_MM), 6.0)


def _add_pubes(canvas: Canvas, width: float) -> None:
    """Superior ramus, body at the symphysis, inferior ramus to the tuberosity."""
    # The symphysis is as wide in a narrow pelvis as in a broad one.
    root, body = _at(-72, -42, 75 * width), _at(-88, -78, 16)
    canvas.add_pair(bar(root, body, (0, 0, 1), (12, 11), (10, 9)), 6.0)
    upper, lower = _at(-84, -78, 9), _at(-112, -70, 9)
    canvas.add_pair(bar(upper, lower, (0, 0, 1), (8, 10), (8, 10)), 5.0)
    start, end = _at(-112, -70, 12), _at(-140, -20, 55 * width)
    canvas.add_pair(bar(start, end, (1, 0, 0), (9, 6), (10, 8)), 5.0)


def _add_ischia(canvas: Canvas, width: float) -> None:
    """Body with the tuberosity, and the spine behind it."""
    body, tuberosity = _at(-90, -8, 82 * width), _at(-138, -6, 62 * width)
    canvas.add_pair(bar(body, tuberosity, (0, 0, 1), (14, 16), (15, 19)), 7.0)
    root, spine = _at(-88, 5, 75 * width), _at(-82, 22, 58 * width)
    canvas.add_pair(bar(root, spine, (0, 0, 1), (4, 8), (2.5, 3)), 4.0)


def _cut_sockets(canvas: Canvas, width: float) -> None:
    """The hollows for the femoral heads."""
    z, y, x = np.array(_ACETABULUM) * [1, 1, width] + _SOCKET_SHIFT_ZYX_MM
    canvas.cut_pair(ball(_at(z, y, x), (_SOCKET_RADIUS_MM,) * 3), 2.0)


def _cut_sacroiliac_joints(canvas: Canvas) -> None:
    """Clear the room of the sacrum's wings."""
    canvas.cut_pair(bar(_at(8, 18, 36), _at(-40, 48, 32), (0, 0, 1), (17, 24), (14, 22)), 1.5)
