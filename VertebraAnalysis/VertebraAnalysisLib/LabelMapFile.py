"""Reads the label maps that the analysis writes, without ITK: NIfTI-1, uint8, gzipped.

Python opens the file, so any path works on every system, and reading half a gigabyte of mostly
zeros takes a fraction of a second.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .UserError import UserError
from .VoxelGrid import VoxelGrid

_GZIP_FORMAT = 16 + zlib.MAX_WBITS
_MOST_DEFLATE_RATIO = 1032
_HEADER_BYTES = 348
_BEGINNING_BYTES = 4096
_UINT8 = 2
_SFORM_ROWS = 280
# A voxel grid counts as that of the input if no corner is farther off than this, in voxels: the
# file keeps its geometry in single precision.
_SAME_GRID_VOXELS = 0.05
_MARGIN_VOXELS = 1


@dataclass(frozen=True)
class LabelMapFile:
    """A label map cut down to what is not empty.

    Attributes
    ----------
    labels : ndarray of uint8, shape (z, y, x)
        Level numbers; the smallest box that holds all of them, with a margin of one voxel.
    firstIndex : tuple of int
        Index i, j, k of the first voxel of `labels` on the grid of `ijkToRas`.
    ijkToRas : ndarray, shape (4, 4)
        From voxel indices to RAS mm in the world.
    """

    labels: np.ndarray
    firstIndex: tuple[int, int, int]
    ijkToRas: np.ndarray

    @property
    def numbers(self) -> frozenset[int]:
        """Level numbers that occur."""
        counts = np.zeros(256, np.int64)
        for plane in self.labels:
            counts += np.bincount(plane.ravel(), minlength=256)
        return frozenset(np.flatnonzero(counts[1:]) + 1)

    @staticmethod
    def read(path: Path, inputIjkToRas: np.ndarray) -> LabelMapFile:
        """Read the label map at `path`.

        Parameters
        ----------
        path : Path
            ``NAME.nii.gz`` as the analysis writes it.
        inputIjkToRas : ndarray, shape (4, 4)
            Grid of the CT in the world. Where the file lies on it, shifted by whole voxels at
            most, that grid is used, which is exact.

        Raises
        ------
        UserError
            If the file is missing, incomplete or something else.
        """
        try:
            content = _unpacked(path.read_bytes())
            size, fileIjkToRas, offset = _header(content)
            labels = np.frombuffer(content, np.uint8, int(np.prod(size)), offset)
        except (OSError, ValueError, struct.error, zlib.error) as error:
            raise _unreadable(path) from error
        labels = labels.reshape(size[::-1])
        box, first = _used(labels)
        onInput = _onGrid(fileIjkToRas, inputIjkToRas, size)
        if onInput is not None:
            shifted = tuple(int(f + s) for f, s in zip(first, onInput, strict=True))
            return LabelMapFile(labels[box], shifted, np.asarray(inputIjkToRas, float))
        return LabelMapFile(labels[box], first, fileIjkToRas)

    @staticmethod
    def grid(path: Path) -> VoxelGrid:
        """Return the voxels of the label map at `path`; only its beginning is read.

        Raises
        ------
        UserError
            If the file is missing or something else.
        """
        try:
            with path.open("rb") as file:
                packed = file.read(_BEGINNING_BYTES)
            size, matrix, _ = _header(zlib.decompressobj(_GZIP_FORMAT).decompress(packed))
        except (OSError, ValueError, struct.error, zlib.error) as error:
            raise _unreadable(path) from error
        return VoxelGrid(matrix, size)


def _unreadable(path: Path) -> UserError:
    return UserError(f"The result {path.name} cannot be read.", "Run the analysis again.")


def _unpacked(packed: bytes) -> bytes:
    # Straight into a buffer of the right size: twice as fast as Python's gzip module.
    size = int.from_bytes(packed[-4:], "little")
    most = _MOST_DEFLATE_RATIO * len(packed)
    return zlib.decompress(packed, _GZIP_FORMAT, max(1, min(size, most)))


def _header(content: bytes) -> tuple[tuple[int, int, int], np.ndarray, int]:
    if len(content) < _HEADER_BYTES or struct.unpack_from("<i", content)[0] != _HEADER_BYTES:
        raise ValueError("no NIfTI-1 file")
    dimensions = struct.unpack_from("<8h", content, 40)
    if dimensions[0] < 3 or min(dimensions[1:4]) < 1:
        raise ValueError("no volume")
    if struct.unpack_from("<h", content, 70)[0] != _UINT8:
        raise ValueError("no uint8 label map")
    (offset,) = struct.unpack_from("<f", content, 108)
    matrix = np.eye(4)
    # The world of NIfTI is RAS, as that of MRML.
    matrix[:3] = np.reshape(struct.unpack_from("<12f", content, _SFORM_ROWS), (3, 4))
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-9:
        raise ValueError("no place in space")
    return dimensions[1:4], matrix, int(offset)


def _used(labels: np.ndarray) -> tuple[tuple[slice, ...], tuple[int, int, int]]:
    # Axis by axis, each time on what is left: the whole volume is looked at once only.
    used = labels.reshape(len(labels), -1).any(1)
    if not used.any():
        return (slice(0, 1),) * 3, (0, 0, 0)
    z = _range(used)
    plane = np.bitwise_or.reduce(labels[z], axis=0)
    y, x = _range(plane.any(1)), _range(plane.any(0))
    return (z, y, x), (x.start, y.start, z.start)


def _range(used: np.ndarray) -> slice:
    found = np.flatnonzero(used)
    first, last = int(found[0]) - _MARGIN_VOXELS, int(found[-1]) + _MARGIN_VOXELS
    return slice(max(first, 0), min(last, len(used) - 1) + 1)


def _onGrid(
    own: np.ndarray, grid: np.ndarray, size: tuple[int, int, int]
) -> tuple[int, int, int] | None:
    """Return the index on `grid` of the first voxel of `own`, None if the grids differ."""
    between = np.linalg.inv(grid) @ own
    shift = np.rint(between[:3, 3])
    ends = [(0.0, n - 1.0) for n in size]
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), -1).reshape(-1, 3)
    moved = corners @ between[:3, :3].T + between[:3, 3]
    if np.abs(moved - corners - shift).max() > _SAME_GRID_VOXELS:
        return None
    i, j, k = (int(s) for s in shift)
    return i, j, k
