"""Where a DICOM slice lies, from the text of its elements (DICOM PS3.3, C.7.6.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Cosines are written with six digits or more; what departs further is no pair of axes.
_AXES_TOLERANCE = 0.01


@dataclass(frozen=True)
class SlicePlace:
    """Place of a slice; what the file does not tell is None.

    Attributes
    ----------
    origin_lps_mm : tuple of float or None
        Centre of the first pixel.
    direction : tuple of float or None
        Row-major 3x3; columns are the axes along rows, along columns, and the normal, LPS.
    spacing_xy_mm : tuple of float or None
        Pixel size along x (within a row) and y.
    """

    origin_lps_mm: tuple[float, ...] | None
    direction: tuple[float, ...] | None
    spacing_xy_mm: tuple[float, float] | None

    @property
    def normal(self) -> np.ndarray:
        """Normal of the slice, LPS, shape (3,)."""
        return np.asarray(self.direction).reshape(3, 3)[:, 2]


def slice_place(position: str, orientation: str, pixel_spacing: str) -> SlicePlace:
    r"""Place of a slice from its elements.

    Parameters
    ----------
    position, orientation, pixel_spacing : str
        Values of Image Position (Patient), Image Orientation (Patient) and Pixel Spacing,
        separated by backslashes.
    """
    spacing = _numbers(pixel_spacing, 2)
    return SlicePlace(
        _numbers(position, 3),
        _direction(_numbers(orientation, 6)),
        None if spacing is None or min(spacing) <= 0 else spacing[::-1],
    )


def _numbers(text: str, count: int) -> tuple[float, ...] | None:
    try:
        values = tuple(float(part) for part in text.split("\\"))
    except ValueError:
        return None
    return values if len(values) == count and np.isfinite(values).all() else None


def _direction(cosines: tuple[float, ...] | None) -> tuple[float, ...] | None:
    if cosines is None:
        return None
    axes = np.reshape(cosines, (2, 3))
    if np.abs(axes @ axes.T - np.eye(2)).max() > _AXES_TOLERANCE:
        return None
    along_x = axes[0] / np.linalg.norm(axes[0])
    normal = np.cross(along_x, axes[1])
    normal /= np.linalg.norm(normal)
    return tuple(np.stack([along_x, np.cross(normal, along_x), normal], 1).ravel().tolist())
