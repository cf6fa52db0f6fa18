"""The vertebrae of given label maps as masks, with those that are added to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .added_vertebrae import AddedPoint, Point, Segmenter, add_vertebrae
from .errors import InputError
from .given_maps import GivenMaps
from .label_masks import LabelledMask, masks_of_labels
from .label_volumes import only_levels
from .levels import Level
from .several_bodies import several_bodies_doubts
from .volume import CtVolume, LabelVolume


@dataclass(frozen=True)
class NamedMasks:
    """Vertebrae that a segmentation names.

    Attributes
    ----------
    labels : LabelVolume
        Their VerSe numbers and no others.
    masks : tuple of LabelledMask
        Head to foot.
    doubts : dict of int to str
        Number of a label that cannot be one vertebra -> why.
    warnings : tuple of str
        What is odd about the label maps.
    weights_sha256 : dict of str
        Of the networks that drew some of them.
    """

    labels: LabelVolume
    masks: tuple[LabelledMask, ...]
    doubts: dict[int, str]
    warnings: tuple[str, ...]
    weights_sha256: dict[str, str] = field(default_factory=dict)

    @property
    def levels(self) -> list[Level]:
        """Their levels, head to foot."""
        return [one.level for one in self.masks]


def named_masks(
    given: GivenMaps,
    grid_origin_lps_mm: Point,
    on_progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> NamedMasks:
    """Return the vertebrae of given label maps.

    Parameters
    ----------
    given : GivenMaps
    grid_origin_lps_mm : tuple of float
        First voxel of the 1 mm grid that the masks are to lie on.
    on_progress : callable
        Called with the fraction done.
    cancelled : callable

    Raises
    ------
    InputError
        ``no_vertebra_labels``.
    Cancelled
    """
    bodies = given.bodies and given.bodies.labels
    masks, warnings = masks_of_labels(
        given.labels, bodies, grid_origin_lps_mm, on_progress, cancelled
    )
    if not masks:
        raise InputError(
            "no_vertebra_labels",
            "The segmentation holds no whole vertebra.",
            "Name its segments L1, L2 and so on, or say by --numbers how they are numbered.",
        )
    labels = only_levels(given.labels, [one.level for one in masks])
    doubts = {**given.doubts, **several_bodies_doubts(masks)}
    return NamedMasks(labels, masks, doubts, (*given.warnings, *warnings))


def with_added(
    named: NamedMasks,
    ct: CtVolume,
    fine: CtVolume,
    added: Sequence[AddedPoint],
    segmenter: Segmenter,
    cancelled: Callable[[], bool],
) -> NamedMasks:
    """Add vertebrae at given points; parameters and errors are those of `add_vertebrae`."""
    labels, masks, odd = add_vertebrae(
        ct, fine, named.labels, named.masks, added, segmenter, cancelled
    )
    doubts = {**named.doubts, **odd}
    return NamedMasks(labels, masks, doubts, named.warnings, segmenter.weights_sha256)
