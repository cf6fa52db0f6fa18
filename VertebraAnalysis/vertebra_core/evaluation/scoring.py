"""Compare one analysis with the truth of its case."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..analysis import Heights, SpineAnalysis, Vertebra
from ..levels import level_named
from ..volume import CtVolume
from .label_numbers import verse_names
from .records import CaseRecord, FoundVertebra, MaskScore
from .segmentation_metrics import pair_labels, score_labels
from .truth import CaseTruth

STRAY_LIMIT_MM = 10.0
"""Voxels labelled farther than this from any true vertebra are stray."""


def score_case(
    name: str,
    geometry: CtVolume,
    truth: CaseTruth,
    analysis: SpineAnalysis,
    labels: np.ndarray | None,
    bodies: np.ndarray | None,
    network_levels: tuple[str, ...] | None = None,
) -> CaseRecord:
    """Score an analysis.

    Parameters
    ----------
    name : str
    geometry : CtVolume
        Volume whose grid the label maps have.
    truth : CaseTruth
    analysis : SpineAnalysis
    labels, bodies : ndarray of uint8, shape (z, y, x), or None
        Predicted label maps, VerSe numbers.
    network_levels : tuple of str, optional
        Level of each vertebra before positional logic.

    Raises
    ------
    ValueError
        If the label maps differ in shape.
    """
    network_levels = network_levels or (None,) * len(analysis.vertebrae)
    found = tuple(
        found_vertebra(v, level)
        for v, level in zip(analysis.vertebrae, network_levels, strict=True)
    )
    spacing = geometry.spacing_xyz_mm[::-1]
    masks: tuple[MaskScore, ...] = ()
    stray = None
    if truth.labels is not None and labels is not None:
        names = verse_names()
        in_view = {level_named(v.level).number: v.in_view for v in truth.vertebrae}
        true_mobile = _without(truth.labels, 26)
        pairs = pair_labels(true_mobile, labels)
        masks = score_labels(true_mobile, labels, spacing, names, in_view, "vertebra", pairs)
        if truth.bodies is not None and bodies is not None:
            masks += score_labels(truth.bodies, bodies, spacing, names, in_view, "body", pairs)
        stray = stray_volume_ml(truth.labels, labels, spacing)
    return CaseRecord(
        name=name,
        kind=truth.kind,
        spacing_xyz_mm=tuple(float(s) for s in geometry.spacing_xyz_mm),
        truth=truth.vertebrae,
        found=found,
        masks=masks,
        seconds_per_stage=dict(analysis.manifest.seconds_per_stage),
        stray_ml=stray,
        notes=truth.notes,
    )


def found_vertebra(vertebra: Vertebra, network_level: str | None = None) -> FoundVertebra:
    """Take from an analysed vertebra what evaluation needs."""
    return FoundVertebra(
        level=vertebra.level,
        center_lps_mm=tuple(float(c) for c in vertebra.center_lps_mm),
        level_probability=vertebra.level_probability,
        network_level=network_level,
        grade=vertebra.grade,
        shape=vertebra.shape,
        grade_probabilities=vertebra.grade_probabilities,
        heights_mm=_heights(vertebra.heights_mm),
        flags=tuple(flag.code for flag in vertebra.flags),
    )


def stray_volume_ml(
    true_labels: np.ndarray,
    found_labels: np.ndarray,
    spacing_zyx_mm: tuple[float, float, float],
    limit_mm: float = STRAY_LIMIT_MM,
) -> float:
    """Return the volume labelled farther than `limit_mm` from any true vertebra (S1 included).

    Measured on every n-th voxel, about 3 mm apart, which is fine enough for what strays.
    """
    steps = [max(1, int(3.0 / s)) for s in spacing_zyx_mm]
    where = tuple(slice(None, None, n) for n in steps)
    true_mask, found_mask = true_labels[where] > 0, found_labels[where] > 0
    if true_mask.any():
        sampling = [s * n for s, n in zip(spacing_zyx_mm, steps, strict=True)]
        far = ndimage.distance_transform_edt(~true_mask, sampling=sampling) > limit_mm
    else:
        far = np.ones_like(true_mask)
    voxel_ml = float(np.prod(spacing_zyx_mm) * np.prod(steps)) / 1000.0
    return int(np.count_nonzero(far & found_mask)) * voxel_ml


def _heights(heights: Heights | None) -> tuple[float, float, float] | None:
    return (heights.anterior, heights.middle, heights.posterior) if heights else None


def _without(labels: np.ndarray, number: int) -> np.ndarray:
    return np.where(labels == number, 0, labels).astype(np.uint8)
