"""LocNet-F: centres from weighted votes (Algorithm 1) and fast-search clustering (Algorithm 2).

Both follow the VertFault thesis, vectorised; the second after Rodriguez and Laio, "Clustering by
fast search and find of density peaks", Science 344 (2014).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class Peak:
    """A candidate centre.

    Attributes
    ----------
    position_zyx : tuple of float
        Continuous voxel index.
    votes : float
        Weight of the votes that fell near it.
    heat : float
        Largest heat near it, 0-1.
    """

    position_zyx: tuple[float, float, float]
    votes: float
    heat: float


def cast_votes(
    weights: np.ndarray,
    offset_mm: np.ndarray,
    spacing_mm: float,
    threshold: float,
    margin: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Where the voxels above a threshold vote.

    Parameters
    ----------
    weights : ndarray, shape (z, y, x)
        Weight of each voxel's vote (the heat, in the thesis).
    offset_mm : ndarray, shape (3, z, y, x)
        Offset to the centre, mm, z, y, x.
    spacing_mm : float
    threshold : float
        Voxels vote whose weight exceeds this.
    margin : int
        Voxels beyond the volume's faces where votes count too.

    Returns
    -------
    positions : ndarray of float32, shape (n, 3)
        Continuous voxel indices within the volume and the margin (half a voxel beyond at most).
    weights : ndarray of float32, shape (n,)
    """
    chosen = np.nonzero(weights > threshold)
    shifts = offset_mm[(slice(None), *chosen)].T / spacing_mm
    positions = np.stack(chosen, 1).astype(np.float32) + shifts
    low, high = -margin - 0.5, np.array(weights.shape) + margin - 0.5
    inside = ((positions > low) & (positions < high)).all(1)
    return positions[inside], weights[chosen][inside].astype(np.float32)


def vote_map(positions: np.ndarray, weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Algorithm 1: accumulate votes in the voxel they fall into.

    Parameters
    ----------
    positions : ndarray, shape (n, 3)
        As `cast_votes` returns them.
    weights : ndarray, shape (n,)
    shape : tuple of int

    Returns
    -------
    ndarray of float32, shape `shape`
    """
    index = np.floor(positions + 0.5).astype(np.int64)
    index = np.clip(index, 0, np.array(shape) - 1)
    flat = np.ravel_multi_index(tuple(index.T), shape)
    counts = np.bincount(flat, weights, minlength=int(np.prod(shape)))
    return counts.reshape(shape).astype(np.float32)


def fast_search_peaks(
    density: np.ndarray, value_threshold: float, distance_voxels: float
) -> np.ndarray:
    """Algorithm 2: voxels that are dense, highest of their 3x3x3, and far from any denser voxel.

    "The distance to the nearest denser voxel exceeds the threshold" holds exactly when no denser
    voxel lies within it, which a search tree answers for all candidates at once.

    Parameters
    ----------
    density : ndarray, shape (z, y, x)
    value_threshold : float
    distance_voxels : float

    Returns
    -------
    ndarray of int, shape (n, 3)
        Voxel indices, densest first. Of equally dense voxels within the distance, the first (in
        array order) is kept.
    """
    dense = np.argwhere(density > value_threshold)
    if not len(dense):
        return np.zeros((0, 3), int)
    values = density[tuple(dense.T)]
    highest = values >= ndimage.maximum_filter(density, 3)[tuple(dense.T)]
    candidates, candidate_values = dense[highest], values[highest]
    order = np.argsort(-candidate_values, kind="stable")
    tree = cKDTree(dense)
    neighbours = tree.query_ball_point(candidates[order], distance_voxels)
    kept: list[int] = []
    for row, near in zip(order, neighbours, strict=True):
        if values[near].max() > candidate_values[row]:
            continue
        gaps = candidates[kept] - candidates[row]
        if kept and (np.square(gaps).sum(1) <= distance_voxels**2).any():
            continue
        kept.append(int(row))
    return candidates[kept]


def peaks_from_votes(
    heat: np.ndarray,
    foreground: np.ndarray,
    offset_mm: np.ndarray,
    spacing_mm: float,
    threshold: float,
    foreground_weight: float,
    minimum_votes: float,
    separation_mm: float,
    smoothing_mm: float = 2.0,
    refine_mm: float = 6.0,
    beyond_mm: float = 0.0,
) -> list[Peak]:
    """Find centres by votes, with sub-voxel positions.

    Parameters
    ----------
    heat, foreground : ndarray, shape (z, y, x)
        Probabilities.
    offset_mm : ndarray, shape (3, z, y, x)
    spacing_mm : float
    threshold : float
        Voxels vote whose weight exceeds this.
    foreground_weight : float
        Voxels of a vertebra vote with this times their probability, besides their heat; 0 is the
        thesis' heat alone. Votes from the whole vertebra find it where the heat is weak.
    minimum_votes : float
        Least density of a peak.
    separation_mm : float
        Least distance to a denser voxel.
    smoothing_mm : float
        Standard deviation of the smoothing of the vote map, which votes scatter in.
    refine_mm : float
        Votes within this distance of a peak give its position, by their weighted mean.
    beyond_mm : float
        How far beyond the volume's faces a centre may lie: voxels of a vertebra that the edge cuts
        vote for a place outside.

    Returns
    -------
    list of Peak
        Most votes first.
    """
    weights = heat + foreground_weight * foreground if foreground_weight else heat
    # Votes scatter around a centre; those for one just within reach must all count.
    margin = math.ceil((beyond_mm + refine_mm) / spacing_mm) if beyond_mm else 0
    positions, votes = cast_votes(weights, offset_mm, spacing_mm, threshold, margin)
    if not len(positions):
        return []
    density = vote_map(positions + margin, votes, tuple(n + 2 * margin for n in heat.shape))
    density = ndimage.gaussian_filter(density, smoothing_mm / spacing_mm)
    found = fast_search_peaks(density, minimum_votes, separation_mm / spacing_mm) - margin
    tree = cKDTree(positions)
    peaks = []
    for index, near in zip(
        found, tree.query_ball_point(found, refine_mm / spacing_mm), strict=True
    ):
        if not near:
            continue
        weight = votes[near]
        center = (positions[near] * weight[:, None]).sum(0) / weight.sum()
        if _beyond(center, heat.shape) * spacing_mm > beyond_mm:
            continue
        peaks.append(
            Peak(tuple(float(v) for v in center), float(weight.sum()), heat_near(heat, index))
        )
    return sorted(peaks, key=lambda peak: -peak.votes)


def _beyond(position_zyx: np.ndarray, shape: tuple[int, ...]) -> float:
    """How far, in voxels, a place lies beyond the faces of a volume; 0 or less within it."""
    low, high = -0.5 - position_zyx, position_zyx - (np.array(shape) - 0.5)
    return float(np.maximum(low, high).max())


def heat_near(heat: np.ndarray, index_zyx: np.ndarray, reach: int = 2) -> float:
    """Largest heat within `reach` voxels of a voxel, or of the volume's voxel nearest to it."""
    nearest = np.clip(index_zyx, 0, np.array(heat.shape) - 1)
    box = tuple(slice(max(0, int(i) - reach), int(i) + reach + 1) for i in nearest)
    return float(heat[box].max())
