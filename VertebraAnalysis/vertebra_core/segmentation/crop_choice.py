"""Which crop a vertebra is segmented in: how many voxels, and how large they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..settings import CoarseCrop
from .crops import WORKING_SPACING_MM


@dataclass(frozen=True)
class Crop:
    """What the network sees at once.

    Attributes
    ----------
    shape_zyx : tuple of int
        Voxels.
    voxel_mm : float
    """

    shape_zyx: tuple[int, int, int]
    voxel_mm: float = WORKING_SPACING_MM


def neighbours_mm(centres_lps_mm: Sequence[Sequence[float]]) -> np.ndarray:
    """Distance of each centre to the nearest other one, shape (n,); infinite without another."""
    points = np.asarray(centres_lps_mm, float).reshape(-1, 3)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return distance.min(1, initial=np.inf)


def crops_for(
    neighbour_mm: float,
    shapes_zyx: Sequence[tuple[int, int, int]],
    coarse: CoarseCrop | None,
) -> tuple[Crop, ...]:
    """Crops to try for a vertebra, one after the other.

    Parameters
    ----------
    neighbour_mm : float
        Distance of its centre to the nearest other one.
    shapes_zyx : sequence of tuple of int
        Sizes on the working grid, smallest first.
    coarse : CoarseCrop or None
        For large vertebrae. Without a neighbour within its reach, how large a vertebra is, is not
        known, and the working grid is taken.
    """
    if coarse is not None and coarse.spacing_mm[0] <= neighbour_mm <= coarse.spacing_mm[1]:
        return (Crop(coarse.shape_zyx, coarse.voxel_mm),)
    return tuple(Crop(shape) for shape in shapes_zyx)
