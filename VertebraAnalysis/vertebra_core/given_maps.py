"""Label maps that somebody gave: on one grid, in one numbering, and what is odd about them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .errors import InputError
from .given_bodies import GivenBodies, bodies_of_vertebrae
from .label_numbers import AUTO
from .label_parts import without_stray_parts
from .label_volumes import LEAST_VOLUME_ML
from .levels import MOBILE_LEVELS
from .segment_levels import numbered_by_level, recognised_numbering
from .volume import CtVolume, LabelVolume, resample_labels, same_grid

_LEAST_OVERLAP = 0.5


@dataclass(frozen=True)
class GivenMaps:
    """What there is to grade.

    Attributes
    ----------
    labels : LabelVolume
        VerSe numbers, on the grid of the CT where there is one.
    own : LabelVolume
        The same on the grid that they came on, which may end within the CT.
    bodies : GivenBodies or None
        On the grid of `labels`.
    numbering : str
        As `segment_levels.recognised_numbering` gives it.
    doubts : dict of int to str
        Number of a label that cannot be one vertebra -> why.
    warnings : tuple of str
    """

    labels: LabelVolume
    own: LabelVolume
    bodies: GivenBodies | None
    numbering: str
    doubts: dict[int, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def given_maps(
    segmentation: LabelVolume,
    ct: CtVolume | None = None,
    bodies: LabelVolume | None = None,
    scheme: str = AUTO,
) -> GivenMaps:
    """Number the labels of a segmentation and of its bodies, and take stray parts out.

    Parameters
    ----------
    segmentation : LabelVolume
    ct : CtVolume, optional
        Gives the grid.
    bodies : LabelVolume, optional
    scheme : str
        Numbering, one of `label_numbers.SCHEMES`.

    Raises
    ------
    InputError
        ``no_overlap`` and what `numbered_by_level` and `bodies_of_vertebrae` raise.
    """
    numbered, warnings = numbered_by_level(segmentation, scheme)
    checked = without_stray_parts(numbered)
    labels = checked.labels if ct is None else on_grid_of(ct, checked.labels)
    lost = () if ct is None else _outside(checked.labels, labels)
    own_bodies = None if bodies is None else bodies_of_vertebrae(bodies, labels, scheme)
    more = () if own_bodies is None else own_bodies.warnings
    return GivenMaps(
        labels,
        checked.labels,
        own_bodies,
        recognised_numbering(segmentation, scheme),
        checked.doubts,
        (*warnings, *checked.warnings, *lost, *more),
    )


def _outside(own: LabelVolume, moved: LabelVolume) -> tuple[str, ...]:
    """Return a sentence for the vertebrae that `moved`, on the grid of the CT, has lost."""
    if own is moved:
        return ()
    voxel_ml = float(np.prod(own.spacing_xyz_mm)) / 1000
    counts = [np.bincount(m.labels.ravel(), minlength=256) for m in (own, moved)]
    lost = np.flatnonzero((counts[0] * voxel_ml >= LEAST_VOLUME_ML) & (counts[1] == 0))
    names = [level.name for level in MOBILE_LEVELS if level.number in lost]
    if not names:
        return ()
    return (f"Outside the CT, so left out of the segmentation: {', '.join(names)}.",)


def on_grid_of(ct: CtVolume, labels: LabelVolume) -> LabelVolume:
    """Return a label map on the grid of the CT.

    Raises
    ------
    InputError
        ``no_overlap`` if less than half of what is labelled lies inside the CT.
    """
    if same_grid(labels, ct):
        return labels
    moved = resample_labels(labels, ct)
    before = float((labels.labels > 0).sum()) * float(np.prod(labels.spacing_xyz_mm))
    after = float((moved.labels > 0).sum()) * float(np.prod(ct.spacing_xyz_mm))
    if after < _LEAST_OVERLAP * before:
        raise InputError(
            "no_overlap",
            f"Only {after / before:.0%} of the segmentation lies inside the CT.",
            "Give the segmentation and the CT of the same scan.",
        )
    return moved
