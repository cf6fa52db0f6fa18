"""The vertebral body cut out of a whole vertebra, where no network has told them apart.

Seen along the spine, a vertebra shows the thick body in front, the gap of the canal, and the
lamina and spinous process behind it. The body is what lies in front of the canal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .body_field import PROBABILITY_BAND_MM, BodyField
from .body_frame import BodyFrame, BodyFrameError, fit_body_frame

_STEP_MM = 1.25
_REACH_MM = 62.5
_REACH_UP_MM = 40.0
_GAP_MM = 4.0
"""The canal is at least this deep; a smaller gap is a groove or a basivertebral foramen."""

_MAX_DEPTH_MM = 60.0
"""No body is deeper, bony lips included."""

_THICK_SHARE = 0.30
"""Share of a body's height that still counts as body, seen from above: severe fractures keep it."""

_OPENING_MM = 4.0
"""Half the breadth of what is cut off the sides of a body: transverse processes, costal facets."""


class BodySplitError(ValueError):
    """No body and canal can be told apart."""


@dataclass(frozen=True)
class SplitBody:
    """A body cut out of a vertebra.

    Attributes
    ----------
    body : ndarray of float32, shape (z, y, x)
        Probability on the grid of the vertebra.
    frame : BodyFrame
    canal_depth_mm : float or None
        Front-to-back depth of the canal; None where no lamina closes it.
    """

    body: np.ndarray
    frame: BodyFrame
    canal_depth_mm: float | None


def split_body(
    vertebra: np.ndarray,
    spacing_zyx_mm: float | tuple[float, float, float],
    up_hint_zyx: np.ndarray | None = None,
    back_hint_zyx: np.ndarray | None = None,
) -> SplitBody:
    """Cut the body out of a whole vertebra (C3 and below).

    Parameters
    ----------
    vertebra : ndarray, shape (z, y, x)
        Probability (float) or mask (bool, integer).
    spacing_zyx_mm : float or tuple of float
    up_hint_zyx, back_hint_zyx : ndarray, shape (3,), optional
        The spine's course and the back, right within some 30 degrees.

    Raises
    ------
    BodySplitError
        If no body is found in front of a canal.
    """
    field = BodyField.of(vertebra, spacing_zyx_mm)
    if field.is_empty:
        raise BodySplitError("there is no vertebra")
    up = np.array([1.0, 0, 0]) if up_hint_zyx is None else np.asarray(up_hint_zyx, float)
    back = np.array([0.0, 1, 0]) if back_hint_zyx is None else np.asarray(back_hint_zyx, float)
    center = field.inside_points.mean(0)
    probability = np.float32(0.5) - field.level
    split = None
    # The first cut gives a body whose own frame then directs a better cut.
    for _ in range(3):
        frame = _frame_along(up, back, center)
        cut, canal = _cut(field, frame)
        body = np.minimum(probability, cut)
        try:
            fitted = fit_body_frame(body, field.spacing_zyx_mm, probability, up, back)
        except BodyFrameError as error:
            raise BodySplitError(str(error)) from error
        split = SplitBody(body.astype(np.float32), fitted, canal)
        cosine = float(np.dot(fitted.axes_zyx[0], frame.axes_zyx[0]))
        turned = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        up, back = np.asarray(fitted.axes_zyx[0]), np.asarray(fitted.axes_zyx[1])
        center = np.asarray(fitted.center_zyx_mm)
        if turned < 3.0:
            break
    return split


def _frame_along(up: np.ndarray, back: np.ndarray, center: np.ndarray) -> BodyFrame:
    up = up / np.linalg.norm(up)
    back = back - (back @ up) * up
    back = back / np.linalg.norm(back)
    axes = np.stack([up, back, np.cross(up, back)])
    return BodyFrame(tuple(center), tuple(map(tuple, axes)), 0.0, 0.0, 0.0)


def _cut(field: BodyField, frame: BodyFrame) -> tuple[np.ndarray, float | None]:
    """Probability that a voxel lies in the body's column, and the depth of the canal."""
    line = np.arange(-_REACH_MM, _REACH_MM + _STEP_MM, _STEP_MM)
    heights = np.arange(-_REACH_UP_MM, _REACH_UP_MM + _STEP_MM, _STEP_MM)
    level = field.at(frame.grid(heights, line, line))
    thickness = (level < 0).sum(0) * _STEP_MM
    angle, offset = _symmetry_axis(thickness)
    frame = _turned(frame, angle, offset)
    thickness = _seen_from(thickness, line, angle, offset)
    front, wall, canal = _mid_sagittal_wall(thickness, line)
    column = _body_outline(thickness, line, front, wall)
    # Outline as a distance, so that the cut is as smooth as the bone's own surface.
    inside = ndimage.distance_transform_edt(column) - ndimage.distance_transform_edt(~column)
    side = ndimage.gaussian_filter(inside * _STEP_MM, 1.0)
    lines = [
        (np.arange(n) * s - c).astype(np.float32)
        for n, s, c in zip(
            field.level.shape, field.spacing_zyx_mm, frame.center_zyx_mm, strict=True
        )
    ]
    z, y, x = lines[0][:, None, None], lines[1][None, :, None], lines[2][None, None, :]
    axes = np.asarray(frame.axes_zyx, np.float32)[1:]
    back, left = (a[0] * z + a[1] * y + a[2] * x for a in axes)
    where = np.stack([(c + _REACH_MM) / _STEP_MM for c in (back, left)])
    around = ndimage.map_coordinates(side, where, order=1, mode="nearest")
    margin = np.minimum(around, wall - back)
    return np.clip(0.5 + margin / (2 * PROBABILITY_BAND_MM), 0, 1).astype(np.float32), canal


