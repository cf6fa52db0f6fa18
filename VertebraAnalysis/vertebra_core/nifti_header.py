"""What the NIfTI reader does not tell: missing voxels, values that are no numbers, slanted axes.

The library that reads NIfTI fills the missing part of a truncated file with zeros, replaces NaN
and infinite values by zero, and forces slanted axes to right angles, all without an error.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vertebra_core.errors import InputError
from vertebra_core.volume_checks import refuse_not_finite

_CHUNK_BYTES = 1 << 20
_HEAD_BYTES = 540
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's number for gzip members, their checksums included
_FLOAT_BYTES = {16: 4, 64: 8}  # data type codes of float32 and float64


@dataclass(frozen=True)
class NiftiHeader:
    """The part of a NIfTI header that is needed here.

    Attributes
    ----------
    n_bytes : int
        Length of the whole (uncompressed) file.
    offset : int
        Where the voxels begin.
    float_type : str or None
        NumPy type of the voxels if they are floating point.
    affine_lps : ndarray, shape (3, 4), or None
        Voxel index x, y, z to LPS mm from the file's sform, None where it has none.
    """

    n_bytes: int
    offset: int
    float_type: str | None
    affine_lps: np.ndarray | None


def is_nifti(path: Path) -> bool:
    """Tell by the name whether `path` is a single-file NIfTI."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def check_nifti(path: Path) -> NiftiHeader:
    """Read the header and check that all voxels are there, undamaged if compressed, and finite.

    Raises
    ------
    InputError
        ``unreadable``, ``truncated`` or ``not_finite``.
    """
    with path.open("rb") as stream:
        compressed = stream.read(2) == _GZIP_MAGIC
        stream.seek(0)
        chunks = _decompressed(stream) if compressed else _stored(stream)
        try:
            head = _head(chunks)
            header = _parse(head)
            if compressed or header.float_type is not None:
                length, n_bad = _read_to_end(chain([head], chunks), header)
            else:
                length, n_bad = stream.seek(0, 2), 0
        except (EOFError, zlib.error) as error:
            raise _truncated(path, "its compressed data are damaged or cut short") from error
    if length < header.n_bytes:
        raise _truncated(path, f"{header.n_bytes - length} of {header.n_bytes} bytes are missing")
    refuse_not_finite(n_bad)
    return header


def _stored(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def _decompressed(stream: BinaryIO) -> Iterator[bytes]:
    """Contents of a gzip file in large chunks.

    Python's own reader takes 8 kB at a time and waits for the interpreter after each, while other
    threads import modules.

    Raises
    ------
    EOFError, zlib.error
        If the file is cut short or damaged.
    """
    data = stream.read(_CHUNK_BYTES)
    while data:
        member = zlib.decompressobj(_GZIP_WINDOW)
        while not member.eof:
            if not data:
                raise EOFError
            yield member.decompress(data)
            data = member.unused_data or stream.read(_CHUNK_BYTES)
        # Some programs pad the file with zeros behind its last member.
        while data and not (data := data.lstrip(b"\0")):
            data = stream.read(_CHUNK_BYTES)


def _head(chunks: Iterator[bytes]) -> bytes:
    """As many of the first chunks as hold a header, or all there is."""
    head = b""
    while len(head) < _HEAD_BYTES and (chunk := next(chunks, b"")):
        head += chunk
    return head


def _parse(head: bytes) -> NiftiHeader:
    for order in "<>":
        if len(head) < 348:
            break
        size = struct.unpack_from(order + "i", head)[0]
        if size == 348:
            dims = struct.unpack_from(order + "8h", head, 40)
            kind, bits = struct.unpack_from(order + "2h", head, 70)
            offset = int(struct.unpack_from(order + "f", head, 108)[0])
            code, rows = struct.unpack_from(order + "h", head, 254)[0], (order + "12f", 280)
        elif size == 540 and len(head) >= _HEAD_BYTES:
            dims = struct.unpack_from(order + "8q", head, 16)
            kind, bits = struct.unpack_from(order + "2h", head, 12)
            offset = struct.unpack_from(order + "q", head, 168)[0]
            code, rows = struct.unpack_from(order + "i", head, 348)[0], (order + "12d", 400)
        else:
            continue
        if not 1 <= dims[0] <= 7:
            break
        count = int(np.prod([max(1, n) for n in dims[1 : dims[0] + 1]], dtype=object))
        affine = None
        if code > 0:
            affine = np.array(struct.unpack_from(rows[0], head, rows[1])).reshape(3, 4)
            affine[:2] *= -1  # NIfTI is RAS
        float_type = f"{order}f{_FLOAT_BYTES[kind]}" if kind in _FLOAT_BYTES else None
        return NiftiHeader(offset + count * bits // 8, offset, float_type, affine)
    raise InputError(
        "unreadable",
        "The file is not a NIfTI image, although its name says so.",
        "Convert the original DICOM series again.",
    )


def _read_to_end(chunks: Iterable[bytes], header: NiftiHeader) -> tuple[int, int]:
    """Length of the file, and how many floating-point voxels are not finite."""
    length, n_bad, rest = 0, 0, b""
    size = np.dtype(header.float_type).itemsize if header.float_type else 0
    for chunk in chunks:
        skipped = min(len(chunk), max(0, header.offset - length))
        length += len(chunk)
        if size:
            voxels = rest + chunk[skipped:]
            whole = len(voxels) // size * size
            n_bad += int(np.sum(~np.isfinite(np.frombuffer(voxels[:whole], header.float_type))))
            rest = voxels[whole:]
    return length, n_bad


def _truncated(path: Path, what: str) -> InputError:
    return InputError(
        "truncated", f"{path.name} is incomplete: {what}.", "Copy or convert the file again."
    )
