"""Which doubtful masks stay in the row of vertebrae, and which are dropped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .plausibility import Plausibility
from .segment import VertebraMask


def doubts_in_row(
    masks: Sequence[VertebraMask], verdicts: Sequence[Plausibility]
) -> list[str | None]:
    """Say for each mask why it is doubtful: "" if it is not, None if it is to be dropped.

    Deleting a vertebra shifts the names of all others, so what lies between two plausible ones is
    kept and flagged, as long as there is a body at all.
    """
    heights = np.array([m.center_lps_mm[2] for m in masks])
    plausible = np.array([v.plausible for v in verdicts], bool)
    doubts: list[str | None] = []
    for height, verdict in zip(heights, verdicts, strict=True):
        if verdict.plausible:
            doubts.append("")
            continue
        above, below = plausible & (heights > height), plausible & (heights < height)
        between = bool(above.any() and below.any()) and verdict.figures is not None
        doubts.append(verdict.reason if between else None)
    return doubts
