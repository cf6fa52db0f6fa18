"""Read CT and label maps from NIfTI, NRRD, MHA and DICOM."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from vertebra_core.dicom_files import is_dicom_file
from vertebra_core.dicom_series import read_dicom_file, read_dicom_folder
from vertebra_core.errors import InputError
from vertebra_core.image_files import (
    GIVE_IMAGE,
    METAIMAGE,
    NIFTI,
    NO_ORIENTATION,
    NRRD,
    check_openable,
    exists,
    image_format,
    text_path,
)
from vertebra_core.metaimage_check import check_metaimage
from vertebra_core.nifti_axes import broken_axes, with_stated_axes
from vertebra_core.nifti_fields import NiftiHeader
from vertebra_core.nifti_header import check_nifti, is_nifti
from vertebra_core.nrrd_check import check_nrrd
from vertebra_core.regular_grid import straightened
from vertebra_core.volume import CtVolume, LabelVolume, from_sitk
from vertebra_core.volume_checks import check_finite, check_grid, checked_ct
from vertebra_core.volume_source import NAME_FIELD, VolumeSource, name_of

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
        ``not_found``, ``not_readable``, ``empty_file``, ``bad_name``, ``other_format``,
        ``unreadable``, ``truncated``, ``bad_direction``, ``bad_spacing``, those of
        `dicom_series.read_dicom_folder` and of `volume_checks.checked_ct`.
    """
    path = Path(path)
    if not exists(path):
        raise InputError("not_found", f"There is no file or folder {path}.", "Check the path.")
    if path.is_dir() or is_dicom_file(path):
        ct = _read_dicom(path, series_uid)
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
        ``not_found``, ``not_readable``, ``not_a_file``, ``empty_file``, ``bad_name``,
        ``other_format``, ``unreadable``, ``truncated``,
        ``not_label_map``, ``empty_label_map`` and the codes of `volume_checks.check_grid`.
    """
    try:
        return _read_labels(Path(path))
    except InputError as error:
        hint = _LABEL_MAP_HINTS.get(error.code, error.hint)
        raise InputError(error.code, error.message, hint) from error


def _read_labels(path: Path) -> LabelVolume:
    if not exists(path):
        raise InputError(
            "not_found", f"There is no label map {path}.", "Give a NIfTI, NRRD or MHA file."
        )
    if path.is_dir():
        raise InputError(
            "not_a_file",
            f"{path} is a folder, not a label map.",
            "Choose a NIfTI, NRRD or MHA file in it.",
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
    check_openable(path)
    reader = sitk.ImageFileReader()
    with text_path(path) as place:
        kind = image_format(place)
        reader.SetFileName(str(place))
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            raise _reason(path, kind) from error
        _take_one_time_point(reader)
        warnings, nifti = _checked_header(path, kind)
        try:
            volume = from_sitk(reader.Execute())
        except RuntimeError as error:
            raise _unreadable(path) from error
    if np.iscomplexobj(volume.hu):
        raise InputError("not_scalar", "The image has complex values, not one number per voxel.")
    volume = replace(volume, warnings=warnings)
    if nifti is not None:
        volume = with_stated_axes(volume, nifti, path)
    return replace(volume, source=_source(reader, path)), _segment_names(reader)


def _take_one_time_point(reader: sitk.ImageFileReader) -> None:
    """Check what the header says; of a fourth dimension of length 1, take the volume."""
    size = reader.GetSize()
    direction = np.reshape(reader.GetDirection(), (len(size), len(size)))
    if len(size) > 3 and set(size[3:]) == {1}:
        reader.SetExtractSize([*size[:3], *(0 for _ in size[3:])])
        size, direction = size[:3], direction[:3, :3]
    check_grid(
        size,
        reader.GetSpacing()[: len(size)],
        tuple(direction.ravel().tolist()),
        reader.GetNumberOfComponents(),
    )


def _checked_header(path: Path, kind: str) -> tuple[tuple[str, ...], NiftiHeader | None]:
    """Check what the reader does not; return what is odd, and the header of a NIfTI."""
    if kind == NIFTI:
        return (), check_nifti(path)
    oriented = {NRRD: check_nrrd, METAIMAGE: check_metaimage}[kind](path)
    return () if oriented else (NO_ORIENTATION,), None


def _source(reader: sitk.ImageFileReader, path: Path) -> VolumeSource:
    if reader.HasMetaDataKey(NAME_FIELD):
        return VolumeSource(reader.GetMetaData(NAME_FIELD) or None)
    return VolumeSource(name_of(path))


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


def _reason(path: Path, kind: str) -> InputError:
    """Why the header of a file is not taken by the reader."""
    if kind or is_nifti(path):
        _, nifti = _checked_header(path, kind or NIFTI)
        if nifti is not None:
            return broken_axes(path, nifti)
    return _unreadable(path)


def _unreadable(path: Path) -> InputError:
    return InputError(
        "unreadable", f"{path.name} cannot be read: it is damaged or no image format.", GIVE_IMAGE
    )
