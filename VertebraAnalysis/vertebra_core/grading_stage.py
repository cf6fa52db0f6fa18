"""Measure and grade the vertebrae of one spine: morphometry and the learned head together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from .analysis import Flag, HeightLine, Vertebra
from .grading.body_frame import BodyFrame, BodyFrameError, fit_body_frame
from .grading.contrast_medium import vessels_enhanced
from .grading.genant import (
    MeasuredBody,
    Morphometry,
    assess_spine,
    borderline_reason,
    median_grade,
)
from .grading.heights import HeightError, HeightMeasurement, measure_heights
from .grading.learned import LearnedGrade, body_crop, learned_grades
from .grading.network import SHAPE_NAMES
from .grading.norms import why_not_graded
from .grading.quality import MAX_VOXEL_MM, shape_flags, touches
from .grading.trabecular import trabecular_density
from .volume import CtVolume

LEARNED_WEIGHT = 0.5
"""Share of the learned head in the joint log-probability; morphometry has the rest."""

_LEAST_PROBABILITY = 0.01


@dataclass(frozen=True)
class BodyToGrade:
    """A named vertebra with its masks on an upright 1 mm grid.

    Attributes
    ----------
    vertebra : Vertebra
        What is known so far: level, centre, flags.
    body, whole : ndarray, shape (z, y, x)
        Probability of the body and of the whole vertebra.
    origin_lps_mm : tuple of float
        LPS position of voxel [0, 0, 0].
    body_cut, arch_cut : bool
        The field of view cuts the body, or anything else of the vertebra.
    voxel_mm : float
        Coarsest voxel size of the scan or of the label map.
    doubt : str
        Why the mask is not to be trusted; empty if it is.
    """

    vertebra: Vertebra
    body: np.ndarray
    whole: np.ndarray
    origin_lps_mm: tuple[float, float, float]
    body_cut: bool = False
    arch_cut: bool = False
    voxel_mm: float = 1.0
    doubt: str = ""


@dataclass(frozen=True)
class _Measured:
    frame: BodyFrame
    heights: HeightMeasurement


def grade_bodies(
    bodies: Sequence[BodyToGrade],
    ct: CtVolume | None = None,
    network: nn.Module | None = None,
    device: str = "cpu",
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

    Returns
    -------
    tuple of Vertebra
        In the order of `bodies`. What could not be measured is None, with a flag giving the reason.
    """
    measured, reasons = [], []
    for i, body in enumerate(bodies):
        found, reason = _measure(body, _spine_course(bodies, i))
        measured.append(found)
        reasons.append(reason)
    graded = [i for i, m in enumerate(measured) if m is not None]
    morphometry = assess_spine([_numbers(bodies[i], measured[i]) for i in graded])
    learned = _learned(bodies, measured, graded, morphometry, ct, network, device)
    results = []
    for i, body in enumerate(bodies):
        vertebra = _with_volume(body)
        if measured[i] is None:
            results.append(_flagged(vertebra, "not_graded", reasons[i]))
            continue
        k = graded.index(i)
        vertebra = _with_heights(vertebra, body, measured[i], morphometry[k])
        vertebra = _with_grade(vertebra, morphometry[k], learned[k])
        vertebra = _with_doubts(vertebra, bodies, i, measured[i], morphometry[k])
        results.append(_with_density(vertebra, body, measured[i], ct))
    return _with_contrast_told(results, ct)


def _measure(body: BodyToGrade, up_hint) -> tuple[_Measured | None, str]:
    reason = why_not_graded(body.vertebra.level)
    if reason is not None:
        return None, reason
    if body.body_cut:
        return None, "The edge of the scan cuts the body, so its heights are not known."
    if body.voxel_mm > MAX_VOXEL_MM:
        return None, f"Voxels of {body.voxel_mm:.1f} mm are too coarse to measure heights."
    if body.doubt:
        return None, "The mask is too doubtful to be measured."
    try:
        frame = fit_body_frame(body.body, 1.0, body.whole, up_hint)
        return _Measured(frame, measure_heights(body.body, 1.0, frame)), ""
    except (BodyFrameError, HeightError) as error:
        return None, f"{str(error)[0].upper()}{str(error)[1:]}."


def _spine_course(bodies: Sequence[BodyToGrade], i: int) -> np.ndarray | None:
    """Direction (z, y, x) up the spine at body `i`, from its neighbours' centres."""
    near = bodies[max(i - 1, 0) : i + 2]
    if len(near) < 2:
        return None
    step = np.subtract(near[0].vertebra.center_lps_mm, near[-1].vertebra.center_lps_mm)
    length = float(np.linalg.norm(step))
    return step[::-1] / length if length > 1 else None


def _numbers(body: BodyToGrade, measured: _Measured) -> MeasuredBody:
    heights = measured.heights
    return MeasuredBody(body.vertebra.level, heights.heights_mm, heights.spread_mm, body.voxel_mm)


