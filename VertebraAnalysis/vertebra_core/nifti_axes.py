"""The axes of a NIfTI: slanted ones, which the reader forces to right angles, and contradictions.

A NIfTI can state its axes twice. The sform holds any axes and counts; the qform holds right-angled
ones. A voxel size stands beside both.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vertebra_core.errors import InputError
from vertebra_core.image_files import CONVERT_AGAIN, NO_ORIENTATION
from vertebra_core.nifti_fields import NiftiHeader
from vertebra_core.regular_grid import tilt_degrees
from vertebra_core.volume import CtVolume

_LEAST_TILT_DEGREES = 0.1
# Two places of a NIfTI header give the voxel size; rounding explains a thousandth.
_SPACING_TOLERANCE = 0.01
_SAME_PLACE_MM = 1.0


def with_stated_axes(volume: CtVolume, header: NiftiHeader, path: Path) -> CtVolume:
    """Return a volume with the axes that its file states, also slanted, and with what is odd.

    Raises
    ------
    InputError
        ``bad_direction`` if the axes contradict the voxel size.
    """
    if header.sform_lps is None:
        if header.qform_lps is None:
            return replace(volume, warnings=(*volume.warnings, NO_ORIENTATION))
        return volume
    apart_mm = _apart_mm(volume, header)
    if apart_mm > _SAME_PLACE_MM:
        warning = (
            f"The file states two places and orientations, up to {apart_mm:.0f} mm apart (sform "
            "and qform); the sform was used. Check left and right, head and foot."
        )
        volume = replace(volume, warnings=(*volume.warnings, warning))
    return _with_slanted_axes(volume, header.sform_lps, path)


def broken_axes(path: Path, header: NiftiHeader) -> InputError:
    """Return why a file is refused whose axes the reader does not take."""
    affine = header.sform_lps
    if affine is not None and np.linalg.norm(affine[:, :3], axis=0).min() > 0:
        tilt = tilt_degrees(tuple(affine[:, :3].ravel().tolist()))
        if tilt >= _LEAST_TILT_DEGREES:
            return InputError(
                "bad_direction",
                f"The axes of {path.name} are slanted by {tilt:.1f} degrees (gantry tilt).",
                "Give the DICOM series instead: it is straightened while it is read.",
            )
    return _contradiction(path)


def _with_slanted_axes(volume: CtVolume, affine_lps: np.ndarray, path: Path) -> CtVolume:
    spacing = np.linalg.norm(affine_lps[:, :3], axis=0)
    if not np.isfinite(affine_lps).all() or spacing.min() <= 0:
        return volume
    if np.abs(spacing / volume.spacing_xyz_mm - 1).max() > _SPACING_TOLERANCE:
        raise _contradiction(path)
    direction = tuple((affine_lps[:, :3] / spacing).ravel().tolist())
    if tilt_degrees(direction) < _LEAST_TILT_DEGREES:
        return volume
    return replace(volume, origin_lps_mm=tuple(affine_lps[:, 3].tolist()), direction=direction)


def _apart_mm(volume: CtVolume, header: NiftiHeader) -> float:
    """Largest distance between the corners of the volume by sform and by qform, 0 without either.

    Slices that are slanted against each other are compared as if they were not: the qform cannot
    state it.
    """
    affines = [header.sform_lps, header.qform_lps]
    if any(a is None or not np.isfinite(a).all() for a in affines):
        return 0.0
    if tilt_degrees(tuple(affines[0][:, :3].ravel().tolist())) >= _LEAST_TILT_DEGREES:
        affines = [_upright(a, volume.spacing_xyz_mm[2]) for a in affines]
    last = np.asarray(volume.size_xyz) - 1
    corners = np.stack(np.meshgrid(*[(0, n) for n in last]), -1).reshape(8, 3)
    sform, qform = (corners @ a[:, :3].T + a[:, 3] for a in affines)
    return float(np.linalg.norm(sform - qform, axis=1).max())


def _upright(affine: np.ndarray, slice_mm: float) -> np.ndarray:
    across = np.cross(affine[:, 0], affine[:, 1])
    across *= slice_mm / np.linalg.norm(across) * np.sign(across @ affine[:, 2])
    return np.column_stack([affine[:, :2], across, affine[:, 3]])


def _contradiction(path: Path) -> InputError:
    return InputError(
        "bad_direction",
        f"The header of {path.name} contradicts itself about voxel size and orientation.",
        CONVERT_AGAIN,
    )
