"""Surfaces through the spine on which a CT is shown flat.

The sagittal surface follows the spine from side to side, the coronal one from front to back, so
that a curved spine stays in view from end to end. Rows are 1:1 along the patient's z axis, columns
along y or x: nothing is stretched, and heights can be read off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..analysis import Vertebra
from ..volume import CtVolume, LabelVolume

PIXEL_MM = 0.8
ZOOM_PIXEL_MM = 0.5

_BEYOND_MM = 28.0
_FRONT_MM, _BACK_MM = 55.0, 78.0
_SIDE_MM = 62.0
_ZOOM_FRONT_MM, _ZOOM_BACK_MM, _ZOOM_HALF_HEIGHT_MM = 32.0, 50.0, 38.0


@dataclass(frozen=True)
class Surface:
    """A picture's place in the patient.

    Attributes
    ----------
    points_lps_mm : ndarray, shape (rows, columns, 3)
        Where each pixel's centre lies.
    pixel_mm : float
    slab_lps : tuple of float
        Unit direction along which neighbouring samples are averaged.
    to_pixel : callable
        Takes points (..., 3), LPS mm, to (..., 2) columns and rows.
    left, right : str
        Letters of the patient's sides at the picture's edges.
    """

    points_lps_mm: np.ndarray
    pixel_mm: float
    slab_lps: tuple[float, float, float]
    to_pixel: Callable[[np.ndarray], np.ndarray]
    left: str
    right: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        rows, columns, _ = self.points_lps_mm.shape
        return columns, rows


def sagittal_surface(vertebrae: Sequence[Vertebra], volume: CtVolume | LabelVolume) -> Surface:
    """Surface from front (left) to back (right) that follows the spine from side to side."""
    z, low, high, curve = _course(vertebrae, volume)
    y = _steps(
        max(low[1], curve(z)[:, 1].min() - _FRONT_MM), min(high[1], curve(z)[:, 1].max() + _BACK_MM)
    )
    points = np.empty((len(z), len(y), 3))
    points[..., 0] = curve(z)[:, :1]
    points[..., 1] = y
    points[..., 2] = z[:, None]

    def to_pixel(lps_mm: np.ndarray) -> np.ndarray:
        p = np.asarray(lps_mm, float)
        return np.stack([p[..., 1] - y[0], z[0] - p[..., 2]], -1) / PIXEL_MM

    return Surface(points, PIXEL_MM, (1.0, 0.0, 0.0), to_pixel, "A", "P")


def coronal_surface(vertebrae: Sequence[Vertebra], volume: CtVolume | LabelVolume) -> Surface:
    """Surface from the patient's right (left edge) to left that follows the spine's depth."""
    z, low, high, curve = _course(vertebrae, volume)
    x = _steps(
        max(low[0], curve(z)[:, 0].min() - _SIDE_MM), min(high[0], curve(z)[:, 0].max() + _SIDE_MM)
    )
    points = np.empty((len(z), len(x), 3))
    points[..., 0] = x
    points[..., 1] = curve(z)[:, 1:]
    points[..., 2] = z[:, None]

    def to_pixel(lps_mm: np.ndarray) -> np.ndarray:
        p = np.asarray(lps_mm, float)
        return np.stack([p[..., 0] - x[0], z[0] - p[..., 2]], -1) / PIXEL_MM

    return Surface(points, PIXEL_MM, (0.0, 1.0, 0.0), to_pixel, "R", "L")


def body_surface(
    vertebra: Vertebra, through_lps_mm: tuple[float, float, float] | None = None
) -> Surface:
    """Sagittal plane of one body, its own front to the left and its own top up.

    Parameters
    ----------
    vertebra : Vertebra
    through_lps_mm : tuple of float, optional
        Point that the plane goes through; by default the centre of the body.
    """
    axes = vertebra.axes_lps or ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    left, back, up = (np.asarray(a, float) for a in axes)
    center = np.asarray(vertebra.center_lps_mm, float)
    if through_lps_mm is not None:
        center = center + ((np.asarray(through_lps_mm, float) - center) @ left) * left
    across = np.arange(-_ZOOM_FRONT_MM, _ZOOM_BACK_MM, ZOOM_PIXEL_MM)
    height = np.arange(_ZOOM_HALF_HEIGHT_MM, -_ZOOM_HALF_HEIGHT_MM, -ZOOM_PIXEL_MM)
    points = center + across[None, :, None] * back + height[:, None, None] * up

    def to_pixel(lps_mm: np.ndarray) -> np.ndarray:
        p = np.asarray(lps_mm, float) - center
        return np.stack([p @ back - across[0], height[0] - p @ up], -1) / ZOOM_PIXEL_MM

    return Surface(points, ZOOM_PIXEL_MM, tuple(left.tolist()), to_pixel, "A", "P")


def _steps(low: float, high: float) -> np.ndarray:
    return np.arange(low, max(high, low + 10 * PIXEL_MM), PIXEL_MM)


def _course(vertebrae: Sequence[Vertebra], volume: CtVolume | LabelVolume):
    """Heights of the rows, the volume's corners, and the spine's x and y at any height."""
    centers = np.array([v.center_lps_mm for v in vertebrae], float)
    centers = centers[np.argsort(centers[:, 2], kind="stable")]
    corners = volume.corners_lps_mm()
    low, high = corners.min(0), corners.max(0)
    top = min(high[2], centers[-1, 2] + _BEYOND_MM)
    bottom = max(low[2], centers[0, 2] - _BEYOND_MM)
    z = _steps(bottom, top)[::-1]

    def curve(heights: np.ndarray) -> np.ndarray:
        return np.stack([np.interp(heights, centers[:, 2], centers[:, i]) for i in (0, 1)], -1)

    return z, low, high, curve
