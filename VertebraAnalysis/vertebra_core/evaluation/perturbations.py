"""Changes of a scan within what clinics see, applied alike to CT and truth: how robust is a system?

Sizes are those of one step of clinical variation: low dose, a smoother kernel, slices of 3 and of
5 mm, another tube voltage, a patient lying askew, a field of view that ends earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from ..volume import CtVolume
from .truth import CaseTruth, truth_from_labels, with_known_facts

NOISE_SD_HU = 25.0
BLUR_SD_MM = 0.8
SLICE_MM, THICK_SLICE_MM = 3.0, 5.0
BONE_GAIN = 1.10
TILT_DEG, TURN_DEG = 8.0, 5.0
CROP_SHARE = 0.15

Perturbation = Callable[[CtVolume, CaseTruth, np.random.Generator], tuple[CtVolume, CaseTruth]]


def noise(ct: CtVolume, truth: CaseTruth, rng: np.random.Generator) -> tuple[CtVolume, CaseTruth]:
    """Add white noise."""
    grain = rng.standard_normal(ct.hu.shape, np.float32) * np.float32(NOISE_SD_HU)
    return _with_hu(ct, ct.hu + grain), truth


def blur(ct: CtVolume, truth: CaseTruth, rng: np.random.Generator) -> tuple[CtVolume, CaseTruth]:
    """Smooth along all axes."""
    sd = [BLUR_SD_MM / s for s in ct.spacing_xyz_mm[::-1]]
    return _with_hu(ct, ndimage.gaussian_filter(ct.hu.astype(np.float32), sd)), truth


def resolution(
    ct: CtVolume, truth: CaseTruth, rng: np.random.Generator
) -> tuple[CtVolume, CaseTruth]:
    """Average neighbouring slices to about 3 mm; the truth's maps keep the middle ones."""
    return _averaged(ct, truth, SLICE_MM)


def thick(ct: CtVolume, truth: CaseTruth, rng: np.random.Generator) -> tuple[CtVolume, CaseTruth]:
    """Average neighbouring slices to about 5 mm; the truth's maps keep the middle ones."""
    return _averaged(ct, truth, THICK_SLICE_MM)


def contrast(
    ct: CtVolume, truth: CaseTruth, rng: np.random.Generator
) -> tuple[CtVolume, CaseTruth]:
    """Raise what is denser than water, as a lower tube voltage does."""
    hu = ct.hu.astype(np.float32)
    return _with_hu(ct, np.where(hu > 0, hu * np.float32(BONE_GAIN), hu)), truth


def rotation(
    ct: CtVolume, truth: CaseTruth, rng: np.random.Generator
) -> tuple[CtVolume, CaseTruth]:
    """Tilt the patient forward and turn him about his long axis; voxels stay as they are."""
    a, b = np.deg2rad([TILT_DEG, TURN_DEG])
    tilt = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    turn = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    matrix = tilt @ turn
    middle = ct.corners_lps_mm().mean(0)

    def moved(point) -> tuple[float, float, float]:
        return tuple(float(v) for v in middle + matrix @ (np.asarray(point) - middle))

    direction = matrix @ np.reshape(ct.direction, (3, 3))
    turned = replace(
        ct, origin_lps_mm=moved(ct.origin_lps_mm), direction=tuple(direction.ravel().tolist())
    )
    vertebrae = tuple(replace(v, center_lps_mm=moved(v.center_lps_mm)) for v in truth.vertebrae)
    return turned, replace(truth, vertebrae=vertebrae)


def crop(ct: CtVolume, truth: CaseTruth, rng: np.random.Generator) -> tuple[CtVolume, CaseTruth]:
    """Cut slices off at both ends; what is then cut or gone is so in the truth as well."""
    cut = int(CROP_SHARE * ct.hu.shape[0])
    kept = slice(cut, ct.hu.shape[0] - cut)
    first = ct.index_to_lps(np.array([cut, 0, 0]))
    small = replace(ct, hu=ct.hu[kept], origin_lps_mm=tuple(float(v) for v in first))
    maps = _maps(truth, kept)
    if maps.labels is not None:
        facts = {v.level: v for v in truth.vertebrae}
        seen = truth_from_labels(maps.labels, maps.bodies, small)
        return small, replace(maps, vertebrae=with_known_facts(seen, facts))
    inside = [v for v in truth.vertebrae if _inside(small, v.center_lps_mm)]
    return small, replace(maps, vertebrae=tuple(inside))


PERTURBATIONS: Mapping[str, Perturbation] = {
    "noise": noise,
    "blur": blur,
    "resolution": resolution,
    "thick": thick,
    "contrast": contrast,
    "rotation": rotation,
    "crop": crop,
}
"""Name -> what it does to a scan and its truth."""


AVERAGING = ("resolution", "thick")
"""Perturbations that average slices: to the nearest whole number of them, not to every distance."""


def slices_reached(distances_mm: Mapping[str, Sequence[float]]) -> str:
    """State in a sentence how far apart averaged slices came to lie; empty if none were averaged.

    Parameters
    ----------
    distances_mm : mapping
        Perturbation -> slice distances of the perturbed scans.
    """
    told = []
    for name in AVERAGING:
        own = distances_mm.get(name)
        if own:
            low, high = f"{min(own):.3g}", f"{max(own):.3g}"
            told.append(f"{name} {low if low == high else f'{low} to {high}'} mm")
    return f"Slices lie so far apart: {', '.join(told)}." if told else ""


def _averaged(ct: CtVolume, truth: CaseTruth, slice_mm: float) -> tuple[CtVolume, CaseTruth]:
    """Average neighbouring slices.

    Of an even number of slices none is the middle one: one more is taken then, and the two
    outermost count half.
    """
    step = max(1, round(slice_mm / ct.spacing_xyz_mm[2]))
    weights = np.full(step + (step % 2 == 0), 1 / step, np.float32)
    if step % 2 == 0:
        weights[[0, -1]] /= 2
    count = 1 + (ct.hu.shape[0] - len(weights)) // step
    if step == 1 or count < 1:
        return ct, truth
    last = (count - 1) * step + 1
    hu = sum(w * ct.hu[k : k + last : step] for k, w in enumerate(weights))
    middle = len(weights) // 2
    spacing = (*ct.spacing_xyz_mm[:2], ct.spacing_xyz_mm[2] * step)
    first = ct.index_to_lps(np.array([middle, 0, 0]))
    coarse = replace(
        _with_hu(ct, hu), spacing_xyz_mm=spacing, origin_lps_mm=tuple(float(v) for v in first)
    )
    return coarse, _maps(truth, slice(middle, middle + last, step))


def _with_hu(ct: CtVolume, hu: np.ndarray) -> CtVolume:
    return replace(ct, hu=np.clip(np.rint(hu), -32768, 32767).astype(np.int16))


def _maps(truth: CaseTruth, kept: slice) -> CaseTruth:
    labels, bodies = (None if m is None else m[kept] for m in (truth.labels, truth.bodies))
    return replace(truth, labels=labels, bodies=bodies)


def _inside(ct: CtVolume, point_lps_mm) -> bool:
    index = ct.lps_to_index(np.asarray(point_lps_mm, float))
    return bool(((index >= 0) & (index <= np.array(ct.hu.shape) - 1)).all())
