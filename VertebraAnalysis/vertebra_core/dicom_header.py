"""What a DICOM file says about the slices in it: one, or one for each frame of an enhanced CT."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

import SimpleITK as sitk  # noqa: N813

from vertebra_core.dicom_files import ENHANCED_CT_CLASSES
from vertebra_core.dicom_frames import NOWHERE, Frame, read_frames
from vertebra_core.dicom_place import SlicePlace, slice_place
from vertebra_core.dicom_text import plain_text
from vertebra_core.image_files import text_path

# Uneven slices are told as warnings of the volume, not by the toolkit on the terminal.
sitk.ProcessObject.SetGlobalWarningDisplay(False)


class Flaw(Enum):
    """What a header lacks that a volume cannot be made without."""

    NO_POSITION = "no_position"
    NO_PIXEL_SIZE = "no_pixel_size"
    FRAMES_WITHOUT_PLACE = "frames_without_place"


@dataclass(frozen=True)
class SliceHeader:
    """Header of one slice: of a DICOM image file, or of one frame in it.

    Attributes
    ----------
    path : Path
    frame : int
        Number of the slice in its file, from 0.
    series_uid, description, modality, kernel : str
    image_type : tuple of str
        Values of Image Type, with those of the frame.
    value_unit : str
        Rescale Type; mostly empty or ``HU``.
    identity : tuple
        Equal for slices that may belong to one volume. Holds what tells patients apart: for
        comparison alone, never to be shown.
    acquisition : tuple
        Phase, stack and number of the acquisition that the slice is part of.
    order : tuple
        Sorts slices of one acquisition as they were made.
    size_xy : tuple of int
    place : SlicePlace
        Meaningless if there is a flaw.
    flaw : Flaw or None
    components : int
        Values per pixel.
    scale, offset : float
        Turn the values that the toolkit reads into those that the frame's rescale means.
    """

    path: Path
    frame: int
    series_uid: str
    description: str
    modality: str
    kernel: str
    image_type: tuple[str, ...]
    value_unit: str
    identity: tuple = field(repr=False)
    acquisition: tuple
    order: tuple
    size_xy: tuple[int, int]
    place: SlicePlace
    flaw: Flaw | None
    components: int
    scale: float = 1.0
    offset: float = 0.0


def read_slice_headers(path: Path) -> tuple[SliceHeader, ...]:
    """Read the headers of the slices in a DICOM file; none if there is no image in it."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    try:
        with text_path(path) as readable:
            reader.SetFileName(str(readable))
            reader.ReadImageInformation()
    except RuntimeError:
        return ()
    size = reader.GetSize()
    if len(size) != 3:
        return ()
    is_enhanced = _text(reader, "0008|0016") in ENHANCED_CT_CLASSES
    if size[2] == 1 and not is_enhanced:
        return (_classic_slice(path, reader),)
    frames = read_frames(path) if is_enhanced else ()
    unplaced = len(frames) != size[2]
    if unplaced:
        frames = (NOWHERE,) * size[2]
    return tuple(
        replace(
            _enhanced_slice(path, reader, k, frame),
            flaw=Flaw.FRAMES_WITHOUT_PLACE if unplaced else _flaw(frame.place),
        )
        for k, frame in enumerate(frames)
    )


def _classic_slice(path: Path, reader: sitk.ImageFileReader) -> SliceHeader:
    place = slice_place(
        _text(reader, "0020|0032"), _text(reader, "0020|0037"), _text(reader, "0028|0030")
    )
    common = _common(path, reader)
    # Stored values and densities must never stand side by side.
    common["identity"] = (*common["identity"], bool(_text(reader, "0028|1052")))
    time = (_text(reader, "0008|002a"), _text(reader, "0008|0032"), _text(reader, "0008|0033"))
    return SliceHeader(
        path=path,
        frame=0,
        acquisition=(_whole(reader, "0020|0100"), "", _whole(reader, "0020|0012")),
        order=(_whole(reader, "0020|0013"), time, str(path)),
        image_type=_values(reader, "0008|0008"),
        value_unit=_text(reader, "0028|1054"),
        place=place,
        flaw=_flaw(place),
        **common,
    )


def _enhanced_slice(
    path: Path, reader: sitk.ImageFileReader, index: int, frame: Frame
) -> SliceHeader:
    return SliceHeader(
        path=path,
        frame=index,
        acquisition=frame.acquisition,
        order=(_whole(reader, "0020|0013"), frame.time, str(path), index),
        image_type=(*_values(reader, "0008|0008"), *frame.frame_type),
        value_unit=frame.value_unit,
        place=frame.place,
        flaw=_flaw(frame.place),
        scale=frame.scale,
        offset=frame.offset,
        **_common(path, reader),
    )


def _flaw(place: SlicePlace) -> Flaw | None:
    if place.origin_lps_mm is None or place.direction is None:
        return Flaw.NO_POSITION
    return Flaw.NO_PIXEL_SIZE if place.spacing_xy_mm is None else None


def _common(path: Path, reader: sitk.ImageFileReader) -> dict[str, object]:
    """What slices of both kinds have from the file as a whole."""
    uid = _text(reader, "0020|000e")
    # Anonymised files may lack the UID; folder, number and name then have to tell series apart.
    series = uid or (
        str(path.parent),
        _text(reader, "0020|0011"),
        _text(reader, "0008|103e"),
    )
    of_the_scan = ("0020|000d", "0020|0052", "0010|0020")
    size = reader.GetSize()
    return {
        "series_uid": uid,
        "description": _text(reader, "0008|103e"),
        "modality": _text(reader, "0008|0060"),
        "kernel": _text(reader, "0018|1210"),
        "identity": (series, *(_text(reader, tag) for tag in of_the_scan)),
        "size_xy": size[:2],
        "components": reader.GetNumberOfComponents(),
    }


def _text(reader: sitk.ImageFileReader, tag: str) -> str:
    """Text of an element; empty where it is missing."""
    if not reader.HasMetaDataKey(tag):
        return ""
    # The toolkit hands on the bytes of the file, whatever their character set.
    value, character_set = (
        reader.GetMetaData(key).encode("utf-8", "surrogateescape").strip(b" \0")
        if reader.HasMetaDataKey(key)
        else b""
        for key in (tag, "0008|0005")
    )
    return plain_text(value, character_set.decode("ascii", "replace"))


def _values(reader: sitk.ImageFileReader, tag: str) -> tuple[str, ...]:
    return tuple(v.strip() for v in _text(reader, tag).split("\\") if v.strip())


def _whole(reader: sitk.ImageFileReader, tag: str) -> int:
    text = _text(reader, tag)
    return int(text) if text.lstrip("-").isdecimal() else 0
