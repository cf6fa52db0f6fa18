"""Somebody's map of vertebral bodies in the numbers of the vertebrae it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .errors import InputError
from .label_numbers import AUTO, TOTALSEGMENTATOR, TOTALSEGMENTATOR_1, VERSE
from .segment_levels import numbered_by_level, recognised_numbering
from .volume import LabelVolume, resample_labels, same_grid

PLAIN = "plain"
"""Numbering of a map that holds bodies, but not which is which."""

_WHAT = "map of bodies"
# TotalSegmentator's task "vertebrae_body": 1 is all bodies, 2 all discs.
_PLAIN_BODY, _PLAIN_VALUES = 1, {1, 2}
_MOST = 0.5


@dataclass(frozen=True)
class GivenBodies:
    """A map of bodies, understood.

    Attributes
    ----------
    labels : LabelVolume
        VerSe numbers, on the grid of the vertebrae.
    numbering : str
        `PLAIN`, or as `segment_levels.recognised_numbering` gives it.
    warnings : tuple of str
    """

    labels: LabelVolume
    numbering: str
    warnings: tuple[str, ...]


def bodies_of_vertebrae(
    bodies: LabelVolume, vertebrae: LabelVolume, scheme: str = AUTO
) -> GivenBodies:
    """Give bodies the numbers of the vertebrae that they lie in.

    The map may be numbered otherwise than that of the vertebrae: the numbering counts by which
    bodies lie in vertebrae of their level. A map that only tells bodies from discs is
    divided by the vertebrae.

    Parameters
    ----------
    bodies : LabelVolume
        As read, on any grid.
    vertebrae : LabelVolume
        VerSe numbers.
    scheme : str
        Numbering to try first, one of `label_numbers.SCHEMES`.

    Raises
    ------
    InputError
        ``no_overlap`` if bodies and vertebrae lie apart, ``no_common_level`` if they bear different
        levels, and what `numbered_by_level` raises for a map that it cannot read.
    """
    if not same_grid(bodies, vertebrae):
        bodies = resample_labels(bodies, vertebrae)
    inside = (bodies.labels > 0) & (vertebrae.labels > 0)
    if not inside.any():
        raise InputError(
            "no_overlap",
            "The bodies do not lie inside the vertebrae of the segmentation.",
            "Give both label maps of the same scan, or leave out --bodies.",
        )
    found, share = _best_numbered(bodies, vertebrae, inside, scheme)
    values = set(np.unique(bodies.labels[inside]).tolist())
    if share < _MOST and _PLAIN_BODY in values <= _PLAIN_VALUES:
        return _divided(bodies, vertebrae)
    if found is None:
        raise InputError(
            "no_common_level",
            "The map of bodies and the segmentation have no level in common.",
            "Number the bodies as the vertebrae are numbered, or leave out --bodies.",
        )
    if share < _MOST:
        warning = f"Only {share:.0%} of the given bodies lie in vertebrae of their level."
        found = replace(found, warnings=(*found.warnings, warning))
    return found


def _best_numbered(
    bodies: LabelVolume, vertebrae: LabelVolume, inside: np.ndarray, scheme: str
) -> tuple[GivenBodies | None, float]:
    """Return the first reading of the map that fits, or the best one, and the share that fits."""
    best, share = None, 0.0
    given = vertebrae.labels[inside]
    for tried in dict.fromkeys((scheme, AUTO, VERSE, TOTALSEGMENTATOR, TOTALSEGMENTATOR_1)):
        try:
            labels, warnings = numbered_by_level(bodies, tried, _WHAT)
        except InputError as error:
            if error.code != "no_vertebra_labels":
                raise
            continue
        own = float((labels.labels[inside] == given).mean())
        if own > share:
            numbering = recognised_numbering(bodies, tried)
            best, share = GivenBodies(labels, numbering, warnings), own
        if share >= _MOST:
            break
    return best, share


def _divided(bodies: LabelVolume, vertebrae: LabelVolume) -> GivenBodies:
    labels = np.where(bodies.labels == _PLAIN_BODY, vertebrae.labels, 0).astype(np.uint8)
    placed = (vertebrae.spacing_xyz_mm, vertebrae.origin_lps_mm, vertebrae.direction)
    warning = (
        "The map of bodies does not say which body is which: its value 1 was taken for all of "
        "them, divided by the labels of the vertebrae."
    )
    return GivenBodies(LabelVolume(labels, *placed), PLAIN, (warning,))
