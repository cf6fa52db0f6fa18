"""Samples for single-vertebra labelling: binary masks of phantom vertebrae, nothing rendered."""

from __future__ import annotations

import numpy as np
import torch

from ..labelling.single_network import MASK_SHAPE_ZYX
from ..levels import level_numbered
from ..phantom.codes import CODE_MASK
from ..phantom.sampling import sample_scene
from ..segmentation.crops import CROP_SHIFT_ZYX_MM, WORKING_SPACING_MM
from ..settings import LARGE_CROP_ZYX
from .bank import BankSource, random_matrix
from .localisation_samples import SACRUM_NUMBER
from .sources import Sample

UNKNOWN_LEVEL = -100
SURFACE_SD_MM = 0.5
"""Segmentation puts the surface a little further in or out."""

CUT_SHARE = 0.1
"""Share of masks that the field of view cuts at the top or at the bottom."""

_RARE = (24, 25, 28)
_CENTER_SD_MM = 2.5
MASK_SPACING_ZYX_MM = tuple(
    n * WORKING_SPACING_MM / m for n, m in zip(LARGE_CROP_ZYX, MASK_SHAPE_ZYX, strict=True)
)


class PhantomMaskSource(BankSource):
    """Masks of the vertebrae in a bank.

    Each sample holds ``mask`` (bool, 48 x 96 x 96) and ``level`` (int64, `Level.order`, or
    `UNKNOWN_LEVEL` for a scene that shows no vertebra).

    Parameters
    ----------
    folder : Path
        Bank of scenes.
    validation : bool
        Use the scenes held aside.
    """

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a mask from the scene `name`."""
        scene = self._bank.load(name)
        chosen = _choose(scene, rng)
        if chosen is None:
            blank = torch.zeros(MASK_SHAPE_ZYX, dtype=torch.bool)
            return {"mask": blank, "level": torch.tensor(UNKNOWN_LEVEL)}
        matrix = random_matrix(rng, 7.0, (0.82, 1.2))
        shift = np.asarray(CROP_SHIFT_ZYX_MM) + rng.normal(0, _CENTER_SD_MM, 3)
        middle = np.asarray(chosen.center_zyx_mm) + matrix @ shift
        elastic = rng.uniform(0, 2.0) if rng.random() < 0.3 else 0.0
        spacing, shape = MASK_SPACING_ZYX_MM, MASK_SHAPE_ZYX
        sampled = sample_scene(scene, middle, spacing, shape, matrix, elastic, rng)
        surface = float(np.clip(rng.normal(0, SURFACE_SD_MM), -1.2, 1.2))
        mask = ((sampled.labels & CODE_MASK) == chosen.level) & (sampled.bone_sdf < surface)
        if rng.random() < CUT_SHARE:
            count = int(rng.integers(1, MASK_SHAPE_ZYX[0] // 2))
            mask.narrow(0, 0 if rng.random() < 0.5 else MASK_SHAPE_ZYX[0] - count, count).fill_(
                False
            )
        return {"mask": mask, "level": torch.tensor(level_numbered(chosen.level).order)}


def _choose(scene, rng: np.random.Generator):
    """A vertebra in view, rare levels more often than in life; None where there is none."""
    size = scene.size_mm
    found = [
        v
        for v in scene.vertebrae
        if v.level != SACRUM_NUMBER
        and ((np.asarray(v.center_zyx_mm) > 8) & (np.asarray(v.center_zyx_mm) < size - 8)).all()
    ]
    if not found:
        return None
    weights = np.array([2.0 if v.level in _RARE else 1.0 for v in found])
    return found[int(rng.choice(len(found), p=weights / weights.sum()))]
