"""How high the discs of one spine are: the build of a patient, and single worn discs.

A patient with low discs has taller bodies between the same centres; a disc that wears out lets its
neighbours sink together and leaves their heights alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..levels import Region, level_named

# Least and greatest height of a spine's discs against the usual ones of its region. Thoracic discs
# are the lowest and spread widely: those of the public chest are 2-3 mm high between T1 and T10,
# half of the usual 4-5 mm.
_BUILD = {
    Region.CERVICAL: (0.65, 1.15),
    Region.THORACIC: (0.45, 1.15),
    Region.LUMBAR: (0.75, 1.15),
}

_WORN_SHARE = 0.05, 0.35
"""Share of worn discs among the young and, added to it, in spines wholly degenerated."""

_WORN_HEIGHT = 0.35, 0.85
"""Height left of a worn disc, as a share of what it was."""


@dataclass(frozen=True)
class DiscHeights:
    """Heights of the discs of one spine against the usual ones.

    Attributes
    ----------
    build : tuple of float
        Per level, head to foot with the sacrum: the discs that its body was built for.
    left : tuple of float
        Per pair of neighbours: what wear left of their disc (1: all).
    """

    build: tuple[float, ...]
    left: tuple[float, ...]


def draw_disc_heights(
    levels: tuple[str, ...], degeneration: float, rng: np.random.Generator
) -> DiscHeights:
    """Draw the discs of a spine.

    Parameters
    ----------
    levels : tuple of str
        Head to foot, ``"S1"`` last.
    degeneration : float
        0 (young) to 1.
    rng : numpy.random.Generator
    """
    build = {region: float(rng.uniform(*limits)) for region, limits in _BUILD.items()}
    usual = build[Region.LUMBAR]
    first, more = _WORN_SHARE
    pairs = len(levels) - 1
    worn = rng.random(pairs) < first + more * degeneration
    left = np.where(worn, rng.uniform(*_WORN_HEIGHT, pairs), 1.0)
    return DiscHeights(
        tuple(build.get(level_named(name).region, usual) for name in levels),
        tuple(float(v) for v in left),
    )
