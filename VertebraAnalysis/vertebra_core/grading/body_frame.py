"""The frame of a vertebral body, found from its own endplates, arch and symmetry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from ..height_stations import SAGITTAL_BAND, Columns, columns_of, walls_of
from .body_field import BodyField, largest_part
from .up_axis import combined_up, surface_normals, unit, vote_for_up

_STEP_MM = 0.75
_FIT_STEP_MM = 1.25
_ENDPLATE_SHARE = 0.72
"""Endplates are fitted within this share of the footprint: rims and uncinate processes excluded."""


class BodyFrameError(ValueError):
    """The body has too little shape to find a frame."""


@dataclass(frozen=True)
class BodyFrame:
    """Where a body lies and how it is turned; positions in mm from voxel [0, 0, 0] of its crop.

    Attributes
    ----------
    center_zyx_mm : tuple of float
        Half-way between the walls and between the endplates, mid-sagittal.
    axes_zyx : tuple of tuple of float
        Rows: unit vectors up, back and left, each in z, y, x order.
    depth_mm, width_mm : float
        Extent between the walls along the back axis, and from side to side at mid-depth.
    endplate_residual_mm : float
        Robust deviation of the endplates from planes.
    """

    center_zyx_mm: tuple[float, float, float]
    axes_zyx: tuple[tuple[float, float, float], ...]
    depth_mm: float
    width_mm: float
    endplate_residual_mm: float

    @property
    def axes_lps(self) -> tuple[tuple[float, float, float], ...]:
        """Axes left, back and up as x, y, z vectors, for crops on a grid of identity direction."""
        up, back, left = (tuple(float(c) for c in reversed(a)) for a in self.axes_zyx)
        return left, back, up

    def to_crop(self, points_zyx_mm: np.ndarray) -> np.ndarray:
        """Take points (..., 3) of the body's frame (up, back, left) to the crop, mm."""
        center = np.asarray(self.center_zyx_mm)
        return np.asarray(points_zyx_mm) @ np.asarray(self.axes_zyx) + center

    def grid(self, up_mm: np.ndarray, back_mm: np.ndarray, left_mm: np.ndarray) -> np.ndarray:
        """Positions in the crop (mm) of a grid in the frame, shape (3, n_up, n_back, n_left)."""
        axes = np.asarray(self.axes_zyx, np.float32)
        center = np.asarray(self.center_zyx_mm, np.float32)
        return (
            center[:, None, None, None]
            + axes[0][:, None, None, None] * np.asarray(up_mm, np.float32)[None, :, None, None]
            + axes[1][:, None, None, None] * np.asarray(back_mm, np.float32)[None, None, :, None]
            + axes[2][:, None, None, None] * np.asarray(left_mm, np.float32)[None, None, None, :]
        )


def fit_body_frame(
    body: np.ndarray,
    spacing_zyx_mm: float | tuple[float, float, float],
    vertebra: np.ndarray | None = None,
    up_hint_zyx: np.ndarray | None = None,
    back_hint_zyx: np.ndarray | None = None,
) -> BodyFrame:
    """Find the frame of a body.

    Up is the bisector of the endplates' normals, found by the vote of surface normals and refined
    by robust planes; back points to the arch; the mid-sagittal plane is the one that mirrors the
    vertebra best onto itself.

    Parameters
    ----------
    body : ndarray, shape (z, y, x)
        Probability (float) or mask (bool, integer) of the vertebral body.
    spacing_zyx_mm : float or tuple of float
    vertebra : ndarray, shape (z, y, x), optional
        The same for the whole vertebra; without it, back and the mid-plane rest on the hints and
        on the symmetry of the body alone.
    up_hint_zyx, back_hint_zyx : ndarray, shape (3,), optional
        Directions to start from, right within 40 degrees: the spine's course, and the back. By
        default the grid's z axis and its y axis.

    Raises
    ------
    BodyFrameError
        If there is no body, or it shows no two endplates.
    """
    field = BodyField.of(largest_part(body), spacing_zyx_mm)
    inside = field.inside_points
    if len(inside) < 30:
        raise BodyFrameError("the vertebral body is too small to be measured")
    center = inside.mean(0)
    up = unit(np.array([1.0, 0, 0]) if up_hint_zyx is None else np.asarray(up_hint_zyx, float))
    whole = None if vertebra is None else BodyField.of(vertebra, spacing_zyx_mm)
    back = np.array([0.0, 1, 0]) if back_hint_zyx is None else np.asarray(back_hint_zyx, float)
    arch = _arch_direction(whole, field, center)
    if arch is not None:
        back = arch
    normals, weights = surface_normals(field)
    up = vote_for_up(normals, weights, up)
    axes = _orthonormal(up, back)
    for _ in range(6):
        ends = _fit_endplates(field, center, axes)
        turned = _orthonormal(
            combined_up(ends.bisector @ axes, ends.residual_mm, normals, weights), axes[1]
        )
        moved = np.degrees(np.arccos(np.clip(turned[0] @ axes[0], -1, 1)))
        center, axes = center + ends.mid_up_mm * axes[0], turned
        if moved < 0.2:
            break
    angle, offset = _mirror_plane(whole or field, field, center, axes)
    axes = _turned_about_up(axes, angle)
    center = center + offset * axes[2]
    # The turn about up changed what lies before and behind; the endplates are read once more.
    ends = _fit_endplates(field, center, axes)
    axes = _orthonormal(
        combined_up(ends.bisector @ axes, ends.residual_mm, normals, weights), axes[1]
    )
    return _measured(field, center, axes, ends)


