"""What one DICOM file says about the slice in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

_DICOM_SUFFIXES = {".dcm", ".ima", ".dicom"}
_MAGIC_OFFSET = 128
_CT_IMAGE_STORAGE = b"1.2.840.10008.5.1.4.1.1.2"
# Holds the class of the file and the UIDs; pixels lie behind.
_HEAD_BYTES = 65536


@dataclass(frozen=True)
class SliceHeader:
    """Header of a DICOM image file.

    Attributes
    ----------
    path : Path
    series_uid, description, modality, kernel : str
    group : tuple
        Equal for the files that form one stack.
    acquisition, instance : int
        Acquisition and instance number, 0 where missing.
    size_xyz : tuple of int
    spacing_xyz_mm, origin_lps_mm : tuple of float
    direction : tuple of float
        Row-major 3x3; the third column is the slice's normal.
    components : int
        Values per pixel.
    """

    path: Path
    series_uid: str
    description: str
    modality: str
    kernel: str
    group: tuple
    acquisition: int
    instance: int
    size_xyz: tuple[int, int, int]
    spacing_xyz_mm: tuple[float, float, float]
    origin_lps_mm: tuple[float, float, float]
    direction: tuple[float, ...]
    components: int

    @property
    def normal(self) -> np.ndarray:
        """Normal of the slice, LPS."""
        return np.asarray(self.direction).reshape(3, 3)[:, 2]

    @property
    def position_mm(self) -> float:
        """Position along the normal, mm."""
        return float(self.normal @ np.asarray(self.origin_lps_mm))


def is_dicom_file(path: Path) -> bool:
    """Tell by the file's mark, or failing that its name, whether it is DICOM."""
    try:
        with path.open("rb") as stream:
            stream.seek(_MAGIC_OFFSET)
            if stream.read(4) == b"DICM":
                return True
    except OSError:
        return False
    return path.suffix.lower() in _DICOM_SUFFIXES


def is_damaged_slice(path: Path, series_uid: str) -> bool:
    """Tell whether a file that cannot be read was a CT slice of the series.

    Reports, presentation states and directories cannot be read as images either, and may name the
    series: they say first that they are something else.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return False
    return bool(series_uid) and _CT_IMAGE_STORAGE in head[:1024] and series_uid.encode() in head


def read_slice_header(path: Path) -> SliceHeader | None:
    """Read the header of a DICOM image; None if there is no image in the file."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    size = tuple(reader.GetSize())
    if len(size) != 3:
        return None

    def text(tag: str) -> str:
        return reader.GetMetaData(tag).strip(" \0") if reader.HasMetaDataKey(tag) else ""

    direction = tuple(reader.GetDirection())
    uid = text("0020|000e")
    # Anonymised files may lack the UID; the series number then has to tell series apart.
    group = (
        uid or text("0020|0011"),
        size[:2],
        tuple(np.round(direction, 3)),
        reader.GetNumberOfComponents(),
        str(path) if size[2] > 1 else "",
    )
    return SliceHeader(
        path=path,
        series_uid=uid,
        description=text("0008|103e"),
        modality=text("0008|0060"),
        kernel=text("0018|1210"),
        group=group,
        acquisition=_whole(text("0020|0012")),
        instance=_whole(text("0020|0013")),
        size_xyz=size,
        spacing_xyz_mm=tuple(reader.GetSpacing()),
        origin_lps_mm=tuple(reader.GetOrigin()),
        direction=direction,
        components=reader.GetNumberOfComponents(),
    )


def _whole(text: str) -> int:
    return int(text) if text.lstrip("-").isdigit() else 0
