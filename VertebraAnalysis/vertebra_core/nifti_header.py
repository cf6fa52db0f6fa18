"""What the NIfTI reader does not tell: whether a file is whole, and whether its axes are slanted.

The library that reads NIfTI fills the missing part of a truncated file with zeros and forces
slanted axes to right angles, both without an error.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vertebra_core.errors import InputError

_CHUNK_BYTES = 1 << 22


@dataclass(frozen=True)
class NiftiHeader:
    """The part of a NIfTI header that is needed here.

    Attributes
    ----------
    n_bytes : int
        Length of the whole (uncompressed) file.
    affine_lps : ndarray, shape (3, 4), or None
        Voxel index x, y, z to LPS mm from the file's sform, None where it has none.
    """

    n_bytes: int
    affine_lps: np.ndarray | None


def is_nifti(path: Path) -> bool:
    """Tell by the name whether `path` is a single-file NIfTI."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def check_nifti(path: Path) -> NiftiHeader:
    """Read the header and check that all voxels are there and, if compressed, undamaged.

    Raises
    ------
    InputError
        ``unreadable`` or ``truncated``.
    """
    compressed = _is_gzip(path)
    try:
        if compressed:
            with gzip.open(path, "rb") as stream:
                header = _parse(stream)
                length = _rest(stream)
        else:
            with path.open("rb") as stream:
                header = _parse(stream)
            length = path.stat().st_size
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _truncated(path, "its compressed data are damaged or cut short") from error
    if length < header.n_bytes:
        raise _truncated(path, f"{header.n_bytes - length} of {header.n_bytes} bytes are missing")
    return header


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _parse(stream: BinaryIO) -> NiftiHeader:
    head = stream.read(540)
    for order in "<>":
        if len(head) < 348:
            break
        size = struct.unpack_from(order + "i", head)[0]
        if size == 348:
            dims = struct.unpack_from(order + "8h", head, 40)
            bits = struct.unpack_from(order + "h", head, 72)[0]
            offset = int(struct.unpack_from(order + "f", head, 108)[0])
            code, rows = struct.unpack_from(order + "h", head, 254)[0], (order + "12f", 280)
        elif size == 540 and len(head) == 540:
            dims = struct.unpack_from(order + "8q", head, 16)
            bits = struct.unpack_from(order + "h", head, 14)[0]
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
        return NiftiHeader(offset + count * bits // 8, affine)
    raise InputError(
        "unreadable",
        "The file is not a NIfTI image, although its name says so.",
        "Convert the original DICOM series again.",
    )


def _rest(stream: BinaryIO) -> int:
    while stream.read(_CHUNK_BYTES):
        pass
    return stream.tell()


def _truncated(path: Path, what: str) -> InputError:
    return InputError(
        "truncated", f"{path.name} is incomplete: {what}.", "Copy or convert the file again."
    )