@dataclass(frozen=True)
class _Endplates:
    bisector: np.ndarray  # along up, back, left of the frame it was measured in
    mid_up_mm: float
    residual_mm: float


def _orthonormal(up: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Rows up, back, left."""
    up = unit(up)
    back = back - (back @ up) * up
    if np.linalg.norm(back) < 1e-3:
        back = np.array([0.0, 1.0, 0.0]) - up[1] * up
    back = unit(back)
    # In x, y, z: left = back x up. In z, y, x order a cross product changes its sign.
    return np.stack([up, back, np.cross(up, back)])


def _turned_about_up(axes: np.ndarray, angle_rad: float) -> np.ndarray:
    up, back, left = axes
    return _orthonormal(up, np.cos(angle_rad) * back + np.sin(angle_rad) * left)


def _arch_direction(whole: BodyField | None, field: BodyField, center) -> np.ndarray | None:
    """Direction from the body to everything of the vertebra that is not body."""
    if whole is None:
        return None
    rest = (whole.level < 0) & (field.level > 0)
    points = np.argwhere(rest) * np.asarray(whole.spacing_zyx_mm)
    if len(points) < 0.08 * (field.level < 0).sum():
        return None
    return points.mean(0) - center


def _columns(
    field: BodyField, center, axes, step: float = _STEP_MM
) -> tuple[Columns, np.ndarray, np.ndarray]:
    relative = (field.inside_points - center) @ axes.T
    low, high = relative.min(0) - 2 * step, relative.max(0) + 2 * step
    z, y, x = (np.arange(a, b + step, step) for a, b in zip(low, high, strict=True))
    frame = BodyFrame(tuple(center), tuple(map(tuple, axes)), 0.0, 0.0, 0.0)
    return columns_of(field.at(frame.grid(z, y, x)), float(z[0]), step), y, x


def _footprint(columns: Columns, y: np.ndarray, x: np.ndarray) -> tuple[float, float, float, float]:
    """Front, back, right and left edge of the body seen from above."""
    length = columns.length_mm
    tall = length > 0.3 * np.quantile(length[length > 0], 0.9)
    rows, sides = tall.sum(1), tall.sum(0)
    # Edges where the outline has a third of its usual breadth: pedicle stumps are narrower.
    ys = y[rows > 0.33 * np.quantile(rows[rows > 0], 0.8)]
    xs = x[sides > 0.33 * np.quantile(sides[sides > 0], 0.8)]
    return ys[0], ys[-1], xs[0], xs[-1]


def _fit_endplates(field: BodyField, center, axes) -> _Endplates:
    columns, y, x = _columns(field, center, axes, _FIT_STEP_MM)
    front, back, right, left = _footprint(columns, y, x)
    ey = (y[:, None] - (front + back) / 2) / max((back - front) / 2, 1.0)
    ex = (x[None, :] - (right + left) / 2) / max((left - right) / 2, 1.0)
    use = (ey**2 + ex**2 < _ENDPLATE_SHARE**2 * 1.15) & (columns.length_mm > 0)
    if use.sum() < 12:
        raise BodyFrameError("the vertebral body shows no endplates")
    yy, xx = np.broadcast_arrays(y[:, None], x[None, :])
    # A hollow is even in depth and side, so a quadratic takes it up and leaves the slope alone.
    shares = np.broadcast_arrays(ey**2, ex**2)
    terms = np.stack([np.ones(use.sum()), yy[use], xx[use], *(e[use] for e in shares)], -1)
    top, top_residual = _robust_fit(terms, columns.top_mm[use])
    bottom, bottom_residual = _robust_fit(terms, columns.bottom_mm[use])
    upper = unit(np.array([1.0, -top[1], -top[2]]))
    lower = unit(np.array([1.0, -bottom[1], -bottom[2]]))
    middle = np.array([1.0, (front + back) / 2, (right + left) / 2, 0.0, 0.0])
    return _Endplates(
        unit(upper + lower),
        float((top + bottom) @ middle / 2),
        float(max(top_residual, bottom_residual)),
    )


def _robust_fit(terms: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Least squares with Tukey weights; returns coefficients and the robust residual."""
    weights = np.ones(len(values))
    for _ in range(8):
        root = np.sqrt(weights)[:, None]
        found = np.linalg.lstsq(terms * root, values * root[:, 0], rcond=None)[0]
        residual = values - terms @ found
        scale = max(1.4826 * float(np.median(np.abs(residual))), 0.15)
        weights = np.clip(1 - (residual / (4.0 * scale)) ** 2, 0, 1) ** 2
    return found, scale


def _mirror_plane(whole: BodyField, field: BodyField, center, axes) -> tuple[float, float]:
    """Turn about up (rad) and shift to the left (mm) of the plane that mirrors the bone best."""
    points = whole.inside_points
    step = len(points) // 1500 + 1
    relative = (points[::step] - center) @ axes.T
    # Processes bend to one side in many people; what is near the body counts more.
    weights = np.exp(-((np.linalg.norm(relative, axis=1) / 35.0) ** 2))
    width = float(np.ptp(((field.inside_points - center) @ axes.T)[:, 2]))

    def mismatch(parameters: np.ndarray) -> float:
        angle, offset = parameters[0], parameters[1]
        c, s = np.cos(angle), np.sin(angle)
        # The plane's normal in the frame is -s along back and c along left.
        distance = -s * relative[:, 1] + c * relative[:, 2] - offset
        mirrored = relative.copy()
        mirrored[:, 1] += 2 * s * distance
        mirrored[:, 2] -= 2 * c * distance
        found = 0.5 - whole.at((mirrored @ axes + center).T)
        penalty = 0.02 * (angle / 0.35) ** 2 + 0.02 * (offset / (0.12 * width)) ** 2
        return penalty - float((weights * found).sum() / weights.sum())

    middle = float(np.median(((field.inside_points - center) @ axes.T)[:, 2]))
    starts = [(a, middle + o) for a in np.deg2rad(np.arange(-24, 25, 8)) for o in (-3.0, 0.0, 3.0)]
    best = min(starts, key=lambda p: mismatch(np.array(p)))
    simplex = np.array([best, (best[0] + 0.06, best[1]), (best[0], best[1] + 1.5)])
    found = optimize.minimize(
        mismatch,
        best,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 2e-3, "fatol": 1e-5, "maxfev": 50},
    )
    return float(found.x[0]), float(found.x[1])


