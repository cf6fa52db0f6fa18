"""What the NIfTI reader does not tell: missing voxels, values that are no numbers.

The library that reads NIfTI fills the missing part of a truncated file with zeros, replaces NaN
and infinite values by zero, all without an error. See `nifti_axes` for what it does to axes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vertebra_core.errors import InputError
from vertebra_core.image_files import CUT_SHORT, check_beside, incomplete
from vertebra_core.nifti_fields import HEADER_BYTES, NiftiHeader, parse_header
from vertebra_core.volume_checks import refuse_not_finite

_CHUNK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's number for gzip members, their checksums included


def is_nifti(path: Path) -> bool:
    """Tell by the name whether `path` is a NIfTI, of one file or of two."""
    return path.name.lower().removesuffix(".gz").endswith((".nii", ".hdr", ".img"))


def check_nifti(path: Path) -> NiftiHeader:
    """Read the header and check that all voxels are there, undamaged if compressed, and finite.

    Parameters
    ----------
    path : Path
        Of two files, either.

    Raises
    ------
    InputError
        ``unreadable``, ``truncated``, ``not_finite``, ``bad_spacing``, ``bad_name``,
        ``other_format``, ``not_readable`` or ``empty_file``.
    """
    header_path, voxel_path = _files(path)
    try:
        with header_path.open("rb") as stream:
            header = parse_header(header_path, _head(_chunks(stream, header_path)))
        with voxel_path.open("rb") as stream:
            chunks = _chunks(stream, voxel_path)
            if _is_compressed(stream) or header.float_type is not None:
                length, n_bad = _read_to_end(chunks, header)
            else:
                length, n_bad = stream.seek(0, 2), 0
    except (EOFError, zlib.error) as error:
        raise incomplete(path, CUT_SHORT) from error
    if length < header.n_bytes:
        raise incomplete(path, f"{header.n_bytes - length} of {header.n_bytes} bytes are missing")
    refuse_not_finite(n_bad)
    return header


def _files(path: Path) -> tuple[Path, Path]:
    """Where header and voxels lie; once in one file, else in two beside each other."""
    packed = path.suffix if path.suffix.lower() == ".gz" else ""
    inner = path.with_suffix("") if packed else path
    if inner.suffix.lower() not in (".hdr", ".img"):
        return path, path
    both = (".hdr", ".img")
    return tuple(check_beside(path, inner.with_suffix(kind).name + packed) for kind in both)


def _is_compressed(stream: BinaryIO) -> bool:
    at = stream.tell()
    stream.seek(0)
    magic = stream.read(2)
    stream.seek(at)
    return magic == _GZIP_MAGIC


def _chunks(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    if not _is_compressed(stream):
        return _stored(stream)
    if path.suffix.lower() != ".gz":
        raise InputError(
            "bad_name",
            f"{path.name} is compressed (gzip), which its name does not say.",
            f"Rename it to {path.name}.gz.",
        )
    return _decompressed(stream)


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
    while len(head) < HEADER_BYTES and (chunk := next(chunks, b"")):
        head += chunk
    return head


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
