"""Vertebrae that a segmentation lacks: segmented at given points, under given names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .errors import InputError
from .label_masks import LabelledMask
from .levels import Level, level_numbered
from .segmentation.merge import merge
from .segmentation.plausibility import BODY_VOLUME_ML, Plausibility, judge
from .segmentation.segment import VertebraMask
from .volume import CtVolume, LabelVolume

Point = tuple[float, float, float]

REACH_MM = np.array([62.0, 90.0, 58.0])
"""How far around a point, along x, y and z, a vertebra and what surrounds it can lie."""

_SAME_SHARE = 0.5
"""Sharing more than this of the smaller one, two masks are of one vertebra."""

_LEAST_BODY_SHARE = 0.3
"""Body volume over that of its neighbours: a doubtful mask that holds less is no vertebra."""

_FARTHEST_MM = 5.0
"""A point may miss the body it is meant for by this much."""

_HINT = "Choose a point in the middle of its body."


@dataclass(frozen=True)
class AddedPoint:
    """A vertebra to be added.

    Attributes
    ----------
    center_lps_mm : tuple of float
        A point in its body, LPS mm [x, y, z].
    level : Level
    """

    center_lps_mm: Point
    level: Level


@dataclass(frozen=True)
class Segmenter:
    """What segments single vertebrae.

    Attributes
    ----------
    segment : callable
        (CT on the 1 mm grid, points in LPS mm, cancelled) -> one VertebraMask each.
    weights_sha256 : dict of str
    judge : callable
        (mask, CT on the 1 mm grid) -> Plausibility.
    """

    segment: Callable[
        [CtVolume, Sequence[Point], Callable[[], bool]],
        Sequence[VertebraMask],
    ]
    weights_sha256: dict[str, str]
    judge: Callable[[VertebraMask, CtVolume], Plausibility] = judge


def bundled_segmenter(device: str, threads: int, models_folder: Path | None) -> Segmenter:
    """Return the segmentation of an analysis with the default setting.

    Raises
    ------
    WeightsError
    InputError
        If the device is not there.
    """
    from .devices import choose_device, set_threads
    from .models import load_network
    from .segmentation.segment import segment
    from .settings import BEST
    from .stages import segmentation_options

    chosen = choose_device(device)
    set_threads(threads or None)
    network, record = load_network("segmentation", models_folder, chosen)
    how = segmentation_options(BEST)
    return Segmenter(
        lambda ct, points, cancelled: segment(ct, points, network, how, None, cancelled, chosen),
        {"segmentation": record.sha256},
    )


def check_point(ct: CtVolume | None, labels: LabelVolume, wanted: AddedPoint) -> None:
    """Refuse what needs no network to be refused.

    Parameters
    ----------
    ct : CtVolume or None
    labels : LabelVolume
        VerSe numbers on the grid of the CT.
    wanted : AddedPoint

    Raises
    ------
    InputError
        ``added_without_ct``, ``point_outside``, ``level_taken`` or ``already_segmented``.
    """
    name = wanted.level.name
    if ct is None:
        raise InputError(
            "added_without_ct", f"Without a CT {name} cannot be added.", "Give the CT as well."
        )
    index = np.rint(ct.lps_to_index(np.asarray(wanted.center_lps_mm))).astype(int)
    if (index < 0).any() or (index >= ct.hu.shape).any():
        raise InputError("point_outside", f"The point for {name} lies outside the CT.", _HINT)
    if (labels.labels == wanted.level.number).any():
        raise InputError(
            "level_taken",
            f"{name} is in the segmentation already.",
            "Choose another level, or rename that vertebra first.",
        )
    _refuse_segmented(int(labels.labels[tuple(index)]))


def add_vertebrae(
    ct: CtVolume,
    fine: CtVolume,
    labels: LabelVolume,
    found: Sequence[LabelledMask],
    added: Sequence[AddedPoint],
    segmenter: Segmenter,
    cancelled: Callable[[], bool],
) -> tuple[LabelVolume, tuple[LabelledMask, ...], dict[int, str]]:
    """Segment vertebrae and put them where nothing is labelled.

    Parameters
    ----------
    ct : CtVolume
    fine : CtVolume
        The same on the 1 mm grid, `REACH_MM` around the points as far as the scan goes.
    labels : LabelVolume
        VerSe numbers on the grid of `ct`; the array is not changed.
    found : sequence of LabelledMask
        What is labelled, head to foot.
    added : sequence of AddedPoint
    segmenter : Segmenter
    cancelled : callable

    Returns
    -------
    labels : LabelVolume
        With the numbers of the levels; every voxel that had a label has it still.
    found : tuple of LabelledMask
        With what was added, as the network gave it, head to foot.
    doubts : dict of int to str
        Number of a level -> why it is kept though it does not look like a vertebra.

    Raises
    ------
    InputError
        ``no_vertebra_there``, ``already_segmented``, ``level_out_of_order`` and those of
        `check_point`.
    Cancelled
    """
    doubts = {}
    for wanted in added:
        check_point(ct, labels, wanted)
        mask, doubt = _segmented(fine, labels, found, wanted, segmenter, cancelled)
        number = wanted.level.number
        own = merge([mask.mask], [number], labels, None, cancelled)[0]
        # What is labelled keeps its label.
        labels = replace(labels, labels=np.where(labels.labels > 0, labels.labels, own))
        found = sorted((*found, mask), key=lambda v: -v.center_lps_mm[2])
        if doubt:
            doubts[number] = f"Its mask is doubtful: {doubt}"
    return labels, tuple(found), doubts


def _segmented(
    ct: CtVolume,
    labels: LabelVolume,
    given: Sequence[LabelledMask],
    wanted: AddedPoint,
    segmenter: Segmenter,
    cancelled: Callable[[], bool],
) -> tuple[LabelledMask, str]:
    """Segment one vertebra, and say why it is doubtful."""
    (mask,) = segmenter.segment(ct, [wanted.center_lps_mm], cancelled)
    verdict = segmenter.judge(mask, ct)
    # The atlas has no body: its centre is the point itself.
    atlas = verdict.like_atlas and wanted.level.name == "C1"
    center = (None if atlas else mask.body_center_lps_mm()) or wanted.center_lps_mm
    if _distance_mm(mask.vertebra if atlas else mask.body, mask, wanted) > _FARTHEST_MM:
        raise _no_vertebra()
    doubt = _doubt(mask, verdict, center, given)
    _refuse_overlap(mask, labels, given)
    _check_order(center, given, wanted.level)
    volume_ml = float((mask.vertebra > 0.5).sum()) / 1000
    return LabelledMask(wanted.level, mask, center, volume_ml, False), doubt


def _doubt(
    mask: VertebraMask,
    verdict: Plausibility,
    center: Point,
    given: Sequence[LabelledMask],
) -> str:
    """Say why a mask is doubtful; refuse what is no vertebra."""
    if verdict.plausible:
        return ""
    # As in an analysis: what lies between two others may be odd, as collapsed vertebrae are.
    beside = [near for near in _beside(center, given) if near]
    bodies = [ml for near in beside if (ml := _body_ml(near[0].mask))]
    least = _LEAST_BODY_SHARE * float(np.mean(bodies)) if bodies else BODY_VOLUME_ML[0]
    if len(beside) < 2 or _body_ml(mask) < least:
        raise _no_vertebra(verdict.reason)
    return verdict.reason


def _beside(
    center: Point, given: Sequence[LabelledMask]
) -> tuple[list[LabelledMask], list[LabelledMask]]:
    """The vertebra above and that below a centre, each in a list that is empty without one."""
    above = [v for v in given if v.center_lps_mm[2] >= center[2]]
    below = [v for v in given if v.center_lps_mm[2] < center[2]]
    return above[-1:], below[:1]


def _body_ml(mask: VertebraMask) -> float:
    return float((mask.body > 0.5).sum()) / 1000


def _distance_mm(part: np.ndarray, mask: VertebraMask, wanted: AddedPoint) -> float:
    """From the point to the nearest voxel of a part of the mask; infinite without any."""
    voxels = np.argwhere(part > 0.5)[:, ::-1] + np.asarray(mask.origin_lps_mm)
    away = np.linalg.norm(voxels - wanted.center_lps_mm, axis=1)
    return float(away.min(initial=np.inf))


def _refuse_overlap(mask: VertebraMask, labels: LabelVolume, given: Sequence[LabelledMask]) -> None:
    """Refuse a mask that is mostly labelled, or covers most of a label."""
    inside = np.argwhere(mask.vertebra > 0.5)[:, ::-1] + np.asarray(mask.origin_lps_mm)
    index = np.rint(labels.lps_to_index(inside)).astype(int)
    within = ((index >= 0) & (index < labels.labels.shape)).all(1)
    numbers = labels.labels[tuple(index[within].T)]
    shared_ml = np.bincount(numbers[numbers > 0], minlength=256) / 1000
    own_ml = len(inside) / 1000
    volumes = {v.level.number: v.volume_ml for v in given}
    most = int(shared_ml.argmax())
    smaller = min(own_ml, volumes.get(most, own_ml))
    if shared_ml.sum() > _SAME_SHARE * own_ml or shared_ml[most] > _SAME_SHARE * smaller:
        _refuse_segmented(most)


def _refuse_segmented(number: int) -> None:
    if number:
        raise InputError(
            "already_segmented",
            f"What is there is segmented already, as {level_numbered(number).name}.",
            "Choose a point in a vertebra that has no mask yet.",
        )


def _check_order(center: Point, given: Sequence[LabelledMask], level: Level) -> None:
    above, below = ([v.level for v in near] for near in _beside(center, given))
    if all(v.order < level.order for v in above) and all(v.order > level.order for v in below):
        return
    where = " and ".join([*(f"below {v.name}" for v in above), *(f"above {v.name}" for v in below)])
    raise InputError(
        "level_out_of_order",
        f"{level.name} cannot lie {where}.",
        "Choose a level that fits there, or rename its neighbours first.",
    )


def _no_vertebra(why: str = "") -> InputError:
    reason = f": {why[:1].lower()}{why[1:].rstrip('.')}" if why else ""
    return InputError("no_vertebra_there", f"No vertebra was found at this point{reason}.", _HINT)
