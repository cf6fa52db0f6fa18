"""Pieces that bones of a phantom are put together from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .grid import Grid, capsule_distance

BonePiece = tuple[int, tuple[slice, slice, slice], np.ndarray]
"""Bone code, box of the grid and signed distance (mm, float32) in that box."""


def capsule_pieces(
    grid: Grid, code: int, a: np.ndarray, b: np.ndarray, radius_mm: float, flatten: float = 1.0
) -> Iterator[BonePiece]:
    """Yield a capsule between two points (z, y, x, mm); nothing where it lies outside the grid.

    With `flatten` below one it is higher than thick, as ribs are.
    """
    reach = radius_mm / min(flatten, 1.0) + 4
    box = grid.box(np.minimum(a, b) - reach, np.maximum(a, b) + reach)
    if box is None:
        return
    z, y, x = grid.axes(box)
    # Distances along z count less.
    squeeze = np.float32(flatten)
    a, b = a * [squeeze, 1, 1], b * [squeeze, 1, 1]
    yield code, box, capsule_distance(z * squeeze, y, x, a, b, radius_mm)
