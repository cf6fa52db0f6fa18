"""Which walls of a phantom's bodies broke: endplates by how far they sank, the third by heights."""

from __future__ import annotations

import math

from .scene import PhantomVertebra

ENDPLATE_LOSS = 0.08
POSTERIOR_LOSS = 0.10
"""A wall counts as broken from this share of the intact height on: 2 mm of a lumbar body, and
for the posterior wall more than the ripples of a fracture that spares it."""


def broken_walls(vertebra: PhantomVertebra) -> tuple[float, float, float]:
    """Tell which walls of a body broke.

    Returns
    -------
    tuple of float
        Superior endplate, inferior endplate, posterior wall: 1 broken, 0 not, NaN where the scene
        does not tell.
    """
    if vertebra.grade == 0:
        return 0.0, 0.0, 0.0
    superior, inferior = (
        math.nan if math.isnan(loss) else float(loss >= ENDPLATE_LOSS)
        for loss in vertebra.endplate_losses
    )
    posterior = 1 - vertebra.height_posterior_mm / vertebra.intact_heights_mm[2]
    return superior, inferior, float(posterior >= POSTERIOR_LOSS)
