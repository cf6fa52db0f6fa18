"""What a label map must be to serve as truth."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..errors import InputError
from ..label_numbers import verse_names
from ..several_bodies import holds_several_bodies
from ..volume import CtVolume, LabelVolume, labels_in_box, resample_labels


def check_not_empty(labels: np.ndarray, what: str) -> None:
    """Refuse a map without any vertebra.

    Parameters
    ----------
    labels : ndarray of uint8, shape (z, y, x)
        VerSe numbers.
    what : str
        ``"labels"`` or ``"bodies"``.

    Raises
    ------
    InputError
        ``no_vertebra_labels``.
    """
    if not np.isin(labels, list(verse_names())).any():
        raise InputError(
            "no_vertebra_labels",
            f"No vertebra is labelled in its map of {what}.",
            "Label what is in view, or take the scan out of the folder.",
        )


def check_apart(labels: np.ndarray, geometry: CtVolume) -> None:
    """Refuse a map most of whose volume lies in labels that hold several vertebrae each.

    Parameters
    ----------
    labels : ndarray of uint8, shape (z, y, x)
        VerSe numbers.
    geometry : CtVolume
        Volume whose grid the map has.

    Raises
    ------
    InputError
        ``several_bodies``.
    """
    placed = LabelVolume(
        labels, geometry.spacing_xyz_mm, geometry.origin_lps_mm, geometry.direction
    )
    boxes = ndimage.find_objects(labels)
    volumes = np.bincount(labels.ravel(), minlength=256)
    numbers = sorted((n for n in verse_names() if volumes[n]), key=lambda n: -volumes[n])
    half = sum(volumes[n] for n in numbers) / 2
    one = several = 0
    # The largest first: where a map is sound, some of its vertebrae tell.
    for number in numbers:
        if holds_several_bodies(_upright(labels_in_box(placed, boxes[number - 1])) == number):
            several += volumes[number]
        else:
            one += volumes[number]
        if one >= half:
            return
        if several > half:
            raise InputError(
                "several_bodies",
                "Its label map gives several vertebrae one label.",
                "Give every vertebra a label of its own, numbered by its level.",
            )


def _upright(part: LabelVolume) -> np.ndarray:
    """Return a piece of a label map on a grid of 1 mm along the patient's axes."""
    corners = part.corners_lps_mm()
    low = corners.min(0)
    shape = (np.ceil(corners.max(0) - low).astype(int) + 1)[::-1]
    grid = LabelVolume(np.zeros(shape, np.uint8), (1.0, 1.0, 1.0), tuple(low.tolist()))
    return resample_labels(part, grid).labels
