"""The one definition of a vertebral body's heights, for truth of phantoms and for measurements.

A body is looked at as columns along its own up axis; sagittal slices are measured one by one. The
anterior height is read a small inset from the front wall, clear of its rounded rim and of
osteophytes. The posterior height is that of the tallest column close to the posterior wall, its
corners: where a fracture has broken an endplate in, often just the corner stands, and a fixed inset
would read the slope in front of it. The middle height is that of the deepest hollow about half-way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

HEIGHT_INSET = 0.12
"""The anterior height is measured this share of the depth inside the wall."""

HEIGHT_WINDOW = 0.04
"""Half length of a stretch whose columns are averaged (median), as a share of the depth."""

CORNER_RANGE = (0.04, 0.20)
"""The posterior height is the tallest within this range of shares of the depth from the wall."""

HOLLOW_RANGE = (0.40, 0.60)
"""The middle height is the smallest within this range of shares of the depth from the front."""

SAGITTAL_BAND = 0.20
"""Half width of the band of sagittal slices that heights come from, as a share of the width."""

WALL_TRAIL_MM = 4.0
"""The mid-height line that walls are looked for on follows the body over this length."""


@dataclass(frozen=True)
class Columns:
    """Columns of a body along its up axis, on a grid of depth (y) and side (x).

    Attributes
    ----------
    top_mm, bottom_mm : ndarray, shape (y, x)
        Where the surface is crossed, mm along the up axis; NaN where a column misses the body.
    """

    top_mm: np.ndarray
    bottom_mm: np.ndarray

    @property
    def length_mm(self) -> np.ndarray:
        """Length of every column, 0 where it misses the body."""
        return np.nan_to_num(self.top_mm - self.bottom_mm)


@dataclass(frozen=True)
class StationHeights:
    """Heights per sagittal slice.

    Attributes
    ----------
    front_mm, back_mm : float
        Walls of the body along the back axis.
    stations_mm : tuple of float
        Where the anterior, middle and posterior height are read.
    heights_mm : ndarray, shape (n_slices, 3)
        Anterior, middle and posterior height of each slice; NaN where one is missing.
    """

    front_mm: float
    back_mm: float
    stations_mm: tuple[float, float, float]
    heights_mm: np.ndarray


def columns_of(level: np.ndarray, first_mm: float, step_mm: float) -> Columns:
    """Find the surface along every column of a level set.

    Parameters
    ----------
    level : ndarray, shape (z, y, x)
        Negative inside the body, zero at its surface; linear between samples.
    first_mm, step_mm : float
        Position of the first sample along the up axis, and the distance of samples.
    """
    n = level.shape[0]
    inside = level < 0
    index = np.arange(n, dtype=np.float32)[:, None, None]
    count = inside.sum(0)
    seed = np.rint((index * inside).sum(0) / np.maximum(count, 1)).astype(int)
    # The middle of what is inside may itself be a gap: start from the nearest sample inside.
    seed = np.argmin(np.where(inside, np.abs(index - seed), n), axis=0)
    last = np.where(~inside & (index > seed), index, n).min(0).astype(int) - 1
    first = np.where(~inside & (index < seed), index, -1).max(0).astype(int) + 1

    def crossing(within: np.ndarray, towards: int) -> np.ndarray:
        beyond = np.clip(within + towards, 0, n - 1)
        a = np.take_along_axis(level, within[None], 0)[0]
        b = np.take_along_axis(level, beyond[None], 0)[0]
        share = np.where(b > a, a / np.minimum(a - b, -1e-9), 0.0)
        return first_mm + step_mm * (within + towards * np.clip(share, 0, 1))

    missing = count == 0
    top = np.where(missing, np.nan, crossing(last, 1))
    bottom = np.where(missing, np.nan, crossing(first, -1))
    return Columns(top, bottom)


def walls_of(columns: Columns, y_mm: np.ndarray) -> tuple[float, float] | None:
    """Front and back wall, median over the slices; None without a body.

    A wall lies where the line half-way between the endplates leaves the body. Spurs and beaks sit
    on the rims, away from that line, so they do not move the wall.
    """
    fronts, backs = [], []
    for top, bottom in zip(columns.top_mm.T, columns.bottom_mm.T, strict=True):
        tall = np.flatnonzero(np.nan_to_num(top - bottom) > 0)
        if len(tall) < 3:
            continue
        middle = int(round(float(np.mean(tall))))
        if not np.isfinite(top[middle]):
            continue
        fronts.append(_exit(top, bottom, y_mm, middle, -1))
        backs.append(_exit(top, bottom, y_mm, middle, 1))
    if not fronts:
        return None
    return float(np.median(fronts)), float(np.median(backs))


def _exit(top, bottom, y_mm, start: int, towards: int) -> float:
    """Where the mid-height line, followed from `start`, leaves the columns."""
    step = float(y_mm[1] - y_mm[0])
    share = step / WALL_TRAIL_MM
    line = (top[start] + bottom[start]) / 2
    room, k = 1.0, start
    while 0 <= k + towards < len(y_mm):
        following = k + towards
        if not np.isfinite(top[following]):
            return float(y_mm[k]) + towards * step / 2
        next_room = min(top[following] - line, line - bottom[following])
        if next_room <= 0:
            return float(y_mm[k]) + towards * step * room / max(room - next_room, 1e-6)
        line += share * ((top[following] + bottom[following]) / 2 - line)
        room = max(min(top[following] - line, line - bottom[following]), 1e-6)
        k = following
    return float(y_mm[k])


def station_heights(columns: Columns, y_mm: np.ndarray) -> StationHeights | None:
    """Read the three heights in every sagittal slice.

    Parameters
    ----------
    columns : Columns
        Of the sagittal band only.
    y_mm : ndarray, shape (y,)
        Positions along the back axis, evenly spaced.

    Returns
    -------
    StationHeights or None
        None if there is no body.
    """
    walls = walls_of(columns, y_mm)
    if walls is None:
        return None
    front, back = walls
    depth = back - front
    length = columns.length_mm
    step = float(y_mm[1] - y_mm[0])
    half = int(round(HEIGHT_WINDOW * depth / step))
    smooth = np.where(length > 0, length, np.nan)
    smooth = ndimage.median_filter(np.nan_to_num(smooth), (2 * half + 1, 1), mode="nearest")
    smooth[smooth <= 0] = np.nan
    anterior = _nearest(y_mm, front + HEIGHT_INSET * depth)
    middle = _within(y_mm, front + HOLLOW_RANGE[0] * depth, front + HOLLOW_RANGE[1] * depth)
    corner = _within(y_mm, back - CORNER_RANGE[1] * depth, back - CORNER_RANGE[0] * depth)
    heights = np.full((length.shape[1], 3), np.nan)
    where = np.full((length.shape[1], 3), np.nan)
    for k in range(length.shape[1]):
        for j, rows in enumerate((anterior, middle, corner)):
            stretch = smooth[rows, k]
            if not np.isfinite(stretch).any():
                continue
            i = int(np.nanargmin(stretch) if j == 1 else np.nanargmax(stretch))
            heights[k, j], where[k, j] = stretch[i], y_mm[rows][i]
    some = np.isfinite(where).any(0)
    stations = [float(np.nanmedian(where[:, j])) if some[j] else float("nan") for j in range(3)]
    return StationHeights(front, back, tuple(stations), heights)


def _nearest(y_mm: np.ndarray, position: float) -> slice:
    i = int(np.clip(np.argmin(np.abs(y_mm - position)), 0, len(y_mm) - 1))
    return slice(i, i + 1)


def _within(y_mm: np.ndarray, low: float, high: float) -> slice:
    inside = np.flatnonzero((y_mm >= low) & (y_mm <= high))
    if not len(inside):
        return _nearest(y_mm, (low + high) / 2)
    return slice(int(inside[0]), int(inside[-1]) + 1)
