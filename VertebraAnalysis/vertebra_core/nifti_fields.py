"""The fields of a NIfTI header, of version 1 and 2."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from vertebra_core.errors import InputError
from vertebra_core.image_files import CONVERT_AGAIN, no_voxel_size

HEADER_BYTES = 540
"""Length of the longer of the two headers."""

_ONE_FILE, _TWO_FILES = b"n+", b"ni"
_FLOAT_BYTES = {16: 4, 64: 8}  # data type codes of float32 and float64
# Bits per voxel by data type code; the header's own figure may differ, and is not read by others.
_BITS = {2: 8, 4: 16, 8: 32, 16: 32, 32: 64, 64: 64, 128: 24, 256: 8, 512: 16, 768: 32, 1024: 64}
_BITS |= {1280: 64, 1536: 128, 1792: 128, 2048: 256, 2304: 32}
# The low bits of a field: unknown, metres, millimetres, micrometres.
_UNIT_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_RAS_TO_LPS = np.array([[-1.0], [-1.0], [1.0]])


@dataclass(frozen=True)
class NiftiHeader:
    """The part of a NIfTI header that is needed here.

    Attributes
    ----------
    n_bytes : int
        Length of the whole (uncompressed) file that holds the voxels.
    offset : int
        Where the voxels begin.
    float_type : str or None
        NumPy type of the voxels if they are floating point.
    sform_lps, qform_lps : ndarray, shape (3, 4), or None
        Voxel index x, y, z to LPS mm, as two places of the file state it; None where one does not.
    """

    n_bytes: int
    offset: int
    float_type: str | None
    sform_lps: np.ndarray | None
    qform_lps: np.ndarray | None


def parse_header(path: Path, head: bytes) -> NiftiHeader:
    """Parse a header of either version and byte order.

    Parameters
    ----------
    path : Path
        Named where the header is refused.
    head : bytes
        The first `HEADER_BYTES` of the (uncompressed) file, or all there is.

    Raises
    ------
    InputError
        ``unreadable``, ``bad_spacing`` or ``other_format``.
    """
    for order in "<>":
        if len(head) >= 348 and struct.unpack_from(order + "i", head)[0] == 348:
            return _first_version(path, head, order)
        if len(head) >= HEADER_BYTES and struct.unpack_from(order + "i", head)[0] == 540:
            return _second_version(path, head, order)
    raise _unreadable(path, "is not a NIfTI image, although its name says so")


def _first_version(path: Path, head: bytes, order: str) -> NiftiHeader:
    field = partial(_field, head, order)
    if head[344:346] not in (_ONE_FILE, _TWO_FILES):
        raise InputError(
            "other_format",
            f"{path.name} is no NIfTI but an Analyze file, which does not state its orientation.",
            "Convert the original DICOM series again, to NIfTI, NRRD or MHA.",
        )
    return _header(
        path,
        order,
        dims=field("8h", 40),
        kind=field("h", 70)[0],
        offset=field("f", 108)[0],
        least_offset=348 if head[344:346] == _ONE_FILE else 0,
        pixdim=field("8f", 76),
        codes=field("2h", 252),
        quaternion=field("6f", 256),
        rows=field("12f", 280),
        units=field("B", 123)[0],
    )


def _second_version(path: Path, head: bytes, order: str) -> NiftiHeader:
    field = partial(_field, head, order)
    return _header(
        path,
        order,
        dims=field("8q", 16),
        kind=field("h", 12)[0],
        offset=field("q", 168)[0],
        least_offset=540 if head[4:6] == _ONE_FILE else 0,
        pixdim=field("8d", 104),
        codes=field("2i", 344),
        quaternion=field("6d", 352),
        rows=field("12d", 400),
        units=field("i", 500)[0],
    )


def _field(head: bytes, order: str, kind: str, at: int) -> tuple:
    """Return the numbers of a field; `kind` says what they are, as `struct` does."""
    return struct.unpack_from(order + kind, head, at)


def _header(
    path: Path,
    order: str,
    *,
    dims: tuple[int, ...],
    kind: int,
    offset: float,
    least_offset: int,
    pixdim: tuple[float, ...],
    codes: tuple[int, int],
    quaternion: tuple[float, ...],
    rows: tuple[float, ...],
    units: int,
) -> NiftiHeader:
    if not 1 <= dims[0] <= 7 or not np.isfinite(offset):
        raise _unreadable(path, "is not a NIfTI image, or its header is damaged")
    if kind not in _BITS:
        raise _unreadable(path, f"holds voxels of an unknown kind (NIfTI data type {kind})")
    if not all(np.isfinite(v) and v != 0 for v in pixdim[1 : min(dims[0], 3) + 1]):
        raise no_voxel_size(path)
    count = int(np.prod([max(1, n) for n in dims[1 : dims[0] + 1]], dtype=object))
    unit_mm = _UNIT_MM.get(units & 7, 1.0)
    sform = np.reshape(rows, (3, 4)) if codes[1] > 0 else None
    qform = _of_quaternion(quaternion, pixdim) if codes[0] > 0 else None
    # Readers do not look for voxels within the header either.
    start = max(int(offset), least_offset)
    return NiftiHeader(
        start + count * _BITS[kind] // 8,
        start,
        f"{order}f{_FLOAT_BYTES[kind]}" if kind in _FLOAT_BYTES else None,
        *(None if ras is None else ras * unit_mm * _RAS_TO_LPS for ras in (sform, qform)),
    )


def _of_quaternion(quaternion: tuple[float, ...], pixdim: tuple[float, ...]) -> np.ndarray:
    """Affine, shape (3, 4), of a qform: three parts of a unit quaternion, then the offset."""
    b, c, d = quaternion[:3]
    a = np.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    axes = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    scale = np.array([1, 1, -1 if pixdim[0] < 0 else 1]) * pixdim[1:4]
    return np.column_stack([axes * scale, quaternion[3:]])


def _unreadable(path: Path, what: str) -> InputError:
    return InputError("unreadable", f"{path.name} {what}.", CONVERT_AGAIN)
