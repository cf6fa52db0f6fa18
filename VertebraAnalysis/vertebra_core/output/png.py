"""Grey pictures as PNG, without an image library."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np


def png_bytes(grey: np.ndarray) -> bytes:
    """Return an 8-bit grey PNG.

    Parameters
    ----------
    grey : ndarray of uint8, shape (height, width)
    """
    if grey.dtype != np.uint8 or grey.ndim != 2:
        raise ValueError("a grey picture is a uint8 array with two axes")
    height, width = grey.shape
    rows = np.empty((height, 1 + width), np.uint8)
    # Row filter 1 stores differences to the left neighbour, which halves the size of a CT.
    rows[:, 0] = 1
    rows[:, 1] = grey[:, 0]
    rows[:, 2:] = np.diff(grey, axis=1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + chunk(b"IEND", b"")
    )


def png_data_uri(grey: np.ndarray) -> str:
    """Return a grey PNG as ``data:`` URI for HTML."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(grey)).decode("ascii")
