"""Warning that the edge of a scan runs along the spine, through the bodies."""

from __future__ import annotations

from collections.abc import Sequence

from .stages import Candidate

LEAST_CUT = 3
"""Bodies that the edge cuts, at least; the ends of a scan cut one each in any long scan."""


def cut_spine_warnings(candidates: Sequence[Candidate]) -> list[str]:
    """Return a sentence if most of the bodies found are cut, or nothing.

    Half a body is easily missed: on a chest crop whose back edge cuts the bodies three of seven are
    found.

    Parameters
    ----------
    candidates : sequence of Candidate
    """
    cut = sum(c.body_cut for c in candidates)
    if cut < LEAST_CUT or 2 * cut <= len(candidates):
        return []
    return [
        f"The edge of the scan cuts {cut} of {len(candidates)} bodies: further vertebrae may have "
        "been missed. Use a larger field of view if there is one."
    ]
