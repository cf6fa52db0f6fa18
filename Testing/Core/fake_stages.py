"""A trunk CT and stages that know where its vertebrae are, in place of networks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from simple_ct import simple_ct
from vertebra_core.analysis import Flag, HeightLoss, Heights
from vertebra_core.labelling.positional_logic import (
    LabelledDetection,
    LevelAssignment,
    MissedVertebra,
)
from vertebra_core.levels import level_named
from vertebra_core.localisation.localise import Centre, Localisation
from vertebra_core.segmentation.plausibility import Plausibility
from vertebra_core.segmentation.segment import VertebraMask
from vertebra_core.stages import Stages
from vertebra_core.volume import CtVolume

SPACING_XYZ_MM = (2.0, 2.0, 2.5)
HALF_BODY_ZYX_MM = (10.0, 12.0, 15.0)
LEVELS = ("T12", "L1", "L2", "L3")


def trunk_ct(direction: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1)) -> CtVolume:
    """A trunk of 150 mm height."""
    return simple_ct((60, 70, 72), SPACING_XYZ_MM, tuple(float(d) for d in direction))


@cache
def true_centres() -> tuple[tuple[float, float, float], ...]:
    """Body centres of `LEVELS` in `trunk_ct` of identity direction, head to foot."""
    corners = trunk_ct().corners_lps_mm()
    middle, top = corners.mean(0), corners.max(0)[2]
    x, y = float(middle[0]), float(middle[1])
    return tuple((x, y, float(top - 30 - 30 * k)) for k in range(4))


def fake_stages(
    found: Sequence[int] = (0, 1, 2, 3),
    junk: Sequence[tuple[float, float, float]] = (),
    hidden: Sequence[int] = (),
    seconds: float = 0.0,
) -> Stages:
    """Return stages that find the vertebrae of `trunk_ct`.

    Parameters
    ----------
    found : sequence of int
        Vertebrae that localisation finds (indices into `LEVELS`).
    junk : sequence of points
        Places it finds as well, where segmentation sees no vertebra.
    hidden : sequence of int
        Vertebrae that segmentation does not see either.
    seconds : float
        How long grading takes without asking whether it was cancelled.
    """

    def localise(ct, progress, cancelled):
        assert ct.spacing_xyz_mm == (2.0, 2.0, 2.0)
        progress(0.5)
        points = [true_centres()[i] for i in found] + list(junk)
        return Localisation(tuple(Centre(p, 0.9, 50.0) for p in points))

    def segment(ct, centres, progress, cancelled):
        assert ct.spacing_xyz_mm == (1.0, 1.0, 1.0)
        masks = []
        for k, centre in enumerate(centres):
            masks.append(_mask(ct, centre, hidden))
            progress((k + 1) / len(centres))
        return tuple(masks)

    def judge(mask, ct):
        seen = bool((mask.body > 0.5).any())
        return Plausibility(seen, "" if seen else "No vertebral body was found.")

    def label(ct, candidates):
        truth = [c[2] for c in true_centres()]
        own = [int(np.argmin(np.abs(c.center_lps_mm[2] - np.array(truth)))) for c in candidates]
        named = [
            LabelledDetection(level_named(LEVELS[i]), 0.7 if i == 3 else 0.98,
                              level_named("L4") if i == 3 else None, 0.01)
            for i in own
        ]  # fmt: skip
        missed = []
        for i in range(min(own), max(own)):
            if i not in own:
                upper, lower = own.index(i - 1), own.index(i + 1)
                point = np.mean([candidates[upper].center_lps_mm,
                                 candidates[lower].center_lps_mm], axis=0)  # fmt: skip
                place = tuple(float(v) for v in point)
                missed.append(MissedVertebra(level_named(LEVELS[i]), place, upper, lower))
        assignment = LevelAssignment(tuple(named), tuple(missed), (), 1.0, ())
        return assignment, tuple(LEVELS[i] for i in own)

    def grade(ct, candidates, vertebrae):
        time.sleep(seconds)
        return tuple(_graded(v) for v in vertebrae)

    sums = {"locnet": "ab" * 32}
    return Stages(localise, segment, judge, label, grade, sums, "cpu")


def _mask(ct: CtVolume, centre: Sequence[float], hidden: Sequence[int]) -> VertebraMask:
    index = ct.lps_to_index(np.array(centre))
    origin = np.floor(index).astype(int) - 40
    origin_lps = ct.index_to_lps(origin)
    axes = [np.arange(81) + start for start in origin_lps[::-1]]
    vertebra, body = (np.zeros((81, 81, 81), np.float16) for _ in range(2))
    for i, truth in enumerate(true_centres()):
        if np.linalg.norm(np.array(truth) - centre) < 6 and i not in hidden:
            body[_box(axes, truth, HALF_BODY_ZYX_MM)] = 1
            vertebra[...] = body
            vertebra[_box(axes, np.array(truth) + [0.0, 25.0, 0.0], (4, 13, 4))] = 1
    place = tuple(float(v) for v in origin_lps)
    return VertebraMask(tuple(map(float, centre)), tuple(map(int, origin)), place, vertebra, body)


def _box(axes, center_lps, half_zyx_mm):
    return np.ix_(*[
        np.abs(axis - c) <= half
        for axis, c, half in zip(axes, center_lps[::-1], half_zyx_mm, strict=True)
    ])  # fmt: skip


def _graded(v):
    if any(f.code == "cut_by_field_of_view" for f in v.flags):
        return replace(v, flags=(*v.flags, Flag("not_graded", "The body is not whole.")))
    return replace(
        v,
        heights_mm=Heights(20.0, 20.0, 20.0),
        height_loss=HeightLoss(0.0, 0.0, 0.0),
        grade=0,
        shape="normal",
        density_hu=150.0,
    )