def _learned(bodies, measured, graded, morphometry, ct, network, device):
    if ct is None or network is None:
        return [None] * len(graded)
    crops = [
        body_crop(ct, bodies[i].body, bodies[i].whole, bodies[i].origin_lps_mm, measured[i].frame)
        for i in graded
    ]
    losses = np.array([[m.loss.wedge, m.loss.biconcave, m.loss.crush] for m in morphometry])
    return learned_grades(crops, losses, network, device)


def _with_volume(body: BodyToGrade) -> Vertebra:
    if body.body_cut or body.arch_cut:
        return body.vertebra
    millilitres = float((np.asarray(body.whole) > 0.5).sum()) / 1000
    return replace(body.vertebra, volume_ml=millilitres)


def _with_heights(
    vertebra: Vertebra, body: BodyToGrade, measured: _Measured, morphometry: Morphometry
) -> Vertebra:
    origin = np.asarray(body.origin_lps_mm)

    def lps(point_zyx) -> tuple[float, float, float]:
        return tuple(float(v) for v in np.asarray(point_zyx)[::-1] + origin)

    lines = {
        name: HeightLine(lps(line.top_zyx_mm), lps(line.bottom_zyx_mm))
        for name, line in measured.heights.lines.items()
    }
    return replace(
        vertebra,
        axes_lps=measured.frame.axes_lps,
        heights_mm=measured.heights.heights_mm,
        heights_spread_mm=measured.heights.spread_mm,
        height_lines=lines,
        height_loss=morphometry.loss,
        height_reference=morphometry.reference,
        morphometric_grade=morphometry.grade,
        borderline=morphometry.borderline,
    )


def _with_grade(
    vertebra: Vertebra, morphometry: Morphometry, learned: LearnedGrade | None
) -> Vertebra:
    if learned is None:
        grade, shape = morphometry.grade, morphometry.shape
        probabilities = morphometry.grade_probabilities
    else:
        probabilities = _joint(morphometry.grade_probabilities, learned.grade_probabilities)
        grade = median_grade(probabilities)
        shape = _joint_shape(grade, morphometry, learned)
        vertebra = replace(vertebra, learned_grade=median_grade(learned.grade_probabilities))
    vertebra = replace(vertebra, grade=grade, shape=shape, grade_probabilities=tuple(probabilities))
    if vertebra.borderline:
        reason = borderline_reason(vertebra.level, morphometry)
        vertebra = _flagged(vertebra, "borderline", reason)
    opinion = vertebra.learned_grade
    if opinion is not None and opinion != morphometry.grade:
        vertebra = _flagged(
            vertebra,
            "grade_disagreement",
            f"Heights say grade {morphometry.grade}, the learned grade is {opinion}.",
        )
    return vertebra


def _joint(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float, float]:
    """Weighted geometric mean of two opinions, normalised."""
    logs = (1 - LEARNED_WEIGHT) * np.log(np.maximum(a, _LEAST_PROBABILITY))
    logs = logs + LEARNED_WEIGHT * np.log(np.maximum(b, _LEAST_PROBABILITY))
    joint = np.exp(logs - logs.max())
    return tuple(float(p) for p in joint / joint.sum())


def _joint_shape(grade: int, morphometry: Morphometry, learned: LearnedGrade) -> str:
    if grade == 0:
        return "normal"
    joint = _joint(morphometry.shape_probabilities, learned.shape_probabilities)
    return SHAPE_NAMES[1 + int(np.argmax(joint[1:]))]


def _with_doubts(
    vertebra: Vertebra,
    bodies: Sequence[BodyToGrade],
    i: int,
    measured: _Measured,
    morphometry: Morphometry,
) -> Vertebra:
    own, heights = bodies[i], measured.heights.heights_mm
    flags = shape_flags(measured.frame, heights, morphometry)
    vertebra = replace(vertebra, flags=(*vertebra.flags, *flags))
    for other in (*bodies[max(i - 1, 0) : i], *bodies[i + 1 : i + 2]):
        place = own.origin_lps_mm, heights.middle, other.body, other.origin_lps_mm
        if touches(measured.frame, *place):
            reason = f"It runs into {other.vertebra.level}, so its endplate is uncertain."
            return _flagged(vertebra, "touching_neighbour", reason)
    return vertebra


def _with_density(
    vertebra: Vertebra, body: BodyToGrade, measured: _Measured, ct: CtVolume | None
) -> Vertebra:
    if ct is None:
        return vertebra
    height = measured.heights.heights_mm.middle
    density = trabecular_density(ct, measured.frame, body.origin_lps_mm, height)
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
    return replace(vertebra, flags=(*vertebra.flags, Flag(code, reason)))


class GradingStage:
    """`grade_bodies` as the pipeline calls it.

    Parameters
    ----------
    network : Module or None
        A `GradeNetwork` on `device`; None grades by morphometry alone.
    device : str
    """

    def __init__(self, network: nn.Module | None, device: str = "cpu") -> None:
        self._network, self._device = network, device

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
            )
            for v, c in zip(vertebrae, candidates, strict=True)
        ]
        return grade_bodies(bodies, ct, self._network, self._device)
