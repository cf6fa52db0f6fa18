"""How well masks agree: overlap and surface distances, in the words of the literature.

DSC, IoU, PA, FPD, FND and the mean surface distance are those of Lu et al. (2025), equations 2-10;
the average Hausdorff distance is that of VertFault (2024) after Aydin et al. [1]_.

References
----------
.. [1] Aydin et al., "On the usage of average Hausdorff distance for segmentation performance
   assessment: hidden error when used for ranking", European Radiology Experimental 5 (2021) 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from .records import MaskScore

BOX_MARGIN_MM = 10.0
"""PA and FPD count background voxels, so they depend on a box: that of both masks plus this."""


@dataclass(frozen=True)
class Overlap:
    """Voxel-wise agreement of two masks: see `MaskScore` for the meaning of the numbers."""

    dice: float
    iou: float
    pixel_accuracy: float
    false_positive_rate: float
    false_negative_rate: float


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances between the surfaces of two masks in mm.

    Attributes
    ----------
    mean_mm : float
        Mean over all surface points of both masks.
    hausdorff_mm : float
        Largest distance of any surface point.
    hausdorff95_mm : float
        The larger of the two directed 95th percentiles.
    average_hausdorff_mm : float
        Mean of the two directed means.
    """

    mean_mm: float
    hausdorff_mm: float
    hausdorff95_mm: float
    average_hausdorff_mm: float


def overlap(true_mask: np.ndarray, found_mask: np.ndarray) -> Overlap:
    """Compare two boolean masks of the same shape over their whole extent.

    Raises
    ------
    ValueError
        If the shapes differ or both masks are empty.
    """
    if true_mask.shape != found_mask.shape:
        raise ValueError(f"masks of different shape: {true_mask.shape} and {found_mask.shape}")
    n_true = int(np.count_nonzero(true_mask))
    n_found = int(np.count_nonzero(found_mask))
    if n_true + n_found == 0:
        raise ValueError("both masks are empty")
    both = int(np.count_nonzero(true_mask & found_mask))
    n_all = true_mask.size
    false_positive, false_negative = n_found - both, n_true - both
    background = n_all - n_true
    return Overlap(
        dice=2 * both / (n_true + n_found),
        iou=both / (n_true + n_found - both),
        pixel_accuracy=(n_all - false_positive - false_negative) / n_all,
        false_positive_rate=false_positive / background if background else 0.0,
        false_negative_rate=false_negative / n_true if n_true else 0.0,
    )


def surface_points_mm(mask: np.ndarray, spacing_zyx_mm: tuple[float, float, float]) -> np.ndarray:
    """Return the centres (mm) of voxels of `mask` that have a face neighbour outside it.

    The border of the array is no surface: a vertebra cut by the field of view is compared where
    it is seen.

    Returns
    -------
    ndarray, shape (n, 3)
    """
    inner = ndimage.binary_erosion(mask, border_value=1)
    return np.argwhere(mask & ~inner) * np.asarray(spacing_zyx_mm, float)


def surface_distances(
    true_mask: np.ndarray,
    found_mask: np.ndarray,
    spacing_zyx_mm: tuple[float, float, float],
) -> SurfaceDistances:
    """Measure the distances between the surfaces of two masks.

    Raises
    ------
    ValueError
        If a mask has no surface.
    """
    true_points = surface_points_mm(true_mask, spacing_zyx_mm)
    found_points = surface_points_mm(found_mask, spacing_zyx_mm)
    if len(true_points) == 0 or len(found_points) == 0:
        raise ValueError("a mask has no surface")
    to_found = cKDTree(found_points).query(true_points)[0]
    to_true = cKDTree(true_points).query(found_points)[0]
    return SurfaceDistances(
        mean_mm=float(np.concatenate([to_found, to_true]).mean()),
        hausdorff_mm=float(max(to_found.max(), to_true.max())),
        hausdorff95_mm=float(max(np.percentile(to_found, 95), np.percentile(to_true, 95))),
        average_hausdorff_mm=float((to_found.mean() + to_true.mean()) / 2),
    )


