"""Anterior, middle and posterior height of a vertebral body, to a fraction of a voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..analysis import Heights
from ..height_stations import SAGITTAL_BAND, columns_of, station_heights
from .body_field import BodyField, largest_part
from .body_frame import BodyFrame

SLICE_STEP_MM = 0.75
_UP_STEP_MM = 0.5
_BACK_STEP_MM = 0.5
MIN_SLICES = 5
"""Fewer sagittal slices than this do not tell a spread."""


class HeightError(ValueError):
    """The heights of a body cannot be measured."""


@dataclass(frozen=True)
class MeasuredLine:
    """Where a height was measured in the mid-sagittal plane: ends in mm of the crop, z, y, x."""

    top_zyx_mm: tuple[float, float, float]
    bottom_zyx_mm: tuple[float, float, float]


@dataclass(frozen=True)
class HeightMeasurement:
    """Heights of one body.

    Attributes
    ----------
    heights_mm : Heights
        Robust mean over the sagittal slices.
    spread_mm : Heights
        1.4826 times the median absolute deviation over the slices.
    lines : dict of str to MeasuredLine
        ``anterior``, ``middle`` and ``posterior``; each as long as its height.
    n_slices : int
        Sagittal slices in which all three heights were found.
    depth_mm : float
        Distance between the walls.
    """

    heights_mm: Heights
    spread_mm: Heights
    lines: dict[str, MeasuredLine]
    n_slices: int
    depth_mm: float


def measure_heights(
    body: np.ndarray, spacing_zyx_mm: float | tuple[float, float, float], frame: BodyFrame
) -> HeightMeasurement:
    """Measure Ha, Hm and Hp over the middle 40 % of the width.

    Parameters
    ----------
    body : ndarray, shape (z, y, x)
        Probability (float; its 0.5 level is the surface) or mask of the body.
    spacing_zyx_mm : float or tuple of float
    frame : BodyFrame
        From `fit_body_frame` on the same crop.

    Raises
    ------
    HeightError
        If fewer than `MIN_SLICES` sagittal slices show all three heights.
    """
    field = BodyField.of(largest_part(body), spacing_zyx_mm)
    relative = (field.inside_points - np.asarray(frame.center_zyx_mm)) @ np.asarray(
        frame.axes_zyx
    ).T
    reach = np.abs(relative).max(0) + 2.0
    up = np.arange(-reach[0], reach[0] + _UP_STEP_MM, _UP_STEP_MM)
    back = np.arange(-reach[1], reach[1] + _BACK_STEP_MM, _BACK_STEP_MM)
    half = SAGITTAL_BAND * frame.width_mm
    count = max(int(np.floor(half / SLICE_STEP_MM)), MIN_SLICES // 2)
    left = np.linspace(-half, half, 2 * count + 1)
    columns = columns_of(field.at(frame.grid(up, back, left)), float(up[0]), _UP_STEP_MM)
    found = station_heights(columns, back)
    complete = np.isfinite(found.heights_mm).all(1) if found else np.zeros(0, bool)
    if found is None or complete.sum() < MIN_SLICES:
        raise HeightError("too few sagittal slices show the whole body")
    heights = found.heights_mm[complete]
    mean, spread = robust_mean(heights)
    reach_back = max(0.04 * (found.back_mm - found.front_mm), 0.6 * _BACK_STEP_MM)
    middles = []
    for station in found.stations_mm:
        near = np.abs(back - station) <= reach_back
        middles.append(float(np.nanmedian((columns.top_mm + columns.bottom_mm)[near]) / 2))
    lines = {}
    for k, name in enumerate(("anterior", "middle", "posterior")):
        ends = np.array([[middles[k] + s * mean[k] / 2, found.stations_mm[k], 0] for s in (1, -1)])
        top, bottom = frame.to_crop(ends)
        lines[name] = MeasuredLine(tuple(map(float, top)), tuple(map(float, bottom)))
    return HeightMeasurement(
        Heights(*map(float, mean)),
        Heights(*map(float, spread)),
        lines,
        int(complete.sum()),
        found.back_mm - found.front_mm,
    )


def robust_mean(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of what lies within 2.5 robust deviations of the median, and that deviation (axis 0)."""
    median = np.median(values, axis=0)
    spread = 1.4826 * np.median(np.abs(values - median), axis=0)
    near = np.abs(values - median) <= 2.5 * np.maximum(spread, 0.1)
    return (values * near).sum(0) / near.sum(0), spread
