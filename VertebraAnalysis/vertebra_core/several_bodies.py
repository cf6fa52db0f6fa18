"""Tells a mask that holds several vertebrae, as where one label was given to all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from .errors import InputError

if TYPE_CHECKING:
    from .label_masks import LabelledMask

CORE_DEPTH_MM = 3
"""Bodies are thicker than twice this, and what joins two of them, facets and bony lips, is not."""

LEAST_SHARE = 0.25
"""Volume of a core over that of the largest one; articular masses and processes hold less."""

LEAST_STEP_MM = 10.0
"""Centres of neighbouring cervical bodies, the closest ones, lie 14 to 18 mm apart."""

TALLEST_CORE_MM = 70.0
"""No body reaches this height, even aslant: where discs are labelled too, cores are one column."""


def holds_several_bodies(vertebra: np.ndarray, up_zyx: Sequence[float] = (1.0, 0.0, 0.0)) -> bool:
    """Tell whether a mask has thick parts one above another.

    Parameters
    ----------
    vertebra : ndarray, shape (z, y, x)
        Probability of a whole vertebra on a grid of 1 mm along the patient's axes.
    up_zyx : sequence of float
        Unit vector up the spine.
    """
    core = ndimage.binary_erosion(np.asarray(vertebra) > 0.5, iterations=CORE_DEPTH_MM)
    parts, count = ndimage.label(core)
    if count == 0:
        return False
    sizes = np.bincount(parts.ravel())[1:]
    thick = [i for i in range(count) if sizes[i] >= LEAST_SHARE * sizes.max()]
    points = [np.argwhere(parts == i + 1) for i in thick]
    if any(np.ptp(p @ up_zyx) >= TALLEST_CORE_MM for p in points):
        return True
    centres = np.array([p.mean(0) for p in points])
    steps = centres[:, None] - centres[None]
    along = np.abs(steps @ up_zyx)
    aside = np.sqrt(np.maximum((steps**2).sum(-1) - along**2, 0))
    return bool(((along > LEAST_STEP_MM) & (along > aside)).any())


def several_bodies_doubts(found: Sequence[LabelledMask]) -> dict[int, str]:
    """Return number of a label -> a sentence, for each that holds several bodies.

    Raises
    ------
    InputError
        ``several_bodies`` if all of them do: then labels do not tell vertebrae apart.
    """
    several = [v.level for v in found if holds_several_bodies(v.mask.vertebra, v.up_zyx)]
    if several and len(several) == len(found):
        raise InputError(
            "several_bodies",
            "The segmentation gives several vertebrae one label.",
            "Give every vertebra a label of its own, numbered or named by its level; if each has "
            "one, the voxel size of the map is too large.",
        )
    why = "holds several bodies, one above another: not graded."
    return {level.number: f"The label {level.name} {why}" for level in several}
