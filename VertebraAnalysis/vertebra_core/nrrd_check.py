"""What the NRRD reader does not tell: an unknown voxel size, lengths in other units than mm."""

from __future__ import annotations

from pathlib import Path

from vertebra_core.errors import InputError
from vertebra_core.image_files import (
    CONVERT_AGAIN,
    check_beside,
    names_one_file,
    no_voxel_size,
)

_MAX_HEADER_BYTES = 1 << 20
# Spaces that the reader knows, also with time; it takes any other for the first.
_ANATOMICAL_SPACES = {
    *("left-posterior-superior", "lps", "left-posterior-superior-time", "lpst"),
    *("right-anterior-superior", "ras", "right-anterior-superior-time", "rast"),
    *("left-anterior-superior", "las", "left-anterior-superior-time", "last"),
}
_MILLIMETRES = {"", "mm", "millimeter", "millimeters", "millimetre", "millimetres"}
# Units of further axes, along which time passes.
_NO_LENGTHS = {"s", "ms", "sec", "seconds"}


def check_nrrd(path: Path) -> bool:
    """Check that the header tells the voxel size, in mm, and that a file with voxels is there.

    Returns
    -------
    bool
        Whether the header states an orientation.

    Raises
    ------
    InputError
        ``bad_spacing``, ``truncated``, ``not_readable`` or ``empty_file``.
    """
    fields = _fields(path)
    if "spacings" not in fields and "space directions" not in fields:
        raise no_voxel_size(path)
    units = {u.lower() for key in ("units", "space units") for u in _words(fields.get(key, ""))}
    wrong = sorted(units - _MILLIMETRES - _NO_LENGTHS)
    if wrong:
        raise InputError(
            "bad_spacing", f"{path.name} gives lengths in {wrong[0]}, not in mm.", CONVERT_AGAIN
        )
    data = fields.get("data file") or fields.get("datafile", "")
    if names_one_file(data):
        check_beside(path, data)
    return "space directions" in fields and fields.get("space", "").lower() in _ANATOMICAL_SPACES


def _fields(path: Path) -> dict[str, str]:
    fields: dict[str, str] = {}
    with path.open("rb") as stream:
        while stream.tell() < _MAX_HEADER_BYTES and (line := stream.readline().strip()):
            key, colon, value = line.decode("utf-8", "surrogateescape").partition(": ")
            if colon and not key.startswith("#"):
                fields[key.strip().lower()] = value.strip()
    return fields


def _words(text: str) -> list[str]:
    """Units, each quoted or a word of its own."""
    return text.split('"')[1::2] if '"' in text else text.split()
