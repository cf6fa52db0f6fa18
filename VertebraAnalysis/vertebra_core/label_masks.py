"""Vertebrae of a label map as the masks that segmentation would have given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .errors import Cancelled
from .grading.body_split import BodySplitError, split_body
from .grading.mask_crops import MaskCrop, crop_of_label
from .label_volumes import LEAST_VOLUME_ML
from .levels import Level, level_named, level_numbered
from .segmentation.segment import VertebraMask
from .spine_course import spine_courses, tilt_deg
from .volume import LabelVolume, labels_in_box

_MARGIN_MM = 6.0
_SPACING_MM = 1.0

_UP_ZYX = (1.0, 0.0, 0.0)
_STRONG_TILT_DEG = 25.0
"""A body is found from a direction right within 40 degrees; up to here the long axis serves."""


@dataclass(frozen=True)
class LabelledMask:
    """A vertebra of a label map.

    Attributes
    ----------
    level : Level
    mask : VertebraMask
        On a 1 mm grid along the patient's axes that starts at `grid_origin_lps_mm`.
    center_lps_mm : tuple of float
        Of its body; of the whole vertebra where there is none.
    volume_ml : float
    touches_edge : bool
        The label reaches the edge of the label map.
    why_no_body : str
        Empty, or a sentence saying why no body could be told apart. C1 and C2 have none to measure.
    up_zyx : tuple of float
        Unit vector up the spine: the patient's long axis unless neighbours show a strong tilt.
    """

    level: Level
    mask: VertebraMask
    center_lps_mm: tuple[float, float, float]
    volume_ml: float
    touches_edge: bool
    why_no_body: str = ""
    up_zyx: tuple[float, float, float] = _UP_ZYX


def masks_of_labels(
    labels: LabelVolume,
    bodies: LabelVolume | None,
    grid_origin_lps_mm: tuple[float, float, float],
    on_progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> tuple[tuple[LabelledMask, ...], tuple[str, ...]]:
    """Turn labels into masks, head to foot.

    Parameters
    ----------
    labels : LabelVolume
        VerSe numbers on any grid; S1 is passed over.
    bodies : LabelVolume or None
        Bodies with the same numbers on the same grid. Without it they are cut out of the whole
        vertebrae.
    grid_origin_lps_mm : tuple of float
        First voxel of the 1 mm grid that the masks are to lie on.
    on_progress, cancelled : callable

    Returns
    -------
    masks : tuple of LabelledMask
    warnings : tuple of str

    Raises
    ------
    Cancelled
    """
    boxes = ndimage.find_objects(labels.labels)
    found, warnings = [], []
    origin = np.asarray(grid_origin_lps_mm, float)
    wanted = [(n, b) for n, b in enumerate(boxes, 1) if b is not None]
    wanted = [(n, b) for n, b in wanted if level_numbered(n).name != "S1"]
    voxel_ml = float(np.prod(labels.spacing_xyz_mm)) / 1000
    courses = _strong_tilts(labels, wanted)
    for done, (number, box) in enumerate(wanted):
        if cancelled():
            raise Cancelled()
        level = level_numbered(number)
        volume_ml = float((labels.labels[box] == number).sum()) * voxel_ml
        if volume_ml < LEAST_VOLUME_ML:
            warnings.append(
                f"The label {level.name} holds only {volume_ml:.2f} ml and was left out."
            )
            continue
        touches = any(
            s.start == 0 or s.stop == n for s, n in zip(box, labels.labels.shape, strict=True)
        )
        up = courses.get(number, _UP_ZYX)
        found.append(_labelled(labels, bodies, box, level, origin, volume_ml, touches, up))
        on_progress((done + 1) / len(wanted))
    found.sort(key=lambda v: -v.center_lps_mm[2])
    return tuple(found), tuple(warnings)


def _strong_tilts(labels: LabelVolume, wanted) -> dict[int, tuple[float, float, float]]:
    """Course of the spine (z, y, x) at the labels where it is far from the long axis."""
    ordered = sorted(wanted, key=lambda label: level_numbered(label[0]).order)
    centres = [
        labels.index_to_lps(
            np.argwhere(labels.labels[box] == number).mean(0) + [s.start for s in box]
        )
        for number, box in ordered
    ]
    courses = spine_courses(centres)
    return {
        number: tuple(course.tolist())
        for (number, _), course in zip(ordered, courses, strict=True)
        if course is not None and _STRONG_TILT_DEG < tilt_deg(course) < 90
    }


def _labelled(labels, bodies, box, level, origin, volume_ml, touches, up_zyx) -> LabelledMask:
    like = _crop_grid(labels, box, origin)
    vertebra = crop_of_label(labels_in_box(labels, box), level.number, like=like).probability
    body, why = np.zeros_like(vertebra), ""
    if bodies is not None:
        body = crop_of_label(labels_in_box(bodies, box), level.number, like=like).probability
        body = np.minimum(body, vertebra)
        why = "" if (body > 0.5).any() else "The label map of bodies does not hold it."
    elif level.order >= level_named("C3").order:
        try:
            body = split_body(vertebra, _SPACING_MM, np.array(up_zyx)).body
        except BodySplitError as error:
            why = f"Its body could not be told apart: {error}."
    inside = body > 0.5
    inside = inside if inside.any() else vertebra > 0.5
    center = np.asarray(like.origin_lps_mm) + ndimage.center_of_mass(inside)[::-1]
    center = tuple(float(c) for c in center)
    start = np.rint((np.asarray(like.origin_lps_mm) - origin)[::-1] / _SPACING_MM).astype(int)
    mask = VertebraMask(
        center,
        tuple(int(i) for i in start),
        like.origin_lps_mm,
        vertebra.astype(np.float16),
        body.astype(np.float16),
    )
    return LabelledMask(level, mask, center, volume_ml, touches, why, up_zyx)


def _crop_grid(labels: LabelVolume, box: tuple[slice, ...], origin: np.ndarray) -> MaskCrop:
    ends = np.array([[s.start, s.stop - 1] for s in box])
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), -1).reshape(8, 3)
    points = labels.index_to_lps(corners)
    low = np.floor((points.min(0) - _MARGIN_MM - origin) / _SPACING_MM)
    high = np.ceil((points.max(0) + _MARGIN_MM - origin) / _SPACING_MM)
    shape = tuple(int(n) for n in (high - low + 1)[::-1])
    place = tuple((origin + low * _SPACING_MM).tolist())
    return MaskCrop(np.zeros(shape, np.float32), place, _SPACING_MM, False)