def _measured(field: BodyField, center, axes, ends: _Endplates) -> BodyFrame:
    """Put the centre between walls and endplates and measure depth and width."""
    columns, y, x = _columns(field, center, axes)
    front, back, right, left = _footprint(columns, y, x)
    band = np.abs(x) <= max(SAGITTAL_BAND * (left - right), _STEP_MM)
    walls = walls_of(Columns(columns.top_mm[:, band], columns.bottom_mm[:, band]), y)
    if walls is None:
        raise BodyFrameError("the vertebral body is not found about its own middle")
    front, back = walls
    depth_rows = np.abs(y - (front + back) / 2) <= 0.15 * (back - front)
    widths = (columns.length_mm[depth_rows] > 0).sum(1) * _STEP_MM
    near = depth_rows[:, None] & band[None, :]
    middle = (columns.top_mm + columns.bottom_mm) / 2
    if not np.isfinite(middle[near]).any():
        raise BodyFrameError("the vertebral body has no height between its walls")
    shift_up = float(np.nanmedian(np.where(near, middle, np.nan)))
    center = center + (front + back) / 2 * axes[1] + shift_up * axes[0]
    return BodyFrame(
        tuple(float(c) for c in center),
        tuple(tuple(float(c) for c in row) for row in axes),
        float(back - front),
        float(np.median(widths)),
        ends.residual_mm,
    )
