"""Density-based clustering (DBSCAN) by scikit-learn, which is an optional package."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import InputError

NOISE = -1

INSTALLING = ".venv/bin/python -m pip install scikit-learn"
"""The command, in a checkout's own environment."""

Cluster = Callable[[np.ndarray, float, int], np.ndarray]
"""Clusters points (n, d) with a radius and a least number of neighbours: one number a point."""


def dbscan(points: np.ndarray, radius: float, least: int) -> np.ndarray:
    """Cluster points.

    Parameters
    ----------
    points : ndarray, shape (n, d)
    radius : float
        Points within this distance are neighbours.
    least : int
        Neighbours (itself included) that make a point a core of a cluster.

    Returns
    -------
    ndarray of int, shape (n,)
        Number of each point's cluster, `NOISE` for none.

    Raises
    ------
    InputError
        ``package_missing`` where scikit-learn is not installed.
    """
    check_dbscan()
    from sklearn.cluster import DBSCAN

    if not len(points):
        return np.zeros(0, int)
    return DBSCAN(eps=radius, min_samples=least).fit(np.asarray(points, float)).labels_


def check_dbscan() -> None:
    """Raise InputError unless scikit-learn is installed."""
    try:
        import sklearn.cluster  # noqa: F401
    except ImportError as error:
        raise InputError(
            "package_missing",
            "The sagittal localiser needs the package scikit-learn, which is not installed.",
            f"Install it with: {INSTALLING}, or choose another localiser.",
        ) from error
