"""Read CT and label maps from NIfTI, NRRD, MHA and DICOM."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from vertebra_core.dicom_series import is_dicom_file, read_dicom_file, read_dicom_folder
from vertebra_core.errors import InputError
from vertebra_core.nifti_header import check_nifti, is_nifti
from vertebra_core.regular_grid import straightened, tilt_degrees
from vertebra_core.volume import CtVolume, LabelVolume, from_sitk
from vertebra_core.volume_checks import check_finite, check_grid, checked_ct
from vertebra_core.volume_source import NAME_FIELD, VolumeSource, name_of

_FORMATS = "Give a NIfTI, NRRD or MHA file, or a folder with a DICOM series."
_WHOLE = "Export the segmentation of the whole scan, as one 3D label map."
_ON_GRID = "Export the segmentation again, on the grid of its CT."
# What helps where a check that is made for CT refuses a label map.
_LABEL_MAP_HINTS = {
    "not_scalar": "Export the segmentation as one label map without overlapping segments.",
    "not_finite": "Labels are whole numbers from 0: export the segmentation again.",
    "unreadable": "Export the segmentation again, as a NIfTI, NRRD or MHA file.",
    **dict.fromkeys(("one_slice", "two_dimensional", "four_dimensional", "too_small"), _WHOLE),
    **dict.fromkeys(("bad_spacing", "bad_direction"), _ON_GRID),
}
_MAX_LABEL = np.iinfo(np.uint16).max
_MAX_DISTINCT_LABELS = 1000
_LEAST_TILT_DEGREES = 0.1
# Two places of a NIfTI header give the voxel size; rounding explains a thousandth.
_SPACING_TOLERANCE = 0.01


def read_ct(path: Path | str, series_uid: str | None = None) -> CtVolume:
    """Read a CT and check it.

    Parameters
    ----------
    path : Path or str
        NIfTI, NRRD or MHA file, a folder that holds DICOM files (also in subfolders), or one
        DICOM file, which stands for the series it belongs to.
    series_uid : str, optional
        Series to take from a DICOM folder (of a DICOM file, the folder that it lies in); by
        default the best CT series in it, or that of the file.

    Returns
    -------
    CtVolume
        int16 HU, right-angled grid; `warnings` say what was odd or changed, `source` what it was
        read from.

    Raises
    ------
    InputError
        ``not_found``, ``empty_file``, ``unreadable``, ``truncated``, ``bad_direction``, those of
        `dicom_series.read_dicom_folder` and of `volume_checks.checked_ct`.
    """
    path = Path(path)
    if not path.exists():
        raise InputError("not_found", f"There is no file or folder {path}.", "Check the path.")
    if path.is_dir() or is_dicom_file(path):
        ct = checked_ct(_read_dicom(path, series_uid))
        return replace(ct, source=replace(ct.source, name=name_of(path)))
    if series_uid is not None:
        raise InputError(
            "unknown_series",
            f"{path.name} is no DICOM file, so it holds no series to choose from.",
            "Leave out --series-uid, or give a folder with DICOM files.",
        )
    volume, _ = _read_file(path)
    return checked_ct(straightened(volume))


def _read_dicom(path: Path, series_uid: str | None) -> CtVolume:
    if path.is_dir():
        return read_dicom_folder(path, series_uid)
    if series_uid is not None:
        return read_dicom_folder(path.parent, series_uid)
    return read_dicom_file(path)


def read_label_map(path: Path | str) -> LabelVolume:
    """Read a label map.

    Parameters
    ----------
    path : Path or str
        NIfTI, NRRD (also ``.seg.nrrd`` with one layer) or MHA file.

    Returns
    -------
    LabelVolume
        uint8 where all labels are below 256, else uint16; `names` from ``.seg.nrrd``; `source`
        with the file's sha256.

    Raises
    ------
    InputError
        ``not_found``, ``not_a_file``, ``empty_file``, ``unreadable``, ``truncated``,
        ``not_label_map``, ``empty_label_map`` and the codes of `volume_checks.check_grid`.
    """
    try:
        return _read_labels(Path(path))
    except InputError as error:
        hint = _LABEL_MAP_HINTS.get(error.code, error.hint)
        raise InputError(error.code, error.message, hint) from error


def _read_labels(path: Path) -> LabelVolume:
    if path.is_dir():
        raise InputError(
            "not_a_file",
            f"{path} is a folder, not a label map.",
            "Choose a NIfTI, NRRD or MHA file in it.",
        )
    if not path.is_file():
        raise InputError(
            "not_found", f"There is no label map {path}.", "Give a NIfTI, NRRD or MHA file."
        )
    volume, names = _read_file(path)
    check_finite(volume.hu)
    values = np.unique(volume.hu)
    whole = np.array_equal(values, np.rint(values))
    if not whole or values[0] < 0 or values[-1] > _MAX_LABEL or len(values) > _MAX_DISTINCT_LABELS:
        raise InputError(
            "not_label_map",
            f"{path.name} is not a label map: it has {len(values)} values from {values[0]:g} to "
            f"{values[-1]:g}.",
            "Labels are whole numbers from 0, one per vertebra.",
        )
    if len(values) == 1:
        raise InputError(
            "empty_label_map", f"{path.name} holds no label.", "Check that it was exported whole."
        )
    labels = volume.hu.astype(np.uint8 if values[-1] < 256 else np.uint16)
    placed = (volume.spacing_xyz_mm, volume.origin_lps_mm, volume.direction)
    with path.open("rb") as file:
        source = replace(volume.source, sha256=hashlib.file_digest(file, "sha256").hexdigest())
    return straightened(LabelVolume(labels, *placed, names, source))


def _read_file(path: Path) -> tuple[CtVolume, dict[int, str]]:
    """Voxels as stored, with the segment names that the file carries."""
    if path.stat().st_size == 0:
        raise InputError("empty_file", f"{path.name} is an empty file.", "Copy the file again.")
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        if is_nifti(path):
            raise _broken_axes(path, check_nifti(path).affine_lps) from error
        raise _unreadable(path) from error
    check_grid(
        reader.GetSize(),
        reader.GetSpacing(),
        reader.GetDirection(),
        reader.GetNumberOfComponents(),
    )
    header = check_nifti(path) if is_nifti(path) else None
    try:
        volume = from_sitk(reader.Execute())
    except RuntimeError as error:
        raise _unreadable(path) from error
    if np.iscomplexobj(volume.hu):
        raise InputError("not_scalar", "The image has complex values, not one number per voxel.")
    if header is not None and header.affine_lps is not None:
        volume = _with_slanted_axes(volume, header.affine_lps, path)
    return replace(volume, source=_source(reader, path)), _segment_names(reader)


def _source(reader: sitk.ImageFileReader, path: Path) -> VolumeSource:
    if reader.HasMetaDataKey(NAME_FIELD):
        return VolumeSource(reader.GetMetaData(NAME_FIELD) or None)
    return VolumeSource(name_of(path))


def _with_slanted_axes(volume: CtVolume, affine_lps: np.ndarray, path: Path) -> CtVolume:
    spacing = np.linalg.norm(affine_lps[:, :3], axis=0)
    if not np.isfinite(affine_lps).all() or spacing.min() <= 0:
        return volume
    if np.abs(spacing / volume.spacing_xyz_mm - 1).max() > _SPACING_TOLERANCE:
        raise _broken_axes(path, None)
    direction = tuple((affine_lps[:, :3] / spacing).ravel().tolist())
    if tilt_degrees(direction) < _LEAST_TILT_DEGREES:
        return volume
    return replace(volume, origin_lps_mm=tuple(affine_lps[:, 3].tolist()), direction=direction)


def _broken_axes(path: Path, affine_lps: np.ndarray | None) -> InputError:
    if affine_lps is not None and np.linalg.norm(affine_lps[:, :3], axis=0).min() > 0:
        tilt = tilt_degrees(tuple(affine_lps[:, :3].ravel().tolist()))
        if tilt >= _LEAST_TILT_DEGREES:
            return InputError(
                "bad_direction",
                f"The axes of {path.name} are slanted by {tilt:.1f} degrees (gantry tilt).",
                "Give the DICOM series instead: it is straightened while it is read.",
            )
    return InputError(
        "bad_direction",
        f"The header of {path.name} contradicts itself about voxel size and orientation.",
        "Convert the original DICOM series again.",
    )


def _segment_names(reader: sitk.ImageFileReader) -> dict[int, str]:
    """Names that 3D Slicer writes into the header of a ``.seg.nrrd``."""
    names = {}
    for key in reader.GetMetaDataKeys():
        if key.startswith("Segment") and key.endswith("_LabelValue"):
            name = key.removesuffix("LabelValue") + "Name"
            value = reader.GetMetaData(key).strip()
            if not value.isdecimal():
                raise InputError(
                    "unreadable",
                    f"The header of the segmentation is damaged: {key} is '{value}', no number.",
                    "Export the segmentation again.",
                )
            if reader.HasMetaDataKey(name):
                names[int(value)] = reader.GetMetaData(name)
    return names


def _unreadable(path: Path) -> InputError:
    return InputError(
        "unreadable", f"{path.name} cannot be read: it is damaged or no image format.", _FORMATS
    )
