"""Grading of a segmentation that somebody has made or edited: no network looks for vertebrae."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .analysis import Flag, SpineAnalysis, Vertebra
from .errors import InputError
from .field_of_view import touches_edge
from .flagging import with_flags
from .geometry_flags import geometry_flags
from .label_masks import LabelledMask, masks_of_labels
from .label_numbers import AUTO
from .manifest import manifest_of
from .neighbour_flags import neighbour_flags
from .pipeline import SEGMENTATION_SPACING_MM, AnalysisResult, OnProgress
from .segment_levels import numbered_by_level
from .segmentation.merge import merge
from .stages import Candidate
from .volume import CtVolume, LabelVolume, resample_labels, resample_to_working_grid, same_grid

Grade = Callable[[CtVolume | None, Sequence[Candidate], Sequence[Vertebra]], tuple[Vertebra, ...]]
"""Measures and grades named vertebrae; `stages.Stages.grade`, and without a CT."""

_LEAST_OVERLAP = 0.5
_MARGIN_MM = 12.0


@dataclass(frozen=True)
class GradeOptions:
    """How a segmentation is graded.

    Attributes
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
    threads : int
        0 takes all cores.
    models_folder : Path or None
        Folder of weights; None takes the bundled ones.
    numbers : {"auto", "verse", "totalsegmentator"}
        Numbering of the label maps; see `segment_levels.numbered_by_level`.
    """

    device: str = "auto"
    threads: int = 0
    models_folder: Path | None = None
    numbers: str = AUTO


@dataclass(frozen=True)
class GradingBackend:
    """What grades, and what is stated about it.

    Attributes
    ----------
    grade : callable
    weights_sha256 : dict of str
    device : str
    """

    grade: Grade
    weights_sha256: dict[str, str]
    device: str


def grade_segmentation(
    segmentation: LabelVolume,
    ct: CtVolume | None = None,
    bodies: LabelVolume | None = None,
    options: GradeOptions | None = None,
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] | None = None,
    backend: GradingBackend | None = None,
) -> tuple[AnalysisResult, LabelVolume]:
    """Measure and grade the vertebrae of a segmentation.

    Parameters
    ----------
    segmentation : LabelVolume
        Whole vertebrae: VerSe or TotalSegmentator numbers, or segments named by level.
    ct : CtVolume, optional
        Without it there is no density, and grades rest on heights alone.
    bodies : LabelVolume, optional
        Vertebral bodies in the same numbers; by default they are cut out of the vertebrae.
    options : GradeOptions, optional
    on_progress : callable, optional
        Called with ``"reading"`` or ``"grading"`` and the fraction done.
    cancelled : callable, optional
    backend : GradingBackend, optional
        Another way of grading than the bundled one.

    Returns
    -------
    result : AnalysisResult
        Label maps as large as the second value.
    grid : LabelVolume
        The segmentation in VerSe numbers: on the grid of the CT, or on its own without one.

    Raises
    ------
    InputError
        ``no_vertebra_labels``, ``double_level`` or ``no_overlap``.
    WeightsError
    Cancelled
    """
    options = options or GradeOptions()
    on_progress = on_progress or (lambda stage, fraction: None)
    cancelled = cancelled or (lambda: False)
    started = time.monotonic()
    labels, warnings = numbered_by_level(segmentation, options.numbers)
    labels = _on_grid_of(ct, labels) if ct is not None else labels
    if bodies is not None:
        bodies, more = numbered_by_level(bodies, options.numbers)
        warnings += more
        bodies = _bodies_on_grid_of(labels, bodies)
    backend = backend or bundled_grading(options, learned=ct is not None)
    read = time.monotonic()
    on_progress("reading", 1.0)

    fine, origin = _working_grid(ct, labels)
    found, more = masks_of_labels(
        labels, bodies, origin, lambda f: on_progress("grading", 0.6 * f), cancelled
    )
    if not found:
        raise InputError("no_vertebra_labels", "The segmentation holds no whole vertebra.")
    scan = CtVolume(labels.labels, labels.spacing_xyz_mm, labels.origin_lps_mm, labels.direction)
    candidates = [_candidate(v, scan) for v in found]
    vertebrae = [
        _vertebra(v, c, scan, ct is not None) for v, c in zip(found, candidates, strict=True)
    ]
    more_flags = neighbour_flags(candidates, [v.level for v in vertebrae])
    vertebrae = [with_flags(v, own) for v, own in zip(vertebrae, more_flags, strict=True)]
    graded = backend.grade(fine, candidates, vertebrae)
    on_progress("grading", 0.9)
    graded = tuple(_explained(v, known) for v, known in zip(graded, found, strict=True))
    numbers = [v.level.number for v in found]
    _, body_map = merge([c.mask for c in candidates], numbers, labels, None, cancelled)
    body_map[body_map != labels.labels] = 0
    seconds = {"reading": round(read - started, 3), "grading": round(time.monotonic() - read, 3)}
    all_warnings = (*(ct.warnings if ct else ()), *warnings, *more)
    manifest = manifest_of(
        labels,
        (segmentation if ct is None else ct).source,
        backend.weights_sha256,
        backend.device,
        seconds,
        {**vars(options), "input": "segmentation" if ct is None else "segmentation and CT"},
    )
    analysis = SpineAnalysis(graded, manifest, all_warnings)
    on_progress("grading", 1.0)
    return AnalysisResult(analysis, labels.labels, body_map), labels


def bundled_grading(options: GradeOptions, learned: bool) -> GradingBackend:
    """Return the grading that comes with the program.

    Parameters
    ----------
    options : GradeOptions
    learned : bool
        Load the learned grade head; it needs a CT.

    Raises
    ------
    WeightsError
    InputError
        If the device is not there.
    """
    from .devices import choose_device, set_threads
    from .grading_stage import GradingStage
    from .models import load_network

    device = choose_device(options.device)
    set_threads(options.threads or None)
    network, sums = None, {}
    if learned:
        network, record = load_network("grading", options.models_folder, device)
        sums["grading"] = record.sha256
    return GradingBackend(GradingStage(network, device), sums, str(device))


def _on_grid_of(ct: CtVolume, labels: LabelVolume) -> LabelVolume:
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


def _bodies_on_grid_of(labels: LabelVolume, bodies: LabelVolume) -> LabelVolume:
    if not same_grid(bodies, labels):
        bodies = resample_labels(bodies, labels)
    # Not by levels, nor all of them: a segmentation may hold a single vertebra of many.
    if not bodies.labels[labels.labels > 0].any():
        raise InputError(
            "no_overlap",
            "The bodies do not lie inside the vertebrae of the segmentation.",
            "Give both label maps of the same scan, or leave out --bodies.",
        )
    return bodies


def _working_grid(ct: CtVolume | None, labels: LabelVolume):
    """The CT around the labels at 1 mm, and the first voxel of that grid."""
    if ct is None:
        return None, tuple(labels.corners_lps_mm().min(0).tolist())
    used = [np.nonzero(labels.labels.any(axes))[0] for axes in ((1, 2), (0, 2), (0, 1))]
    ends = np.array([[u[0], u[-1]] for u in used])
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), -1).reshape(8, 3)
    points = labels.index_to_lps(corners)
    box = points.min(0) - _MARGIN_MM, points.max(0) + _MARGIN_MM
    fine = resample_to_working_grid(ct, SEGMENTATION_SPACING_MM, box)
    return fine, fine.origin_lps_mm


def _candidate(found: LabelledMask, scan: CtVolume) -> Candidate:
    # The sides of a label map's own box say nothing when it was cropped after segmentation, but
    # neither is the vertebra known to be whole then.
    mask = found.mask
    return Candidate(
        mask,
        found.center_lps_mm,
        body_cut=found.touches_edge and touches_edge(mask.body, mask, scan),
        arch_cut=found.touches_edge and touches_edge(mask.vertebra, mask, scan),
        voxel_mm=float(max(scan.spacing_xyz_mm)),
    )


def _vertebra(found: LabelledMask, candidate: Candidate, scan: CtVolume, with_ct: bool) -> Vertebra:
    flags = geometry_flags(candidate, found.level, scan, "scan" if with_ct else "label map")
    # The level is what the segmentation says, so it is not in doubt here.
    return Vertebra(found.level.name, 1.0, None, found.center_lps_mm, flags=flags)


def _explained(graded: Vertebra, found: LabelledMask) -> Vertebra:
    """Complete what the stage cannot know: why there was no body, and the volume of the label."""
    if found.why_no_body and graded.grade is None:
        others = tuple(f for f in graded.flags if f.code != "not_graded")
        graded = replace(graded, flags=(*others, Flag("not_graded", found.why_no_body)))
    if graded.volume_ml is not None:
        graded = replace(graded, volume_ml=found.volume_ml)
    return graded
