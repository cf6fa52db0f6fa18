"""LocNet-H: centres straight from the peaks of the heat map, kept for comparison."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .voting import Peak, fast_search_peaks, heat_near


def peaks_from_heat(
    heat: np.ndarray,
    spacing_mm: float,
    threshold: float,
    separation_mm: float,
    smoothing_mm: float = 1.5,
) -> list[Peak]:
    """Find centres as maxima of the heat.

    Parameters
    ----------
    heat : ndarray, shape (z, y, x)
        Probabilities.
    spacing_mm : float
    threshold : float
        Least (smoothed) heat of a peak.
    separation_mm : float
        Least distance to a hotter voxel.
    smoothing_mm : float
        Standard deviation of the smoothing that comes first.

    Returns
    -------
    list of Peak
        Hottest first; `votes` is the heat summed over the 5x5x5 voxels around the peak.
    """
    smooth = ndimage.gaussian_filter(heat, smoothing_mm / spacing_mm)
    peaks = []
    for index in fast_search_peaks(smooth, threshold, separation_mm / spacing_mm):
        box = tuple(slice(max(0, i - 2), i + 3) for i in index)
        center = tuple(float(v) for v in _summit(smooth, index))
        peaks.append(Peak(center, float(heat[box].sum()), heat_near(heat, index)))
    return peaks


def _summit(heat: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Where the parabola through the logarithms of a maximum and its neighbours is highest.

    A Gaussian's logarithm is a parabola, so its centre is met exactly.
    """
    summit = index.astype(float)
    for axis in range(3):
        if not 0 < index[axis] < heat.shape[axis] - 1:
            continue
        step = np.eye(3, dtype=int)[axis]
        before, here, after = (
            np.log(max(float(heat[tuple(index + k * step)]), 1e-6)) for k in (-1, 0, 1)
        )
        curvature = before - 2 * here + after
        if curvature < 0:
            summit[axis] += np.clip(0.5 * (before - after) / curvature, -0.5, 0.5)
    return summit
