"""Segmentations that hold bodies only, though whole vertebrae were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .analysis import Vertebra
from .stages import Candidate

BODY_SHARE = 0.95
"""Share of the body in its label from which the arch is missing. In whole vertebrae from C3 to L5
of public segmentations it is 0.37 to 0.72, in maps of bodies 0.97."""

WARNING = (
    "The segmentation seems to hold bodies without their arches: volumes of whole vertebrae are "
    "left empty."
)


def without_arch_volumes(
    vertebrae: Sequence[Vertebra], candidates: Sequence[Candidate]
) -> tuple[tuple[Vertebra, ...], tuple[str, ...]]:
    """Leave volumes empty where most labels have no arch, and say so.

    Parameters
    ----------
    vertebrae : sequence of Vertebra
    candidates : sequence of Candidate
        One for each.

    Returns
    -------
    vertebrae : tuple of Vertebra
    warnings : tuple of str
    """
    shares = [_body_share(c) for c in candidates]
    known = [s for s in shares if s is not None]
    if 2 * sum(s > BODY_SHARE for s in known) <= len(known):
        return tuple(vertebrae), ()
    bare = [s is not None and s > BODY_SHARE for s in shares]
    emptied = (
        replace(v, volume_ml=None) if no_arch else v
        for v, no_arch in zip(vertebrae, bare, strict=True)
    )
    return tuple(emptied), (WARNING,)


def _body_share(candidate: Candidate) -> float | None:
    """Part of a label that its body makes up; None where the scan cuts it or there is no body."""
    body = int((candidate.mask.body > 0.5).sum())
    if not body or candidate.body_cut or candidate.arch_cut:
        return None
    return body / int((candidate.mask.vertebra > 0.5).sum())
