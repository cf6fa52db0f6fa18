"""LocNet-H: centres straight from the peaks of the heat map, kept for comparison."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .voting import Peak, fast_search_peaks


def peaks_from_heat(
    heat: np.ndarray,
    spacing_mm: float,
    threshold: float,
    separation_mm: float,
    smoothing_mm: float = 1.5,
    refine_voxels: int = 2,
) -> list[Peak]:
    """Find centres as maxima of the heat.

    Parameters
    ----------
    heat : ndarray, shape (z, y, x)
        Probabilities.
    spacing_mm : float
    threshold : float
        Least heat of a peak.
    separation_mm : float
        Least distance to a hotter voxel.
    smoothing_mm : float
    refine_voxels : int
        The heat within this many voxels gives the position, by its weighted mean.

    Returns
    -------
    list of Peak
        Hottest first; `votes` is the heat summed near the peak.
    """
    smooth = ndimage.gaussian_filter(heat, smoothing_mm / spacing_mm)
    peaks = []
    for index in fast_search_peaks(smooth, threshold, separation_mm / spacing_mm):
        box = tuple(
            slice(max(0, i - refine_voxels), min(n, i + refine_voxels + 1))
            for i, n in zip(index, heat.shape, strict=True)
        )
        weight = heat[box]
        axes = np.meshgrid(*[np.arange(s.start, s.stop) for s in box], indexing="ij")
        total = float(weight.sum()) or 1.0
        center = tuple(float((axis * weight).sum() / total) for axis in axes)
        peaks.append(Peak(center, total, float(weight.max())))
    return peaks
