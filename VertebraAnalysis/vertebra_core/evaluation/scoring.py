"""Compare one analysis with the truth of its case."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..label_numbers import verse_names
from ..levels import level_named
from ..volume import CtVolume
from .prediction import Prediction
from .records import CaseRecord, MaskScore
from .segmentation_metrics import pair_labels, score_labels
from .truth import CaseTruth

SACRUM = level_named("S1").number

STRAY_LIMIT_MM = 10.0
"""Voxels labelled farther than this from any true vertebra are stray."""


def score_case(
    name: str, geometry: CtVolume, truth: CaseTruth, prediction: Prediction
) -> CaseRecord:
    """Score what an analysis predicted.

    Parameters
    ----------
    name : str
    geometry : CtVolume
        Volume whose grid the label maps have.
    truth : CaseTruth
    prediction : Prediction

    Raises
    ------
    ValueError
        If the label maps differ in shape.
    """
    spacing = geometry.spacing_xyz_mm[::-1]
    masks: tuple[MaskScore, ...] = ()
    stray = None
    labels, bodies = prediction.labels, prediction.bodies
    if truth.labels is not None and labels is not None:
        names = verse_names()
        in_view = {level_named(v.level).number: v.in_view for v in truth.vertebrae}
        true_mobile = np.where(truth.labels == SACRUM, 0, truth.labels).astype(np.uint8)
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
        found=prediction.found,
        masks=masks,
        seconds_per_stage=dict(prediction.seconds_per_stage),
        stray_ml=stray,
        centres_by_localiser=dict(prediction.centres_by_localiser),
        notes=truth.notes + prediction.notes,
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
