"""Warning that head and foot of a volume seem to be swapped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .stages import Candidate

LEAST_BODIES = 8
"""Fewer may all be lumbar, of which none is much larger than another."""

LEAST_RATIO = 1.5
"""Volume of the uppermost third of the bodies over that of the lowest third, from which on head and
foot seem to be swapped. Bodies grow downwards: the ratio is 0.3-0.5 on two public chests, whole and
in parts, and on three phantoms; 2-3 on these chests with head and foot swapped."""


def upside_down_warnings(candidates: Sequence[Candidate]) -> list[str]:
    """Return a sentence if bodies grow towards the head, or nothing.

    Parameters
    ----------
    candidates : sequence of Candidate
        Head to foot. Bodies that the edge of the scan cuts do not count.
    """
    volumes = [int((c.mask.body > 0.5).sum()) for c in candidates if not c.body_cut]
    # The atlas has no body.
    volumes = [volume for volume in volumes if volume]
    if len(volumes) < LEAST_BODIES:
        return []
    third = len(volumes) // 3
    upper, lower = float(np.median(volumes[:third])), float(np.median(volumes[-third:]))
    if upper < LEAST_RATIO * lower:
        return []
    return [
        "The vertebrae grow towards the head: head and foot may be swapped in the file's header, "
        "and then all names and grades are wrong. Check the orientation of the volume."
    ]