def pair_labels(true_labels: np.ndarray, found_labels: np.ndarray) -> dict[int, int]:
    """Pair the instances of two label maps, whatever their numbers, by greatest total Dice.

    Pairing by overlap keeps segmentation apart from labelling: masks that are all named one level
    too low still count as good masks.

    Parameters
    ----------
    true_labels, found_labels : ndarray of uint8
        0 is background.

    Returns
    -------
    dict
        True number -> found number, for instances that overlap at all.
    """
    true_sizes = np.bincount(true_labels.ravel(), minlength=256)
    found_sizes = np.bincount(found_labels.ravel(), minlength=256)
    joint_mask = (true_labels > 0) & (found_labels > 0)
    joint = true_labels[joint_mask].astype(np.int64) * 256 + found_labels[joint_mask]
    shared = np.bincount(joint, minlength=256 * 256).reshape(256, 256)
    dice = 2 * shared / np.maximum(true_sizes[:, None] + found_sizes[None], 1)
    rows, columns = linear_sum_assignment(-dice)
    return {int(i): int(j) for i, j in zip(rows, columns, strict=True) if dice[i, j] > 0}


def score_labels(
    true_labels: np.ndarray,
    found_labels: np.ndarray,
    spacing_zyx_mm: tuple[float, float, float],
    names: Mapping[int, str],
    in_view: Mapping[int, bool],
    part: str,
    pairs: Mapping[int, int] | None = None,
) -> tuple[MaskScore, ...]:
    """Score every instance of `true_labels` against the found one paired with it.

    Parameters
    ----------
    true_labels, found_labels : ndarray of uint8, shape (z, y, x)
    spacing_zyx_mm : tuple of float
    names : mapping
        Number -> level name, for both maps; other true numbers are left out.
    in_view : mapping
        True number -> whether the body lies in the field of view (default: yes).
    part : str
        ``"vertebra"`` or ``"body"``.
    pairs : mapping, optional
        True -> found number; by default from `pair_labels`. Pass the pairs of the whole vertebrae
        when scoring bodies.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if true_labels.shape != found_labels.shape:
        raise ValueError(f"label maps differ in shape: {true_labels.shape}, {found_labels.shape}")
    if pairs is None:
        pairs = pair_labels(true_labels, found_labels)
    true_boxes = ndimage.find_objects(true_labels)
    found_boxes = ndimage.find_objects(found_labels)
    scores = []
    for number, box in enumerate(true_boxes, start=1):
        if box is None or number not in names:
            continue
        partner = pairs.get(number, 0)
        found_box = found_boxes[partner - 1] if 0 < partner <= len(found_boxes) else None
        where = _enlarged(box, found_box, true_labels.shape, spacing_zyx_mm)
        true_mask = true_labels[where] == number
        found_mask = (
            found_labels[where] == partner if found_box is not None else np.zeros_like(true_mask)
        )
        scores.append(
            _score(
                true_mask,
                found_mask,
                spacing_zyx_mm,
                level=names[number],
                part=part,
                found_level=names.get(partner) if found_box is not None else None,
                in_view=in_view.get(number, True),
            )
        )
    return tuple(scores)


def _enlarged(box, other, shape, spacing_zyx_mm):
    boxes = [b for b in (box, other) if b is not None]
    margins = [int(np.ceil(BOX_MARGIN_MM / s)) for s in spacing_zyx_mm]
    return tuple(
        slice(
            max(0, min(b[axis].start for b in boxes) - margins[axis]),
            min(shape[axis], max(b[axis].stop for b in boxes) + margins[axis]),
        )
        for axis in range(3)
    )


def _score(true_mask, found_mask, spacing_zyx_mm, *, level, part, found_level, in_view):
    agreement = overlap(true_mask, found_mask)
    found = bool(found_mask.any())
    surface = surface_distances(true_mask, found_mask, spacing_zyx_mm) if found else None
    return MaskScore(
        level=level,
        part=part,
        found_level=found_level,
        in_view=in_view,
        dice=agreement.dice,
        iou=agreement.iou,
        pixel_accuracy=agreement.pixel_accuracy,
        false_positive_rate=agreement.false_positive_rate,
        false_negative_rate=agreement.false_negative_rate,
        mean_surface_distance_mm=surface.mean_mm if surface else None,
        hausdorff_mm=surface.hausdorff_mm if surface else None,
        hausdorff95_mm=surface.hausdorff95_mm if surface else None,
        average_hausdorff_mm=surface.average_hausdorff_mm if surface else None,
    )
