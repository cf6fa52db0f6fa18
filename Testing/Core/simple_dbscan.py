"""DBSCAN by the book (Ester et al., KDD 1996), to test what is built on scikit-learn's."""

from __future__ import annotations

import numpy as np


def simple_dbscan(points: np.ndarray, radius: float, least: int) -> np.ndarray:
    """Cluster points; see `localisation.dbscan.dbscan`."""
    points = np.asarray(points, float)
    near = np.linalg.norm(points[:, None] - points[None], axis=-1) <= radius
    core = near.sum(1) >= least
    numbers = np.full(len(points), -1)
    number = -1
    for start in np.nonzero(core)[0]:
        if numbers[start] >= 0:
            continue
        number += 1
        front = [start]
        while front:
            i = front.pop()
            if numbers[i] >= 0:
                continue
            numbers[i] = number
            if core[i]:
                front.extend(np.nonzero(near[i] & (numbers < 0))[0])
    return numbers
