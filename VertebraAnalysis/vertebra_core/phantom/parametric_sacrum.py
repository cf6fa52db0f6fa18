"""Sacrum with coccyx built from simple solids, in the frame of the S1 body.

Sizes as in Cheng and Song, Neurosurg Focus 15 (2003) E3: S1 endplate about 32 x 49 mm, wings
105 mm wide, 105 mm long along a curve of about 60 degrees. Sizes beyond these have no source of
their own; they are chosen so that the parts join into a bone of that size. All are mm, points are
z (normal to the S1 endplate), y (to the back), x (to the left).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .parametric_bone import SPACING_MM, finished_bone
from .sdf import Canvas, bar, normalised, plate, smooth_max
from .shape import BoneShape

_BOX_ZYX_MM = (-150, -45, -72), (40, 90, 72)
_SIZE_SD = 0.05
"""Standard deviation of the logarithm of a size."""

_DEPTH_MM, _WIDTH_MM, _HEIGHT_MM = 31.0, 47.0, 29.0
"""Of the S1 body."""

_STEPS_MM = np.array([27.0, 24.0, 20.0, 17.0, 15.0, 12.0, 9.0])
"""From centre to centre: S1 to S5, then three points along the coccyx."""

_STEP_TILTS_DEG = np.array([12.0, 24.0, 12.0, -8.0, -30.0, -45.0, -55.0])
"""Direction of each step, from straight down towards the back: first back, then forward."""

_TILT_SD_DEG = 5.0
_WIDTH_SHARES = np.array([1.0, 0.78, 0.62, 0.55, 0.5, 0.36, 0.25, 0.15])
_DEPTH_SHARES = np.array([1.0, 0.72, 0.55, 0.45, 0.38, 0.3, 0.25, 0.2])
"""Sizes of the bodies against S1."""

_HALF_WIDTH_MM = 51.0
"""From the mid-sagittal plane to the joint faces of the wings."""

_ALAE = (
    (1.0, 15.0, 13.0),
    (0.92, 14.0, 12.0),
    (0.72, 12.0, 9.0),
    (0.55, 9.0, 7.0),
    (0.42, 7.0, 5.0),
)
"""S1 to S5: share of the half width that a wing reaches; half its height and depth there."""

_LATERAL_MASS_SHARES = (0.80, 0.74, 0.56, 0.42)
"""S1 to S4: share of the half width that the fused transverse elements reach."""

_CANAL_GAP_MM = 7.0
"""From the back of a body to the middle of the canal."""

_FACET_ZYX_MM = np.array([12.5, 26.5, 21.0])
_FACET_NORMAL_ZYX = np.array([0.20, 0.85, -0.48])
"""Centre and normal of the left superior articular facet, which faces L5."""

_S1_EXPONENT = 2.4
"""Of the superellipse that outlines the endplate: 2 is an ellipse, more is squarer."""


@dataclass(frozen=True)
class _Sizes:
    """Sizes of one individual.

    Attributes
    ----------
    depth, width, height : float
        Of the S1 body.
    centres : list of ndarray
        Bodies from S1 to the tip of the coccyx.
    widths, depths : ndarray
        Of each.
    half_width : float
        From the mid-sagittal plane to the joint faces of the wings.
    canal : list of ndarray
        Middle of the canal behind S1 to S5.
    facet : ndarray
        Centre of the left superior articular facet.
    """

    depth: float
    width: float
    height: float
    centres: list[np.ndarray]
    widths: np.ndarray
    depths: np.ndarray
    half_width: float
    canal: list[np.ndarray]
    facet: np.ndarray


def parametric_sacrum(rng: np.random.Generator) -> BoneShape:
    """Build a sacrum with coccyx.

    The frame is that of the S1 body: origin at its centre, z normal to its endplate, y to the back,
    x to the left.

    Returns
    -------
    BoneShape
    """
    sizes = _draw_sizes(rng)
    canvas = Canvas(*_BOX_ZYX_MM, SPACING_MM)
    _add_lower_bodies(canvas, sizes)
    _add_alae(canvas, sizes)
    _add_lateral_masses(canvas, sizes)
    _add_laminae_and_crest(canvas, sizes)
    _cut_canal(canvas, sizes)
    _add_first_body(canvas, sizes)
    _add_superior_processes(canvas, sizes)
    _cut_foramina(canvas, sizes)
    return finished_bone(canvas)


def _draw_sizes(rng: np.random.Generator) -> _Sizes:
    k = np.exp(_SIZE_SD * rng.standard_normal(8))
    depth, width, height = _DEPTH_MM * k[0], _WIDTH_MM * k[1], _HEIGHT_MM * k[2]
    tilts = np.deg2rad(_STEP_TILTS_DEG + rng.normal(0, _TILT_SD_DEG))
    centres = [np.zeros(3)]
    for tilt, step in zip(tilts, _STEPS_MM * k[2], strict=True):
        centres.append(centres[-1] + step * np.array([-np.cos(tilt), np.sin(tilt), 0.0]))
    depths = depth * _DEPTH_SHARES
    gap = _CANAL_GAP_MM * k[4]
    return _Sizes(
        depth=depth,
        width=width,
        height=height,
        centres=centres,
        widths=width * _WIDTH_SHARES,
        depths=depths,
        half_width=_HALF_WIDTH_MM * k[3],
        canal=[c + [0, d / 2 + gap, 0] for c, d in zip(centres[:5], depths[:5], strict=True)],
        facet=_FACET_ZYX_MM * k[5],
    )


def _add_lower_bodies(canvas: Canvas, s: _Sizes) -> None:
    """S2 to the coccyx, and what joins S2 to S1."""
    halves = list(zip(s.widths / 2, s.depths / 2, strict=True))
    for i in range(1, 7):
        canvas.add(bar(s.centres[i], s.centres[i + 1], (0, 0, 1), halves[i], halves[i + 1]), 3.0)
    first = s.width * 0.44, s.depth * 0.42
    canvas.add(bar((-6, 3, 0), s.centres[1], (0, 0, 1), first, halves[1]), 3.0)


def _add_alae(canvas: Canvas, s: _Sizes) -> None:
    """Wings with the ear-shaped joint faces."""
    for i, (share, tall, thick) in enumerate(_ALAE):
        # The wings of S1 slope down and back further than the others.
        root_z, tip_z, tip_y = (-2.0, -6.0, 11.5) if i == 0 else (0.0, -3.0, 9.0)
        root = s.centres[i] + [root_z, 4.0, s.widths[i] * 0.35]
        tip = s.centres[i] + [tip_z, tip_y, s.half_width * share - thick * 0.8]
        canvas.add_pair(bar(root, tip, (1, 0, 0), (tall * 0.9, thick * 0.85), (tall, thick)), 4.0)


def _add_lateral_masses(canvas: Canvas, s: _Sizes) -> None:
    """One sheet on either side fuses the transverse elements."""
    for i, reach in enumerate(_LATERAL_MASS_SHARES):
        thick = 11.0 - 2.0 * i
        inner, outer = s.widths[i] * 0.3, s.half_width * reach
        here, below = s.centres[i] + [-4.0, 5.0, 0], s.centres[i + 1] + [0, 4.0, 0]
        for share in (0.0, 0.5, 1.0):
            z, y, _ = here * (1 - share) + below * share
            start, end = (z, y, inner), (z, y + 4, outer * (1 - 0.12 * share))
            canvas.add_pair(bar(start, end, (1, 0, 0), (9.0, thick), (9.0, thick)), 4.0)


def _add_laminae_and_crest(canvas: Canvas, s: _Sizes) -> None:
    """Laminae of S1 to S4, and the median crest where they meet."""
    for i, (z, y, _) in enumerate(s.canal[:4]):
        middle = s.canal[i] + np.array([0.0, 9.0 - i, 0.0])
        side = z, y + 2, s.widths[i] * 0.42
        canvas.add_pair(bar(side, middle, (1, 0, 0), (11, 5.0), (12, 3.5)), 3.0)
        crest = middle + [-5.0, 8.0 - 1.2 * i, 0]
        canvas.add(bar(middle, crest, (0, 0, 1), (3.0, 8.0), (3.2, 6.0)), 3.0)


def _cut_canal(canvas: Canvas, s: _Sizes) -> None:
    """The canal between laminae and bodies, and its mouth above S1."""
    for i in range(4):
        r = 6.5 if i == 0 else 5.5
        start, end = s.canal[i], s.canal[i + 1]
        canvas.cut(bar(start, end, (0, 0, 1), (r * 1.7, r), (r * 1.5, r * 0.85)), 1.0)
    mouth = s.canal[0] + [18, -2, 0]
    canvas.cut(bar(mouth, s.canal[0], (0, 0, 1), (14, 7.5), (12, 7)), 1.0)


def _add_first_body(canvas: Canvas, s: _Sizes) -> None:
    """S1 body with its endplate and promontory; nothing rises above the endplate in front."""
    z, y, x = canvas.axes()
    # The posterior half of the outline is drawn out and cut off flat by the wall.
    half_depth = np.where(y < 0, y / (s.depth / 2), y / (0.65 * s.depth))
    q = (np.abs(x / (s.width / 2)) ** _S1_EXPONENT + np.abs(half_depth) ** _S1_EXPONENT) ** (
        1 / _S1_EXPONENT
    )
    body = smooth_max((q - 1) * s.depth / 2, y - s.depth / 2, 3.0)
    body = smooth_max(body, z - s.height / 2 - 1.2 * (q**2 - 0.5), 2.0)
    body = smooth_max(body, -z - s.height / 2 - 2.0, 3.0)
    canvas.field = np.minimum(canvas.field, normalised(body, SPACING_MM))
    above = s.height / 2 + 13
    canvas.cut(bar((above, -30, 0), (above, 20, 0), (0, 0, 1), (60, 12), (60, 12)), 0.5)


def _add_superior_processes(canvas: Canvas, s: _Sizes) -> None:
    """Superior articular processes for L5."""
    root, middle = (-4, s.depth / 2 + 6, 20), s.facet - 3.3 * _FACET_NORMAL_ZYX
    canvas.add_pair(bar(root, middle, (0, 0, 1), (7, 6), (6, 4)), 3.0)
    canvas.add_pair(plate(middle, _FACET_NORMAL_ZYX, (1, 0, 0), (7.0, 7.0, 2.6), 2.0), 2.0)


def _cut_foramina(canvas: Canvas, s: _Sizes) -> None:
    """Four pairs of foramina run from the front to the canal and out behind."""
    for i in range(4):
        z, y, _ = (s.centres[i] + s.centres[i + 1]) / 2
        out = 0.5 * (s.widths[i] + s.widths[i + 1]) / 2 + 4.0
        r = 6.0 - 0.7 * i
        front, back = (z + 1, y - 26, out + 3), (z, y + 24, out - 1)
        canvas.cut_pair(bar(front, back, (1, 0, 0), (r, r), (r * 0.7, r * 0.7)), 1.5)
