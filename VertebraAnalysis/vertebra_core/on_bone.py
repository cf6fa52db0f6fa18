"""Whether a given segmentation lies on bone of the CT that it is said to belong to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from scipy import ndimage

from .label_masks import LabelledMask
from .volume import CtVolume

NO_BONE_HU = 15.0
"""Below this contrast there is no bone, whatever lies elsewhere. At the vertebrae it is 156 HU in
the public abdomen, 374 HU in the public chest, 180 to 447 HU in phantoms; with all that exceeds
50 HU pressed to 30 % of itself, as no osteoporosis does, still 47 HU."""

DOUBTFUL_HU = 150.0
"""Below this contrast another place must not be better: 15 mm beside the vertebrae it may be that
of half a bone, 16 to 130 HU."""

BETTER = 2.0
"""How many times the contrast another place must have for the labels to be taken as misplaced: from
the right place it is 0.3 to 0.5, and 0.7 with bone pressed as above; from 15, 25 and 40 mm beside
it 2.9 and more."""

NOT_ON_BONE = (
    "The segmentation does not seem to lie on bone of this CT, so neither densities nor the "
    "learned grade were read from it: check that both belong together."
)

_POINTS = 250
_AROUND_MM = (2, 4)
_DEPTHS_MM = (0, 3)
_STEP_MM = 8.0
_STEPS_XYZ = (5, 5, 3)
_LEAST_NEAR_MM = 10.0
_LEAST_WITHIN = 0.7


def lies_on_bone(found: Sequence[LabelledMask], ct: CtVolume) -> bool:
    """Tell whether labels lie on bone, by the contrast of their bodies' surfaces.

    Cortex is denser than what it touches. The median over all vertebrae is taken, so that neither
    contrast medium, metal nor a few bad outlines decide; where it is low, as in osteoporosis, the
    labels are misplaced only if 10 to 60 mm away the contrast would be much higher.

    Parameters
    ----------
    found : sequence of LabelledMask
    ct : CtVolume
        Any geometry. Vertebrae of which it holds little say nothing.
    """
    surfaces = [_surface_of(one) for one in found]
    here = _contrast(ct, surfaces, np.zeros(3))
    if here is None or here >= DOUBTFUL_HU:
        return True
    if here < NO_BONE_HU:
        return False
    elsewhere = (_contrast(ct, surfaces, shift) for shift in _shifts())
    return max((c for c in elsewhere if c is not None), default=0.0) < BETTER * here


def _surface_of(one: LabelledMask) -> tuple[np.ndarray, ...]:
    """LPS points 2 to 4 mm around a body, of its outermost millimetre, and a little deeper.

    Outlines may be drawn generously: then the cortex lies deeper.
    """
    vertebra, body = one.mask.vertebra > 0.5, one.mask.body > 0.5
    body = body if body.any() else vertebra
    near, far = _AROUND_MM
    around = ndimage.binary_dilation(body, iterations=far)
    around &= ~ndimage.binary_dilation(vertebra, iterations=near)
    layers = [around]
    for depth in _DEPTHS_MM:
        inner = ndimage.binary_erosion(body, iterations=depth) if depth else body
        layers.append(inner & ~ndimage.binary_erosion(inner))
    return tuple(_some(layer) + np.asarray(one.mask.origin_lps_mm) for layer in layers)


def _some(chosen: np.ndarray) -> np.ndarray:
    """Evenly picked voxels, x, y, z order; the same number of every vertebra."""
    index = np.argwhere(chosen)[:, ::-1].astype(float)
    return index[:: max(1, len(index) // _POINTS)]


def _shifts() -> Iterator[np.ndarray]:
    for shift in product(*(np.arange(-n, n + 1) * _STEP_MM for n in _STEPS_XYZ)):
        if np.linalg.norm(shift) > _LEAST_NEAR_MM:
            yield np.array(shift)


def _contrast(
    ct: CtVolume, surfaces: Sequence[tuple[np.ndarray, ...]], shift_lps_mm: np.ndarray
) -> float | None:
    """Median over vertebrae of surface minus surroundings, HU; None if the CT holds too little."""
    contrasts = []
    for points in surfaces:
        around, *layers = (_median(ct, layer + shift_lps_mm) for layer in points)
        if around is not None and layers[0] is not None:
            contrasts.append(max(v for v in layers if v is not None) - around)
    return float(np.median(contrasts)) if contrasts else None


def _median(ct: CtVolume, points_lps_mm: np.ndarray) -> float | None:
    index = np.rint(ct.lps_to_index(points_lps_mm)).astype(int)
    within = ((index >= 0) & (index < ct.hu.shape)).all(1)
    if not within.any() or within.mean() < _LEAST_WITHIN:
        return None
    return float(np.median(ct.hu[tuple(index[within].T)]))
