"""Parts that a label of a segmentation falls into, and those that belong to no vertebra."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from .counting import counted
from .levels import level_numbered
from .volume import LabelVolume

FAR_MM = 10.0
"""Parts of one vertebra lie closer together: where the spinous process or, in spondylolysis, the
whole arch is drawn apart from the body, a few millimetres lie between."""

LARGE_SHARE = 0.25
"""A far part of this share of the largest one is no stray stroke of a brush: which of the two is
the vertebra cannot be told."""

_TOUCHING = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class CheckedParts:
    """A label map without stray parts.

    Attributes
    ----------
    labels : LabelVolume
    warnings : tuple of str
        What was left out, one sentence for each label.
    doubts : dict of int to str
        Number of a label that has several large parts -> a sentence saying so.
    """

    labels: LabelVolume
    warnings: tuple[str, ...]
    doubts: dict[int, str]


def without_stray_parts(labels: LabelVolume) -> CheckedParts:
    """Take out small parts of labels that lie far from the largest part.

    Parameters
    ----------
    labels : LabelVolume
        VerSe numbers; left as it is.
    """
    array, warnings, doubts = labels.labels, [], {}
    voxel_ml = float(np.prod(labels.spacing_xyz_mm)) / 1000
    for number, box in enumerate(ndimage.find_objects(array), 1):
        if box is None:
            continue
        parts, count = ndimage.label(array[box] == number, _TOUCHING)
        if count < 2:
            continue
        sizes = np.bincount(parts.ravel())[1:]
        far = _far_parts(parts, int(sizes.argmax()) + 1, labels.spacing_xyz_mm[::-1])
        large = [i for i in far if sizes[i - 1] >= LARGE_SHARE * sizes.max()]
        name = level_numbered(number).name
        if large:
            count = len(large) + 1
            doubts[number] = f"The label {name} has {count} large parts far apart: not graded."
        elif far:
            array = array.copy() if array is labels.labels else array
            array[box][np.isin(parts, far)] = 0
            millilitres = float(sizes[np.array(far) - 1].sum()) * voxel_ml
            warnings.append(
                f"The label {name} has {counted(len(far), 'stray part')} of "
                f"{millilitres:.2f} ml far from the vertebra, left out."
            )
    return CheckedParts(replace(labels, labels=array), tuple(warnings), doubts)


def _far_parts(parts: np.ndarray, main: int, spacing_zyx_mm: tuple[float, ...]) -> list[int]:
    """Numbers of the parts that come nowhere near part `main`."""
    place = np.asarray(spacing_zyx_mm)
    inside = parts == main
    surface = inside & ~ndimage.binary_erosion(inside)
    others = np.argwhere((parts > 0) & ~inside)
    tree = cKDTree(np.argwhere(surface) * place)
    distance, _ = tree.query(others * place, distance_upper_bound=FAR_MM)
    near = np.zeros(int(parts.max()) + 1, bool)
    near[parts[tuple(others[np.isfinite(distance)].T)]] = True
    near[[0, main]] = True
    return np.flatnonzero(~near).tolist()