def _symmetry_axis(thickness: np.ndarray) -> tuple[float, float]:
    """Turn (rad) and shift (mm) of the line that mirrors the view from above best."""
    weight = np.minimum(thickness, 30.0)
    rows, sides = np.nonzero(weight > 2)
    rows, sides = (i[:: len(rows) // 2500 + 1] for i in (rows, sides))
    values = weight[rows, sides]
    middle = (thickness.shape[0] - 1) / 2
    y, x = (rows - middle) * _STEP_MM, (sides - middle) * _STEP_MM
    best, found = -np.inf, (0.0, 0.0)
    for stage_angles, stage_offsets in (
        (np.deg2rad(np.arange(-32, 33, 8)), np.arange(-12, 13, 3)),
        (np.deg2rad(np.arange(-6, 7, 2)), np.arange(-2, 3, 1)),
    ):
        start = found
        for angle in start[0] + stage_angles:
            c, s = np.cos(angle), np.sin(angle)
            for offset in start[1] + stage_offsets:
                distance = -s * y + c * x - offset
                where = np.stack([y + 2 * s * distance, x - 2 * c * distance]) / _STEP_MM + middle
                mirrored = ndimage.map_coordinates(weight, where, order=1, mode="constant")
                score = float(np.minimum(values, mirrored).sum() / values.sum())
                score -= 0.05 * (angle / 0.5) ** 2
                if score > best:
                    best, found = score, (float(angle), float(offset))
    return found


def _turned(frame: BodyFrame, angle: float, offset: float) -> BodyFrame:
    up, back, left = (np.asarray(a) for a in frame.axes_zyx)
    turned = np.cos(angle) * back + np.sin(angle) * left
    side = np.cross(up, turned)
    center = np.asarray(frame.center_zyx_mm) + offset * side
    return _frame_along(up, turned, center)


def _seen_from(thickness: np.ndarray, line: np.ndarray, angle: float, offset: float) -> np.ndarray:
    """The view from above in the turned and shifted frame."""
    c, s = np.cos(angle), np.sin(angle)
    back, left = np.meshgrid(line, line + offset, indexing="ij")
    where = np.stack([c * back - s * left, s * back + c * left])
    return ndimage.map_coordinates(
        thickness, (where + _REACH_MM) / _STEP_MM, order=1, mode="constant"
    )


def _mid_sagittal_wall(
    thickness: np.ndarray, line: np.ndarray
) -> tuple[float, float, float | None]:
    """Front of the body, posterior wall and depth of the canal in the mid-sagittal view."""
    near = np.abs(line) <= 3.0
    profile = np.median(thickness[:, near], axis=1)
    bone = np.flatnonzero(profile > 3)
    if not len(bone):
        raise BodySplitError("no bone lies in the middle of the vertebra")
    # The body is the first thick stretch from the front; the spinous process may be as tall.
    starts = np.flatnonzero(profile > max(6.0, 0.4 * np.quantile(profile[bone], 0.8)))
    if not len(starts):
        raise BodySplitError("the vertebra shows no body")
    front = int(starts[0])
    tallest = float(np.quantile(profile[front : front + round(14 / _STEP_MM)], 0.7))
    low = _THICK_SHARE * tallest
    gap = round(_GAP_MM / _STEP_MM)
    for k in range(front + round(8 / _STEP_MM), len(profile) - gap):
        if (profile[k : k + gap] < low).all():
            break
    else:
        raise BodySplitError("no canal lies behind the body")
    if line[k - 1] - line[front] > _MAX_DEPTH_MM:
        raise BodySplitError("what lies in front is too deep for a body")
    share = (profile[k - 1] - low) / max(profile[k - 1] - profile[k], 1e-6)
    wall = float(line[k - 1] + np.clip(share, 0, 1) * _STEP_MM)
    behind = np.flatnonzero(profile[k + gap :] >= low)
    canal = float(gap * _STEP_MM + behind[0] * _STEP_MM) if len(behind) else None
    return float(line[front]), wall, canal


def _body_outline(thickness: np.ndarray, line: np.ndarray, front: float, wall: float) -> np.ndarray:
    """Outline of the body seen from above: thick, in front of the wall, without processes."""
    middle = np.abs(line) <= 4
    rows = (line > front + 2) & (line < wall - 2)
    usual = float(np.median(thickness[np.ix_(rows, middle)])) if rows.any() else 0.0
    thick = thickness > max(_THICK_SHARE * usual, 3.0)
    # Mirror the wall's row backwards, so that opening does not round the cut itself.
    thick &= (line < wall + 2 * _OPENING_MM)[:, None]
    behind = line > wall
    last = int(np.flatnonzero(~behind)[-1]) - 1
    thick[behind] = thick[last]
    r = int(round(_OPENING_MM / _STEP_MM))
    disc = np.hypot(*np.mgrid[-r : r + 1, -r : r + 1]) <= r + 0.3
    opened = ndimage.binary_opening(thick, disc)
    parts, count = ndimage.label(opened)
    if count == 0:
        raise BodySplitError("the vertebra shows no body")
    inner = parts[np.ix_(rows, middle)]
    sizes = np.bincount(inner[inner > 0].ravel(), minlength=count + 1)
    return parts == int(sizes.argmax())
