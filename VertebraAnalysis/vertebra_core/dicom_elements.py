"""The data elements of a DICOM file up to its pixels, with those nested in sequences.

The reading library tells neither what stands in sequences, where enhanced CT keeps the place of
each frame, nor anything of a file that breaks off. Encoding: DICOM PS3.5, chapters 7 and A.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

PREAMBLE_BYTES = 128
MARK = b"DICM"

_META_GROUP = 0x0002
_TRANSFER_SYNTAX = 0x00020010
_IMPLICIT = "1.2.840.10008.1.2"
_DEFLATED = "1.2.840.10008.1.2.1.99"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_FIRST_PIXELS = 0x7FE00001
_UNDEFINED = 0xFFFFFFFF
_LONG_VRS = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT"}
_LONG_VRS |= {b"UV"}
# No value that tells about the scan is longer; look-up tables and icons are.
_MAX_VALUE_BYTES = 1 << 20
_MAX_DEPTH = 16

Elements = dict[int, "bytes | list[Elements]"]
"""Values by tag (group * 65536 + element): bytes, or the items of a sequence."""


class _BreaksOff(Exception):  # noqa: N818 - the end of what can be read, not an error
    """The file ends, or makes no sense any more."""


@dataclass(frozen=True)
class _Encoding:
    explicit: bool = True
    order: str = "<"


_PLAIN = _Encoding()


def read_elements(path: Path) -> Elements:
    """Read the elements of a file before its pixels, as far as it can be understood.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict
        Empty if the file is no DICOM; without what lies behind a place where it breaks off.

    Raises
    ------
    OSError
    """
    elements: Elements = {}
    with path.open("rb") as stream, contextlib.suppress(_BreaksOff, zlib.error):
        _read_file(stream, elements)
    return elements


def text_of(elements: Elements, tag: int) -> str:
    """Text of an element in plain characters; empty where it is missing."""
    value = elements.get(tag, b"")
    return value.decode("latin-1").strip(" \0") if isinstance(value, bytes) else ""


def items_of(elements: Elements, tag: int) -> list[Elements]:
    """Items of a sequence; none where it is missing."""
    value = elements.get(tag, [])
    return value if isinstance(value, list) else []


def starts_like_dicom(head: bytes) -> bool:
    """Tell by a file's first bytes (132 at least) whether it is DICOM, also without a preamble."""
    if head[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] == MARK:
        return True
    # A data set begins with its first group, which has few elements with low numbers.
    group, element = struct.unpack("<HH", head[:4]) if len(head) > 8 else (0, 0)
    if group not in (_META_GROUP, 0x0008) or element > 0x0100:
        return False
    return _is_vr(head[4:6]) or 0 < struct.unpack("<I", head[4:8])[0] <= len(head)


def _read_file(stream: BinaryIO, elements: Elements) -> None:
    if len(stream.read(PREAMBLE_BYTES)) < PREAMBLE_BYTES or stream.read(4) != MARK:
        stream.seek(0)
    while _next_group(stream) == _META_GROUP:
        _read_element(stream, _PLAIN, elements, 0)
    syntax = text_of(elements, _TRANSFER_SYNTAX)
    if syntax == _DEFLATED:
        # Damaged or cut streams give what was inflated until then.
        inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream.read())
        stream = io.BytesIO(inflated)
    encoding = _encoding(stream, syntax)
    while _read_element(stream, encoding, elements, 0):
        pass


def _next_group(stream: BinaryIO) -> int:
    start = stream.tell()
    (group,) = struct.unpack("<H", _read(stream, 2))
    stream.seek(start)
    return group


def _encoding(stream: BinaryIO, syntax: str) -> _Encoding:
    if syntax == _BIG_ENDIAN:
        return _Encoding(order=">")
    if syntax == _IMPLICIT:
        return _Encoding(explicit=False)
    if syntax:
        return _PLAIN
    start = stream.tell()
    head = _read(stream, 6)
    stream.seek(start)
    return _Encoding(explicit=_is_vr(head[4:6]))


def _is_vr(letters: bytes) -> bool:
    return len(letters) == 2 and letters.isalpha() and letters.isupper()


def _read_element(
    stream: BinaryIO, encoding: _Encoding, elements: Elements, depth: int, end: int | None = None
) -> bool:
    """Read one element into `elements`; False at the end of what is to be read."""
    if end is not None and stream.tell() >= end:
        return False
    tag = _read_tag(stream, encoding)
    if tag == _ITEM_END:
        _read(stream, 4)
        return False
    if tag >= _FIRST_PIXELS and depth == 0:
        return False
    vr, length = _read_vr_and_length(stream, encoding)
    # PS3.5, 6.2.2: sequences in what has no known type are of the simplest encoding.
    nested = _Encoding(explicit=False) if vr == b"UN" else encoding
    if vr == b"SQ" or length == _UNDEFINED or (vr in (b"", b"UN") and _item_follows(stream)):
        items: list[Elements] = []
        elements[tag] = items
        _read_items(stream, nested, items, depth + 1, length)
    elif length > _MAX_VALUE_BYTES:
        stream.seek(length, io.SEEK_CUR)
    else:
        elements[tag] = _read(stream, length)
    return True


def _item_follows(stream: BinaryIO) -> bool:
    start = stream.tell()
    head = stream.read(4)
    stream.seek(start)
    return head == struct.pack("<HH", _ITEM >> 16, _ITEM & 0xFFFF)


def _read_items(
    stream: BinaryIO, encoding: _Encoding, items: list[Elements], depth: int, length: int
) -> None:
    if depth > _MAX_DEPTH:
        raise _BreaksOff
    end = None if length == _UNDEFINED else stream.tell() + length
    while end is None or stream.tell() < end:
        tag = _read_tag(stream, encoding)
        (size,) = struct.unpack(encoding.order + "I", _read(stream, 4))
        if tag == _SEQUENCE_END:
            return
        if tag != _ITEM:
            raise _BreaksOff
        item: Elements = {}
        items.append(item)
        item_end = None if size == _UNDEFINED else stream.tell() + size
        while _read_element(stream, encoding, item, depth, item_end):
            pass


def _read_tag(stream: BinaryIO, encoding: _Encoding) -> int:
    group, element = struct.unpack(encoding.order + "HH", _read(stream, 4))
    return group << 16 | element


def _read_vr_and_length(stream: BinaryIO, encoding: _Encoding) -> tuple[bytes, int]:
    if not encoding.explicit:
        return b"", struct.unpack(encoding.order + "I", _read(stream, 4))[0]
    vr = _read(stream, 2)
    if not _is_vr(vr):
        raise _BreaksOff
    if vr in _LONG_VRS:
        _read(stream, 2)
        return vr, struct.unpack(encoding.order + "I", _read(stream, 4))[0]
    return vr, struct.unpack(encoding.order + "H", _read(stream, 2))[0]


def _read(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise _BreaksOff
    return data
