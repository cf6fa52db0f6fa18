"""Measure and grade the vertebrae of one spine: morphometry and the learned head together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import nn

from .analysis import Flag, HeightLine, Vertebra
from .flagging import with_flags
from .grading.contrast_medium import vessels_enhanced
from .grading.cut_side import SIDE_CUT
from .grading.genant import Morphometry, borderline_reason, median_grade
from .grading.joint_grade import (
    grade_doubt,
    joint_grade,
    joint_probabilities,
    joint_shapes,
    stated_probabilities,
)
from .grading.learned import LearnedGrade
from .grading.opinions import BodyOpinions, BodyToGrade, body_opinions
from .grading.quality import reference_flags, shape_flags
from .grading.shape_names import SHAPE_NAMES
from .grading.trabecular import trabecular_density
from .volume import CtVolume


def grade_bodies(
    bodies: Sequence[BodyToGrade],
    ct: CtVolume | None = None,
    network: nn.Module | None = None,
    device: str = "cpu",
    workers: int = 1,
) -> tuple[Vertebra, ...]:
    """Measure and grade the vertebrae of one spine.

    Parameters
    ----------
    bodies : sequence of BodyToGrade
        Head to foot.
    ct : CtVolume, optional
        On a grid of identity direction. Without it there is no density and no learned opinion.
    network : Module, optional
        A `GradeNetwork` on `device`.
    device : str
    workers : int
        Bodies measured at once.

    Returns
    -------
    tuple of Vertebra
        In the order of `bodies`. What could not be measured is None, with a flag giving the reason.
    """
    opinions = body_opinions(bodies, ct, network, device, workers)
    results = []
    for body, own in zip(bodies, opinions, strict=True):
        if own.why_not:
            results.append(_flagged(body.vertebra, "not_graded", own.why_not))
            continue
        vertebra = _with_heights(body.vertebra, body, own)
        vertebra = _with_grade(vertebra, own.morphometry, own.learned)
        if body.body_cut:
            vertebra = _flagged(vertebra, "cut_by_field_of_view", SIDE_CUT)
        doubts = shape_flags(vertebra.level, own.frame, own.heights.heights_mm, own.morphometry)
        vertebra = with_flags(vertebra, doubts + reference_flags(own.morphometry))
        results.append(_with_density(vertebra, body, own, ct))
    return _with_contrast_told(results, ct)


def _with_heights(vertebra: Vertebra, body: BodyToGrade, opinions: BodyOpinions) -> Vertebra:
    origin, heights = np.asarray(body.origin_lps_mm), opinions.heights
    morphometry = opinions.morphometry

    def lps(point_zyx) -> tuple[float, float, float]:
        return tuple(float(v) for v in np.asarray(point_zyx)[::-1] + origin)

    lines = {
        name: HeightLine(lps(line.top_zyx_mm), lps(line.bottom_zyx_mm))
        for name, line in heights.lines.items()
    }
    return replace(
        vertebra,
        axes_lps=opinions.frame.axes_lps,
        heights_mm=heights.heights_mm,
        heights_spread_mm=heights.spread_mm,
        height_lines=lines,
        height_loss=morphometry.loss,
        height_reference=morphometry.reference,
        morphometric_grade=morphometry.grade,
        borderline=morphometry.borderline,
    )


def _with_grade(
    vertebra: Vertebra, morphometry: Morphometry, learned: LearnedGrade | None
) -> Vertebra:
    opinion = None
    if learned is None:
        grade, shape = morphometry.grade, morphometry.shape
        joint = morphometry.grade_probabilities
    else:
        joint = joint_probabilities(morphometry.grade_probabilities, learned.grade_probabilities)
        opinion = median_grade(learned.grade_probabilities)
        grade = joint_grade(joint, morphometry.grade, opinion)
        shape = _joint_shape(grade, morphometry, learned)
        vertebra = replace(vertebra, learned_grade=opinion)
    stated = stated_probabilities(joint, morphometry.grade, opinion)
    vertebra = replace(vertebra, grade=grade, shape=shape, grade_probabilities=stated)
    if vertebra.borderline:
        reason = borderline_reason(vertebra.level, morphometry)
        vertebra = _flagged(vertebra, "borderline", reason)
    doubt = grade_doubt(joint, morphometry.grade, vertebra.learned_grade)
    return _flagged(vertebra, "grade_disagreement", doubt) if doubt else vertebra


def _joint_shape(grade: int, morphometry: Morphometry, learned: LearnedGrade) -> str:
    if grade == 0:
        return "normal"
    joint = joint_shapes(morphometry.shape_probabilities, learned.shape_probabilities)
    return SHAPE_NAMES[1 + int(np.argmax(joint[1:]))]


def _with_density(
    vertebra: Vertebra, body: BodyToGrade, opinions: BodyOpinions, ct: CtVolume | None
) -> Vertebra:
    if ct is None:
        return vertebra
    height = opinions.heights.heights_mm.middle
    density = trabecular_density(ct, opinions.frame, body.origin_lps_mm, height)
    if density.holds_metal:
        return _flagged(vertebra, "metal", "Metal lies in the body, so its density is not read.")
    if density.treated:
        return _flagged(vertebra, "cement", "Cement or very dense bone fills part of the body.")
    return replace(vertebra, density_hu=density.mean_hu)


def _with_contrast_told(vertebrae: Sequence[Vertebra], ct: CtVolume | None):
    """Flag every density that contrast medium has raised."""
    if ct is None or all(v.density_hu is None for v in vertebrae):
        return tuple(vertebrae)
    vessels_hu = vessels_enhanced(
        ct, [v.level for v in vertebrae], [v.center_lps_mm for v in vertebrae]
    )
    if vessels_hu is None:
        return tuple(vertebrae)
    reason = f"Contrast medium (vessels about {vessels_hu:.0f} HU) raises the density."
    return tuple(
        v if v.density_hu is None else _flagged(v, "contrast_enhanced", reason) for v in vertebrae
    )


def _flagged(vertebra: Vertebra, code: str, reason: str) -> Vertebra:
    return with_flags(vertebra, (Flag(code, reason),))


class GradingStage:
    """`grade_bodies` as the pipeline calls it.

    Parameters
    ----------
    network : Module or None
        A `GradeNetwork` on `device`; None grades by morphometry alone.
    device : str
    workers : int
        Bodies measured at once.
    """

    def __init__(self, network: nn.Module | None, device: str = "cpu", workers: int = 1) -> None:
        self._network, self._device, self._workers = network, device, workers

    def __call__(self, ct: CtVolume, candidates, vertebrae: Sequence[Vertebra]):
        """Grade `vertebrae` with the masks of `candidates`; `ct` is the 1 mm working grid."""
        bodies = [
            BodyToGrade(
                v,
                np.asarray(c.mask.body, np.float32),
                np.asarray(c.mask.vertebra, np.float32),
                c.mask.origin_lps_mm,
                c.body_cut,
                c.arch_cut,
                c.voxel_mm,
                c.doubt,
                c.body_cut_by,
                c.cut_points_lps_mm,
            )
            for v, c in zip(vertebrae, candidates, strict=True)
        ]
        return grade_bodies(bodies, ct, self._network, self._device, self._workers)
