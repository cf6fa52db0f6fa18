"""NRRD files, written by hand: nothing to load first, and any disk error is noticed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def writeNrrd(
    path: Path,
    voxels: np.ndarray,
    ijkToRas: np.ndarray,
    keys: Mapping[str, str] | None = None,
) -> None:
    """Write a volume.

    Parameters
    ----------
    path : Path
    voxels : ndarray, shape (k, j, i)
        Any integer or floating-point type; a view is written plane by plane without a copy.
    ijkToRas : ndarray, shape (4, 4)
        Voxel index to world RAS mm, which NRRD can state as it is.
    keys : mapping of str, optional
        Further keys of the header.

    Raises
    ------
    OSError
        If the file cannot be written whole.
    ValueError
        If NRRD cannot hold this type.
    """
    header = _header(voxels, ijkToRas, keys or {})
    with path.open("wb") as stream:
        stream.write(header)
        for plane in voxels:
            stream.write(np.ascontiguousarray(plane).data)


def _header(voxels: np.ndarray, ijkToRas: np.ndarray, keys: Mapping[str, str]) -> bytes:
    lines = [
        "NRRD0005",
        f"type: {_typeName(voxels.dtype)}",
        "dimension: 3",
        "space: right-anterior-superior",
        "sizes: " + " ".join(str(n) for n in voxels.shape[::-1]),
        "space directions: " + " ".join(_vector(axis) for axis in ijkToRas[:3, :3].T),
        "kinds: domain domain domain",
        f"endian: {_byteOrder(voxels.dtype)}",
        "encoding: raw",
        f"space origin: {_vector(ijkToRas[:3, 3])}",
    ]
    lines += [f"{key}:={_oneLine(value)}" for key, value in keys.items()]
    return ("\n".join(lines) + "\n\n").encode("utf-8")


def _typeName(kind: np.dtype) -> str:
    if kind.kind == "f" and kind.itemsize in (4, 8):
        return "float" if kind.itemsize == 4 else "double"
    if kind.kind in "iu":
        return f"{'u' if kind.kind == 'u' else ''}int{8 * kind.itemsize}"
    raise ValueError(f"NRRD has no type for {kind}")


def _byteOrder(kind: np.dtype) -> str:
    order = kind.byteorder
    return {"<": "little", ">": "big"}.get(order, sys.byteorder)


def _vector(values: np.ndarray) -> str:
    return "(" + ",".join(repr(float(v)) for v in values) + ")"


def _oneLine(text: str) -> str:
    # A backslash begins a sign of its own.
    return " ".join(str(text).split()).replace("\\", "\\\\")
