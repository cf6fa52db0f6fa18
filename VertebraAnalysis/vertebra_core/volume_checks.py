"""Checks on a CT before any work: shape, spacing, finite values, Hounsfield units.

Limits, and why:

- Spacing 0.15-6 mm per axis. Photon-counting CT reconstructs down to 0.2 mm; a cervical body is
  about 12 mm high, so slices above 6 mm leave it fewer than two. From 3 mm a warning is given:
  the height loss of a mild fracture (20 % of 25 mm [1]_) is then a single slice or two.
- Extent at least 10 mm per axis: less cannot hold half of any vertebral body.
- Hounsfield units are recognised by what the scale fixes [2]_: air -1000, fat about -100, soft
  tissue 0-100, and little between lung and fat (see `intensity`). A warning is given where many
  voxels share the highest value, below 1000 HU: dense bone goes beyond it.

References
----------
.. [1] Genant et al., "Vertebral fracture assessment using a semiquantitative technique", JBMR 8
   (1993) 1137-1148.
.. [2] Kalender, "Computed Tomography", 3rd ed., Publicis (2011), chapter 1.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vertebra_core.constant_padding import without_padding
from vertebra_core.counting import counted
from vertebra_core.errors import InputError
from vertebra_core.intensity import UNSIGNED_SHIFT, IntensitySample, Scale, sample_intensities
from vertebra_core.volume import AIR_HU, CtVolume
from vertebra_core.volume_limits import (
    COARSE_SPACING_MM,
    MAX_SPACING_MM,
    MAX_VOXELS,
    MIN_EXTENT_MM,
    MIN_SLICES,
    MIN_SPACING_MM,
)

_GIVE_CT = "Give the original CT series or its NIfTI, NRRD or MHA copy in Hounsfield units."
_MAX_HU = np.iinfo(np.int16).max


def check_grid(
    size_xyz: tuple[int, ...],
    spacing_xyz_mm: tuple[float, ...],
    direction: tuple[float, ...],
    components: int = 1,
) -> None:
    """Check what a file's header says, before its voxels are read.

    Parameters
    ----------
    size_xyz : tuple of int
    spacing_xyz_mm : tuple of float
    direction : tuple of float
        Row-major direction cosines.
    components : int
        Values per voxel.

    Raises
    ------
    InputError
        ``not_scalar``, ``two_dimensional``, ``four_dimensional``, ``one_slice``, ``bad_spacing``,
        ``bad_direction``, ``too_small`` or ``too_large``.
    """
    _check_dimensions(size_xyz, components)
    _check_direction(direction)
    _check_spacing(spacing_xyz_mm)
    _check_extent(size_xyz, spacing_xyz_mm)


def check_finite(voxels: np.ndarray) -> None:
    """Check that all values are numbers.

    Raises
    ------
    InputError
        ``not_finite``.
    """
    if np.issubdtype(voxels.dtype, np.floating):
        refuse_not_finite(sum(int(np.sum(~np.isfinite(plane))) for plane in voxels))


def refuse_not_finite(n_bad: int) -> None:
    """Raise `InputError` ``not_finite`` unless the number of bad voxels is 0."""
    if n_bad:
        raise InputError(
            "not_finite",
            f"The image has {counted(n_bad, 'voxel')} without a number (NaN or infinite).",
            "Fill them with -1024 (air) or convert the original DICOM series again.",
        )


def checked_ct(raw: CtVolume) -> CtVolume:
    """Check a volume and return it as int16 Hounsfield units.

    Values are rounded, and those below -1024 (padding outside the scanner's field of view) become
    air; padding with another value does so with a warning (see `constant_padding`). Data stored as
    HU + 1024 are shifted back, with a warning. A volume that has been checked passes unchanged.

    Parameters
    ----------
    raw : CtVolume
        Voxels of any numeric type, as stored.

    Returns
    -------
    CtVolume
        int16 HU; `warnings` extended.

    Raises
    ------
    InputError
        The codes of `check_grid` and `check_finite`, and ``empty``, ``all_air``, ``label_map``,
        ``eight_bit``, ``not_ct``, ``not_hounsfield``.
    """
    if raw.hu.ndim != 3:
        check_grid(raw.hu.shape[::-1], (1.0,) * raw.hu.ndim, raw.direction)
    check_grid(raw.size_xyz, raw.spacing_xyz_mm, raw.direction)
    check_finite(raw.hu)
    sample = sample_intensities(raw.hu)
    scale = sample.scale()
    _refuse(scale, sample)
    warnings = list(raw.warnings)
    shift = 0
    if scale is Scale.UNSIGNED_SHIFTED:
        shift = UNSIGNED_SHIFT
        warnings.append(
            f"The values are Hounsfield units plus {shift} (unsigned storage, from "
            f"{sample.low:g} to {sample.high:g}); {shift} was subtracted."
        )
    ceiling_hu = sample.ceiling_hu(shift)
    if ceiling_hu is not None:
        warnings.append(
            f"Values above {ceiling_hu:.0f} HU were cut off, as by saving a window; contours of "
            "bone, heights and densities are uncertain. Give the CT as the scanner made it."
        )
    if max(raw.spacing_xyz_mm) > COARSE_SPACING_MM:
        warnings.append(
            f"The voxels are {_times(raw.spacing_xyz_mm, '.3g')} mm; "
            "heights and mild fractures are uncertain above 3 mm."
        )
    hu, padding_hu = without_padding(_as_int16(raw.hu, shift))
    if padding_hu:
        warnings.append(
            f"Around the scan, the volume is filled up with {' and '.join(map(str, padding_hu))} "
            "HU, as by resampling; that was taken for air, and its border for the edge of the scan."
        )
    warnings = tuple(dict.fromkeys(warnings))
    return replace(raw, hu=hu, warnings=warnings)


def _as_int16(voxels: np.ndarray, shift: int) -> np.ndarray:
    if voxels.dtype == np.int16 and not shift and voxels.min() >= AIR_HU:
        return voxels
    out = np.empty(voxels.shape, np.int16)
    for k, plane in enumerate(voxels):
        out[k] = np.clip(np.rint(plane.astype(np.float64) - shift), AIR_HU, _MAX_HU)
    return out


def _refuse(scale: Scale, sample: IntensitySample) -> None:
    span = f"values from {sample.low:g} to {sample.high:g}"
    if scale is Scale.CONSTANT:
        raise InputError(
            "empty", f"The image is empty: every voxel has the value {sample.low:g}.", _GIVE_CT
        )
    if scale is Scale.ALL_AIR:
        raise InputError(
            "all_air",
            f"The image shows nothing but air ({span} HU).",
            "Check that the right series was exported.",
        )
    if scale is Scale.LABEL_MAP:
        raise InputError(
            "label_map",
            f"The image is a label map ({sample.n_distinct} whole numbers, {span}), not a CT.",
            "Give the CT here; `grade --segmentation` takes a label map beside it.",
        )
    if scale is Scale.EIGHT_BIT:
        raise InputError(
            "eight_bit",
            f"The image holds 8-bit grey values ({span}), not Hounsfield units.",
            "The density scale is lost and cannot be restored: give the original CT series.",
        )
    if scale is Scale.MAGNETIC_RESONANCE:
        raise InputError(
            "not_ct",
            f"The image is MR, or a CT without its density scale ({span}, no air or fat below 0).",
            _GIVE_CT,
        )
    if scale is Scale.UNKNOWN:
        raise InputError(
            "not_hounsfield",
            f"The values are not Hounsfield units ({span}): soft tissue should be near 40, "
            "fat near -100 and air at -1000.",
            "Apply the DICOM rescale slope and intercept, or give the original CT series.",
        )


def _check_dimensions(size_xyz: tuple[int, ...], components: int) -> None:
    if components != 1:
        raise InputError(
            "not_scalar",
            f"The image has {components} values per voxel (colour or vector data), not one.",
            _GIVE_CT,
        )
    if len(size_xyz) == 2:
        raise InputError(
            "two_dimensional", "The image is a single 2D picture, not a volume.", _GIVE_CT
        )
    if len(size_xyz) > 3:
        raise InputError(
            "four_dimensional",
            f"The image has {len(size_xyz)} dimensions ({_times(size_xyz)}); a CT volume has 3.",
            "Export one time point or phase as a 3D volume.",
        )
    if min(size_xyz) < MIN_SLICES:
        raise InputError(
            "one_slice",
            f"The image is a single slice ({_times(size_xyz)} voxels), not a volume.",
            "Give the whole series; for DICOM, the folder that holds all its files.",
        )


def _check_direction(direction: tuple[float, ...]) -> None:
    matrix = np.asarray(direction, float)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix.reshape(3, 3))) < 0.1:
        raise InputError(
            "bad_direction",
            "The image's axes do not span space; its orientation is broken.",
            "Convert the original DICOM series again.",
        )


def _check_spacing(spacing_xyz_mm: tuple[float, ...]) -> None:
    spacing = np.asarray(spacing_xyz_mm, float)
    given = _times(spacing_xyz_mm, ".3g")
    if not np.isfinite(spacing).all() or spacing.min() < MIN_SPACING_MM:
        raise InputError(
            "bad_spacing",
            f"The voxel size is {given} mm; a spine CT has at least {MIN_SPACING_MM} mm.",
            "Correct the spacing in the file's header or convert the DICOM series again.",
        )
    if spacing.max() > MAX_SPACING_MM:
        raise InputError(
            "bad_spacing",
            f"The voxel size is {given} mm; above {MAX_SPACING_MM:g} mm vertebrae cannot be told "
            "apart.",
            "Give the series with the thinnest slices, or correct the spacing in the header.",
        )


def _check_extent(size_xyz: tuple[int, ...], spacing_xyz_mm: tuple[float, ...]) -> None:
    extent_mm = [n * s for n, s in zip(size_xyz, spacing_xyz_mm, strict=True)]
    if min(extent_mm) < MIN_EXTENT_MM:
        raise InputError(
            "too_small",
            f"The image covers only {_times(extent_mm, '.1f')} mm; no vertebra fits into it.",
            "Give the whole series.",
        )
    if np.prod([float(n) for n in size_xyz]) > MAX_VOXELS:
        raise InputError(
            "too_large",
            f"The image has {_times(size_xyz)} voxels, more than can be held in memory.",
            "Crop it to the spine or resample it to 1 mm.",
        )


def _times(values: tuple[float, ...] | list[float], form: str = "g") -> str:
    return " x ".join(format(v, form) for v in values)
