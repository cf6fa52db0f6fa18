"""What the MetaImage reader does not tell: damaged compressed voxels, an unknown voxel size.

The library that reads MHA and MHD prints that decompressing failed, and goes on with what it has.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

from vertebra_core.image_files import (
    CUT_SHORT,
    check_beside,
    incomplete,
    names_one_file,
    no_voxel_size,
)

_CHUNK_BYTES = 1 << 20
_MAX_HEADER_BYTES = 1 << 16
_ZLIB_OR_GZIP_WINDOW = 47  # zlib's number for telling both by their first bytes
_ELEMENT_BYTES = {
    **dict.fromkeys(("MET_CHAR", "MET_UCHAR"), 1),
    **dict.fromkeys(("MET_SHORT", "MET_USHORT"), 2),
    **dict.fromkeys(("MET_INT", "MET_UINT", "MET_LONG", "MET_ULONG", "MET_FLOAT"), 4),
    **dict.fromkeys(("MET_LONG_LONG", "MET_ULONG_LONG", "MET_DOUBLE"), 8),
}
_ORIENTATION = {"TransformMatrix", "Orientation", "Rotation"}


@dataclass(frozen=True)
class _Header:
    """Fields of a MetaImage, and where the voxels begin if they lie in the same file."""

    fields: dict[str, str]
    end: int


def check_metaimage(path: Path) -> bool:
    """Check that the header tells the voxel size, and that compressed voxels are whole.

    Returns
    -------
    bool
        Whether the header states an orientation.

    Raises
    ------
    InputError
        ``bad_spacing``, ``truncated``, ``not_readable`` or ``empty_file``.
    """
    header = _header(path)
    fields = header.fields
    if not fields.get("ElementSpacing") and not fields.get("ElementSize"):
        raise no_voxel_size(path)
    name = fields.get("ElementDataFile", "")
    inside = name.upper() == "LOCAL"
    if inside or names_one_file(name):
        voxels, start = (path, header.end) if inside else (check_beside(path, name), 0)
        if fields.get("CompressedData", "").lower().startswith("t"):
            _check_whole(path, voxels, start, fields)
    return not _ORIENTATION.isdisjoint(fields)


def _header(path: Path) -> _Header:
    fields: dict[str, str] = {}
    with path.open("rb") as stream:
        while stream.tell() < _MAX_HEADER_BYTES and (line := stream.readline(_MAX_HEADER_BYTES)):
            key, _, value = line.decode("utf-8", "surrogateescape").partition("=")
            fields[key.strip()] = value.strip()
            if key.strip() == "ElementDataFile":
                break
        return _Header(fields, stream.tell())


def _check_whole(path: Path, voxels: Path, start: int, fields: dict[str, str]) -> None:
    wanted = _voxel_bytes(fields)
    stated = fields.get("CompressedDataSize", "")
    with voxels.open("rb") as stream:
        stream.seek(start)
        found = _inflated_bytes(stream, int(stated) if stated.isdigit() else 0)
    if found is None or (wanted is not None and found != wanted):
        raise incomplete(path, CUT_SHORT)


def _voxel_bytes(fields: dict[str, str]) -> int | None:
    """Length of all voxels, None if the header does not tell it plainly."""
    size = fields.get("DimSize", "").split()
    channels = fields.get("ElementNumberOfChannels", "1")
    each = _ELEMENT_BYTES.get(fields.get("ElementType", ""))
    if each is None or not all(n.isdigit() for n in (*size, channels)):
        return None
    return prod(int(n) for n in (*size, channels)) * each


def _inflated_bytes(stream: BinaryIO, stated: int) -> int | None:
    """Length of what is compressed, None if it is damaged or cut short.

    Parameters
    ----------
    stream : binary file
    stated : int
        Length of the compressed data after the header; the reader takes no more. 0: all there is.
    """
    inflate = zlib.decompressobj(_ZLIB_OR_GZIP_WINDOW)
    length, left = 0, stated or None
    while not inflate.eof:
        chunk = stream.read(_CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES))
        if not chunk:
            return None
        if left is not None:
            left -= len(chunk)
        try:
            length += len(inflate.decompress(chunk))
        except zlib.error:
            return None
    return length
