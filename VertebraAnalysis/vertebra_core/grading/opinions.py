"""What heights and the learned head say about the bodies of one spine, each on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from ..analysis import Vertebra
from ..parallel import for_each
from ..scan_edges import SCAN
from ..spine_course import spine_courses
from ..volume import CtVolume
from .body_frame import BodyFrame, BodyFrameError, fit_body_frame
from .cut_side import only_sides_cut
from .genant import Morphometry, assess_spine
from .heights import HeightError, HeightMeasurement, measure_heights
from .learned import LearnedGrade, body_crop, learned_grades
from .measured_body import MeasuredBody
from .norms import why_not_graded
from .posterior_reference import NEIGHBOURS
from .quality import MAX_VOXEL_MM


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
    body_cut_by : str
        Whose edge cuts the body, if one does; see `scan_edges`.
    cut_points_lps_mm : ndarray, shape (n, 3), or None
        Where it does; None leaves open where, and the body is not measured.
    """

    vertebra: Vertebra
    body: np.ndarray
    whole: np.ndarray
    origin_lps_mm: tuple[float, float, float]
    body_cut: bool = False
    arch_cut: bool = False
    voxel_mm: float = 1.0
    doubt: str = ""
    body_cut_by: str = SCAN
    cut_points_lps_mm: np.ndarray | None = None


@dataclass(frozen=True)
class BodyOpinions:
    """What heights and the learned head say about one body, each on its own.

    Attributes
    ----------
    why_not : str
        Why the body could not be measured; then everything else is None.
    frame : BodyFrame or None
    heights : HeightMeasurement or None
    morphometry : Morphometry or None
    learned : LearnedGrade or None
        None without a CT or a network.
    """

    why_not: str = ""
    frame: BodyFrame | None = None
    heights: HeightMeasurement | None = None
    morphometry: Morphometry | None = None
    learned: LearnedGrade | None = None


def body_opinions(
    bodies: Sequence[BodyToGrade],
    ct: CtVolume | None = None,
    network: nn.Module | None = None,
    device: str = "cpu",
    workers: int = 1,
) -> tuple[BodyOpinions, ...]:
    """Ask heights and the learned head about every body, without joining what they say.

    Parameters are those of `grade_bodies`; the result is in the order of `bodies`.
    """

    centres = [b.vertebra.center_lps_mm for b in bodies]
    courses = spine_courses(centres, [not b.body_cut and not b.doubt for b in bodies])

    def measured(i: int) -> BodyOpinions:
        return _measured(bodies[i], courses[i])

    def crop(i: int) -> torch.Tensor:
        own = bodies[i]
        return body_crop(ct, own.body, own.whole, own.origin_lps_mm, opinions[i].frame)

    opinions = list(for_each(measured, range(len(bodies)), workers))
    known = [i for i, own in enumerate(opinions) if not own.why_not]
    morphometry = assess_spine([_numbers(bodies[i], opinions[i]) for i in known])
    for i, found in zip(known, morphometry, strict=True):
        opinions[i] = replace(opinions[i], morphometry=found)
    if ct is not None and network is not None:
        crops = list(for_each(crop, known, workers))
        losses = np.array([_told_losses(m) for m in morphometry])
        learned = learned_grades(crops, losses, network, device)
        for i, opinion in zip(known, learned, strict=True):
            opinions[i] = replace(opinions[i], learned=opinion)
    return tuple(opinions)


def _measured(body: BodyToGrade, up_hint: np.ndarray | None) -> BodyOpinions:
    cut = ""
    if body.body_cut:
        cut = f"The edge of the {body.body_cut_by} cuts the body, so its heights are not known."
    reason = _why_not_tried(body, cut)
    if reason:
        return BodyOpinions(reason)
    try:
        frame = fit_body_frame(body.body, 1.0, body.whole, up_hint)
        if cut and not only_sides_cut(body.cut_points_lps_mm, body.origin_lps_mm, frame):
            return BodyOpinions(cut)
        return BodyOpinions(frame=frame, heights=measure_heights(body.body, 1.0, frame))
    except (BodyFrameError, HeightError) as error:
        return BodyOpinions(cut or f"{str(error)[0].upper()}{str(error)[1:]}.")


def _why_not_tried(body: BodyToGrade, cut: str) -> str:
    """Say why a body is not even tried to be measured; `cut` is the reason if an edge cuts it."""
    reason = why_not_graded(body.vertebra.level)
    if reason is not None:
        return reason
    if body.body_cut and body.cut_points_lps_mm is None:
        return cut
    if body.voxel_mm > MAX_VOXEL_MM:
        return cut or f"Voxels of {body.voxel_mm:.1f} mm are too coarse to measure heights."
    if body.doubt:
        return cut or "The mask is too doubtful to be measured."
    return ""


def _told_losses(found: Morphometry) -> tuple[float, float, float]:
    """Wedge, biconcave and crush; no crush against the norm, which tells a small person as well."""
    crush = found.loss.crush if found.reference.source == NEIGHBOURS else 0.0
    return found.loss.wedge, found.loss.biconcave, crush


def _numbers(body: BodyToGrade, opinions: BodyOpinions) -> MeasuredBody:
    heights = opinions.heights
    return MeasuredBody(body.vertebra.level, heights.heights_mm, heights.spread_mm, body.voxel_mm)
