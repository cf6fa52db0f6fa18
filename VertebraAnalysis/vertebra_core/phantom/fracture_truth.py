"""Which walls of a phantom's bodies broke: endplates from its patient, posterior wall from heights.

A scene states heights before and after a fracture, but not how the loss is shared between the two
endplates. That follows from the patient, which is the first thing drawn from the scene's seed.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..levels import level_numbered
from .fracture import Fracture
from .patient import draw_patient
from .scene import PhantomVertebra

ENDPLATE_LOSS = 0.08
POSTERIOR_LOSS = 0.10
"""A wall counts as broken from this share of the intact height on: 2 mm of a lumbar body, and
for the posterior wall more than the ripples of a fracture that spares it."""

_LOSS_TOLERANCE = 0.10


def broken_walls(vertebra: PhantomVertebra, scene_seed: int) -> tuple[float, float, float]:
    """Tell which walls of a body broke.

    Parameters
    ----------
    vertebra : PhantomVertebra
    scene_seed : int
        Seed of the scene it belongs to.

    Returns
    -------
    tuple of float
        Superior endplate, inferior endplate, posterior wall: 1 broken, 0 not, NaN where the patient
        cannot be told from the seed (scenes built by another version, or of a given patient).
    """
    if vertebra.grade == 0:
        return 0.0, 0.0, 0.0
    posterior = 1 - vertebra.height_posterior_mm / vertebra.intact_heights_mm[2]
    wall = float(posterior >= POSTERIOR_LOSS)
    fracture = _fractures(scene_seed).get(level_numbered(vertebra.level).name)
    if fracture is None or not _fits(fracture, vertebra):
        return float("nan"), float("nan"), wall
    upper = fracture.loss * fracture.superior_share
    lower = fracture.loss - upper
    return float(upper >= ENDPLATE_LOSS), float(lower >= ENDPLATE_LOSS), wall


@lru_cache(maxsize=512)
def _fractures(scene_seed: int) -> dict[str, Fracture]:
    """Fractures of the patient that `scene_builder.build_scene` draws for a seed."""
    return dict(draw_patient(np.random.default_rng(scene_seed)).column.fractures)


def _fits(fracture: Fracture, vertebra: PhantomVertebra) -> bool:
    """Tell whether a fracture can be the one that was built."""
    now = (vertebra.height_anterior_mm, vertebra.height_middle_mm, vertebra.height_posterior_mm)
    losses = [1 - a / b for a, b in zip(now, vertebra.intact_heights_mm, strict=True)]
    same = fracture.shape == vertebra.shape
    return same and abs(max(losses) - fracture.loss) < _LOSS_TOLERANCE
