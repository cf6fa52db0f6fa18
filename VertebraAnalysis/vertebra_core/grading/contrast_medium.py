"""Tells whether intravenous contrast medium is in the vessels before the spine.

Contrast medium raises the trabecular density that is read, by about 11 HU in the portal venous
phase (Pickhardt et al. 2016, "Effect of IV contrast on lumbar trabecular attenuation at routine
abdominal CT", Osteoporos Int 27:147-152), more in some patients; whoever compares a density with a
threshold for unenhanced CT must know.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from ..levels import level_named
from ..volume import CtVolume

ENHANCED_HU = 100.0
"""Even tissue brighter than this is no unenhanced blood (30-60 HU), muscle or liver (to 75 HU)."""

_FIRST, _LAST = "T5", "L5"
"""Above, the thyroid is as bright without contrast; below, the pelvis lies before the spine."""

_STEP_MM = 2.0
_REACH_MM = (6.0, 48.0, 40.0)
"""Half the height, the depth and half the width of the box looked at, in front of the body."""

_BODY_FRONT_MM = 24.0
"""Distance from a body's centre to where vessels may begin: half the depth of a large lumbar body
and a spur. Trabecular bone is even and as bright as enhanced blood."""

_EVEN_MM = 5
"""Edge of the cube, in steps, that must be even: 10 mm, half an aorta."""

_EVEN_SD_HU = 40.0
_MOST_HU = 600.0
_LEAST_SHARE = 0.5
_LEAST_BODIES = 2


def vessels_enhanced(
    ct: CtVolume, levels: Sequence[str], centers_lps_mm: Sequence[Sequence[float]]
) -> float | None:
    """Return how bright the vessels are if contrast medium is in them.

    Parameters
    ----------
    ct : CtVolume
        On a grid of identity direction.
    levels : sequence of str
    centers_lps_mm : sequence of (x, y, z)
        Body centres, LPS mm.

    Returns
    -------
    float or None
        Median HU of the brightest even tissue before the bodies from T5 to L5; None if it is not
        enhanced at half of the bodies and two at least, or cannot be seen.
    """
    first, last = level_named(_FIRST).order, level_named(_LAST).order
    seen = []
    for level, center in zip(levels, centers_lps_mm, strict=True):
        if first <= level_named(level).order <= last:
            brightest = _brightest_even_tissue(ct, center)
            if brightest is not None:
                seen.append(brightest)
    bright = [hu for hu in seen if hu > ENHANCED_HU]
    if len(bright) < max(_LEAST_BODIES, _LEAST_SHARE * len(seen)):
        return None
    return float(np.median(bright))


def _brightest_even_tissue(ct: CtVolume, center_lps_mm: Sequence[float]) -> float | None:
    height, depth, width = _REACH_MM
    z = np.arange(-height, height + 1, _STEP_MM)
    y = np.arange(-_BODY_FRONT_MM - depth, -_BODY_FRONT_MM + 1, _STEP_MM)
    x = np.arange(-width, width + 1, _STEP_MM)
    grid = np.stack(np.meshgrid(z, y, x, indexing="ij"))[::-1].reshape(3, -1).T
    index = ct.lps_to_index(grid + np.asarray(center_lps_mm, float)).T
    # Beyond the scan there is air, which is never bright.
    values = ndimage.map_coordinates(ct.hu, index, order=1, cval=-1000.0, output=np.float32)
    values = values.reshape(len(z), len(y), len(x)).astype(np.float64)
    mean = ndimage.uniform_filter(values, _EVEN_MM)
    variance = ndimage.uniform_filter(values**2, _EVEN_MM) - mean**2
    even = (variance < _EVEN_SD_HU**2) & (mean > 0) & (mean < _MOST_HU)
    half = _EVEN_MM // 2
    inner = (slice(half, -half),) * 3
    return float(mean[inner][even[inner]].max()) if even[inner].any() else None
