"""Bring slanted or unevenly spaced slices onto a regular, right-angled grid.

Scanners with a tilted gantry store slices that are shifted against each other, so the volume is a
parallelepiped. No common file format but NRRD holds such a grid, and measuring on it as if it were
a box would shear every vertebra.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk  # noqa: N813

from vertebra_core.errors import InputError
from vertebra_core.volume import AIR_HU, CtVolume, LabelVolume, to_sitk

# 0.001 rad shifts the two ends of a 500 mm scan by half a millimetre.
_SHEAR_TOLERANCE = 1e-3
_MAX_TILT_DEGREES = 45.0
# A slice this far from its place (as a part of the spacing) makes the spacing uneven.
_UNEVEN_TOLERANCE = 0.05
_MAX_GAP_MM = 6.0


def tilt_degrees(direction: tuple[float, ...]) -> float:
    """Largest departure from a right angle between two axes of a grid, degrees."""
    axes = np.asarray(direction, float).reshape(3, 3)
    axes = axes / np.linalg.norm(axes, axis=0)
    return float(np.degrees(np.arcsin(np.abs((axes.T @ axes)[np.triu_indices(3, 1)]).max())))


def straightened(volume: CtVolume | LabelVolume) -> CtVolume | LabelVolume:
    """Return a sheared volume on a right-angled grid around it; any other volume unchanged.

    Slices stay where they are; only the grid within each slice is aligned from slice to slice.
    Outside the input air is filled in (0 for labels); the smallest value of the input where that
    is no less than 0, as in unsigned storage, or below air.

    Raises
    ------
    InputError
        ``bad_direction`` if the tilt is above 45 degrees.
    """
    tilt = tilt_degrees(volume.direction)
    if np.sin(np.radians(tilt)) < _SHEAR_TOLERANCE:
        return volume
    if tilt > _MAX_TILT_DEGREES:
        raise InputError(
            "bad_direction",
            f"The image's axes are {tilt:.0f} degrees away from right angles.",
            "Convert the original DICOM series again.",
        )
    is_ct = isinstance(volume, CtVolume)
    image = _resampled_around(volume, is_ct)
    placed = {
        "spacing_xyz_mm": image.GetSpacing(),
        "origin_lps_mm": image.GetOrigin(),
        "direction": image.GetDirection(),
    }
    array = sitk.GetArrayFromImage(image)
    if not is_ct:
        return replace(volume, labels=array, **placed)
    warning = (
        f"The slices are tilted by {tilt:.1f} degrees (gantry tilt); they were moved onto a "
        "straight grid, which the results use."
    )
    return replace(volume, hu=array, warnings=(*volume.warnings, warning), **placed)


def _resampled_around(volume: CtVolume | LabelVolume, interpolate: bool) -> sitk.Image:
    """Resample a sheared volume on the smallest right-angled grid that holds all of it."""
    axes = np.asarray(volume.direction, float).reshape(3, 3)
    frame = _right_angled(axes)
    spacing = np.asarray(volume.spacing_xyz_mm) * np.abs(np.sum(frame * axes, axis=0))
    corners = volume.corners_lps_mm() @ frame
    size = np.ceil(np.ptp(corners, axis=0) / spacing - 1e-3).astype(int) + 1
    origin = frame @ corners.min(0)
    image = to_sitk(volume)
    return sitk.Resample(
        image,
        size.tolist(),
        sitk.Transform(),
        sitk.sitkLinear if interpolate else sitk.sitkNearestNeighbor,
        origin.tolist(),
        spacing.tolist(),
        frame.ravel().tolist(),
        _outside(volume.array) if interpolate else 0.0,
        image.GetPixelID(),
    )


def _outside(voxels: np.ndarray) -> float:
    lowest = float(voxels.min())
    return min(lowest, AIR_HU) if lowest < 0 else lowest


def _right_angled(axes: np.ndarray) -> np.ndarray:
    """Return unit axes (columns) with x kept, y in the plane of x and y, z across them."""
    along_x = axes[:, 0] / np.linalg.norm(axes[:, 0])
    along_y = axes[:, 1] - along_x * (along_x @ axes[:, 1])
    along_y /= np.linalg.norm(along_y)
    along_z = np.cross(along_x, along_y)
    along_z *= np.sign(along_z @ axes[:, 2])
    return np.stack([along_x, along_y, along_z], 1)


def evened_slices(
    slices: np.ndarray, positions_mm: np.ndarray
) -> tuple[np.ndarray, float, str | None]:
    """Interpolate slices at uneven positions to the median spacing.

    Parameters
    ----------
    slices : ndarray, shape (z, y, x)
    positions_mm : ndarray, shape (z,)
        Strictly increasing.

    Returns
    -------
    slices : ndarray, shape (z', y, x)
        The input itself where the spacing is even.
    spacing_mm : float
    warning : str or None

    Raises
    ------
    InputError
        ``missing_slices`` if a gap is too wide to bridge.
    """
    gaps = np.diff(positions_mm)
    median = float(np.median(gaps))
    if np.abs(gaps - median).max() <= _UNEVEN_TOLERANCE * median:
        return slices, float(np.mean(gaps)), None
    widest = int(np.argmax(gaps))
    if gaps[widest] > _MAX_GAP_MM:
        raise InputError(
            "missing_slices",
            f"Slices are missing: between slices {widest + 1} and {widest + 2} lie "
            f"{gaps[widest]:.1f} mm, elsewhere {median:.2f} mm.",
            "Export the whole series again.",
        )
    count = int(np.floor((positions_mm[-1] - positions_mm[0]) / median + 1e-3)) + 1
    wanted = positions_mm[0] + median * np.arange(count)
    below = np.clip(np.searchsorted(positions_mm, wanted, side="right") - 1, 0, len(gaps) - 1)
    share = np.clip((wanted - positions_mm[below]) / gaps[below], 0, 1)
    out = np.empty((count, *slices.shape[1:]), slices.dtype)
    for k in range(count):
        plane = (1 - share[k]) * slices[below[k]] + share[k] * slices[below[k] + 1]
        out[k] = np.rint(plane) if np.issubdtype(slices.dtype, np.integer) else plane
    warning = (
        f"The distance between slices varies from {gaps.min():.2f} to {gaps.max():.2f} mm; "
        f"slices were interpolated every {median:.2f} mm."
    )
    return out, median, warning
