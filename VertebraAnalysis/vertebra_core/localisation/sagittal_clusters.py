"""From boxes on sagittal slices to vertebrae: two rounds of clustering (Lu et al. 2025)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .dbscan import NOISE, Cluster, dbscan


@dataclass(frozen=True)
class SliceBoxes:
    """Boxes found on the sagittal slices of one CT, mm along its axes from the first voxel.

    Attributes
    ----------
    center_mm : ndarray, shape (n, 3)
        Centre z, y and the slice's x.
    size_mm : ndarray, shape (n, 2)
        Height (z) and depth (y).
    score : ndarray, shape (n,)
        Confidence, 0-1.
    """

    center_mm: np.ndarray
    size_mm: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class BoxCluster:
    """The boxes of one vertebra.

    Attributes
    ----------
    center_mm : tuple of float
        Mean centre z, y, x.
    size_mm : tuple of float
        Mean height and depth.
    score : float
        Mean confidence of its boxes.
    count : int
        Boxes that belong to it.
    """

    center_mm: tuple[float, float, float]
    size_mm: tuple[float, float]
    score: float
    count: int


@dataclass(frozen=True)
class ClusterOptions:
    """How boxes are clustered.

    Attributes
    ----------
    center_radius_mm, center_least
        First round, on centres: boxes of one body lie a slice (2 mm) apart, those of its neighbours
        12 mm and more.
    size_radius_mm, size_least
        Second round, on height and depth within a cluster.
    count_share : float
        Clusters with fewer boxes than this share of the largest are dropped.
    """

    center_radius_mm: float = 5.0
    center_least: int = 4
    size_radius_mm: float = 3.0
    size_least: int = 3
    count_share: float = 0.2


def cluster_boxes(
    boxes: SliceBoxes, options: ClusterOptions | None = None, cluster: Cluster = dbscan
) -> tuple[BoxCluster, ...]:
    """Join the boxes of each vertebra.

    First boxes are clustered by their centres. Within each cluster they are clustered by their size
    and only the most numerous kind is kept, which drops boxes of arches and of half a body. Last,
    small clusters are dropped.

    Parameters
    ----------
    boxes : SliceBoxes
    options : ClusterOptions, optional
    cluster : callable
        DBSCAN.

    Returns
    -------
    tuple of BoxCluster
        Largest first.

    Raises
    ------
    InputError
        If DBSCAN is not installed.
    """
    options = options or ClusterOptions()
    if not len(boxes.score):
        return ()
    numbers = cluster(boxes.center_mm, options.center_radius_mm, options.center_least)
    found = []
    for number in sorted(set(numbers.tolist()) - {NOISE}):
        members = np.nonzero(numbers == number)[0]
        members = members[_main_kind(boxes.size_mm[members], options, cluster)]
        found.append(
            BoxCluster(
                tuple(float(v) for v in boxes.center_mm[members].mean(0)),
                tuple(float(v) for v in boxes.size_mm[members].mean(0)),
                float(boxes.score[members].mean()),
                len(members),
            )
        )
    most = max((c.count for c in found), default=0)
    kept = [c for c in found if c.count >= options.count_share * most]
    return tuple(sorted(kept, key=lambda c: -c.count))


def _main_kind(sizes_mm: np.ndarray, options: ClusterOptions, cluster: Cluster) -> np.ndarray:
    """Mask of the boxes whose size is the most common one; all where no size is common."""
    kinds = cluster(sizes_mm, options.size_radius_mm, options.size_least)
    named = kinds[kinds != NOISE]
    if not len(named):
        return np.ones(len(kinds), bool)
    values, counts = np.unique(named, return_counts=True)
    return kinds == values[counts.argmax()]
