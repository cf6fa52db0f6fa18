"""Signed distances of all bones of a scene while it is being built."""

from __future__ import annotations

import numpy as np

from .codes import BODY_BIT
from .grid import Grid
from .vertebra_instance import OUTSIDE_MM, VertebraInstance

LABEL_REACH_MM = 2.0
"""How far bone codes reach beyond the bone's surface."""


class BoneField:
    """Vertebrae and other bones on one grid.

    Parameters
    ----------
    grid : Grid
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self._nearest = np.full(grid.shape, OUTSIDE_MM, np.float32)
        self._second = np.full(grid.shape, OUTSIDE_MM, np.float32)
        self._number = np.zeros(grid.shape, np.uint8)
        self._other = np.full(grid.shape, OUTSIDE_MM, np.float32)
        self._other_code = np.zeros(grid.shape, np.uint8)

    def add_vertebra(self, instance: VertebraInstance) -> None:
        """Add a vertebra where it reaches into the grid."""
        box = instance.box(self.grid)
        if box is None:
            return
        local = self.grid.local(box, instance.placed.center_zyx_mm, instance.placed.axes)
        whole, body = instance.distances(*local)
        if instance.placed.fracture is not None:
            whole = _restore_distance(whole, self.grid.spacing_mm)
        is_body = body <= np.maximum(whole, 0) + 0.25
        codes = np.where(is_body, instance.number | BODY_BIT, instance.number).astype(np.uint8)
        self.add(box, whole, codes)

    def add(self, box, distance: np.ndarray, codes: np.ndarray) -> None:
        """Add a bone of the spine by its distances (mm) and codes in a box of the grid."""
        nearest, second = self._nearest[box], self._second[box]
        wins = distance < nearest
        np.minimum(second, np.maximum(distance, nearest), out=second)
        self._number[box][wins] = codes[wins]
        np.minimum(nearest, distance, out=nearest)

    def separate(self, gap_mm: float) -> None:
        """Leave a joint gap wherever two vertebrae would touch."""
        np.maximum(
            self._nearest, (self._nearest - self._second) / 2 + gap_mm / 2, out=self._nearest
        )
        self._second = None

    def join(self, box, distance: np.ndarray) -> None:
        """Add bone between vertebrae; it belongs to the nearest one."""
        np.minimum(self._nearest[box], distance, out=self._nearest[box])

    def add_piece(self, code: int, box, distance: np.ndarray) -> None:
        """Add a bone that gives way to vertebrae."""
        wins = distance < self._other[box]
        self._other_code[box][wins] = code
        np.minimum(self._other[box], distance, out=self._other[box])

    def finish(self, gap_mm: float) -> tuple[np.ndarray, np.ndarray]:
        """Return labels (uint8) and the signed distance (mm) to the nearest bone of any kind.

        Other bones give way to vertebrae and keep `gap_mm` from them.
        """
        other = np.maximum(self._other, (self._other - self._nearest) / 2 + gap_mm / 2)
        use_other = other < self._nearest
        sdf = np.where(use_other, other, self._nearest)
        labels = np.where(use_other, self._other_code, self._number)
        labels[sdf > LABEL_REACH_MM] = 0
        return labels, sdf


def _restore_distance(distance: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Undo the stretch that a fracture's warp puts on distances, near the surface."""
    if min(distance.shape) < 2:
        return distance
    slope = np.sqrt(sum(g**2 for g in np.gradient(distance, spacing_mm)))
    return (distance / np.clip(slope, 0.5, 3.0)).astype(np.float32)
