"""Grading of a segmentation that somebody has made or edited: no network looks for vertebrae."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from .added_vertebrae import (
    REACH_MM,
    AddedPoint,
    Segmenter,
    bundled_segmenter,
    check_point,
)
from .analysis import Flag, SpineAnalysis, Vertebra
from .flagging import with_flags
from .geometry_flags import geometry_flags, row_geometry
from .given_maps import GivenMaps, given_maps
from .grading.norms import why_not_graded
from .grading_backend import GradingBackend, bundled_grading
from .label_distances import gap_flags, scale_warnings
from .label_masks import LabelledMask
from .label_numbers import AUTO
from .label_volumes import with_label_volumes
from .level_order import order_flags, order_warnings
from .manifest import label_map_options, manifest_of
from .missing_arches import without_arch_volumes
from .named_masks import NamedMasks, named_masks, with_added
from .neighbour_flags import neighbour_flags
from .on_bone import NOT_ON_BONE, lies_on_bone
from .pipeline import SEGMENTATION_SPACING_MM, AnalysisResult, OnProgress
from .scan_edges import SCAN, ScanEdges
from .segmentation.merge import merge
from .stages import Candidate
from .volume import CtVolume, LabelVolume, resample_to_working_grid

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
    numbers : {"auto", "verse", "totalsegmentator", "totalsegmentator1"}
        Numbering of the label maps; see `segment_levels.numbered_by_level`.
    added : tuple of AddedPoint
        Vertebrae that the segmentation lacks, to be segmented in the CT.
    """

    device: str = "auto"
    threads: int = 0
    models_folder: Path | None = None
    numbers: str = AUTO
    added: tuple[AddedPoint, ...] = ()


def grade_segmentation(
    segmentation: LabelVolume,
    ct: CtVolume | None = None,
    bodies: LabelVolume | None = None,
    options: GradeOptions | None = None,
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] | None = None,
    backend: GradingBackend | None = None,
    segmenter: Segmenter | None = None,
) -> tuple[AnalysisResult, LabelVolume]:
    """Measure and grade the vertebrae of a segmentation, and those that are to be added to it.

    Parameters
    ----------
    segmentation : LabelVolume
        Whole vertebrae: VerSe or TotalSegmentator numbers, or segments named by level.
    ct : CtVolume, optional
        Without it there is no density, and grades rest on heights alone.
    bodies : LabelVolume, optional
        Vertebral bodies; by default they are cut out of the vertebrae. See
        `given_bodies.bodies_of_vertebrae`.
    options : GradeOptions, optional
    on_progress : callable, optional
        Called with ``"reading"``, ``"segmentation"`` (of what is added) or ``"grading"`` and the
        fraction done.
    cancelled : callable, optional
    backend : GradingBackend, optional
        Another way of grading than the bundled one.
    segmenter : Segmenter, optional
        Another way of segmenting what is added than the bundled one.

    Returns
    -------
    result : AnalysisResult
        Label maps as large as the second value.
    grid : LabelVolume
        The segmentation in VerSe numbers, without stray parts, with what was added: on the grid of
        the CT, or on its own without one.

    Raises
    ------
    InputError
        ``no_vertebra_labels``, ``double_level``, ``several_bodies``, ``no_overlap``,
        ``no_common_level``, and what `added_vertebrae` refuses.
    WeightsError
    Cancelled
    """
    options = options or GradeOptions()
    on_progress = on_progress or (lambda stage, fraction: None)
    cancelled = cancelled or (lambda: False)
    started = time.monotonic()
    given = given_maps(segmentation, ct, bodies, options.numbers)
    for wanted in options.added:
        check_point(ct, given.labels, wanted)
    backend = backend or bundled_grading(
        options.device, options.threads, options.models_folder, learned=ct is not None
    )
    read = time.monotonic()
    on_progress("reading", 1.0)

    fine, origin = _working_grid(ct, given.labels, options.added)
    named = named_masks(given, origin, lambda f: on_progress("grading", 0.6 * f), cancelled)
    if options.added:
        on_progress("segmentation", 0.0)
        segmenter = segmenter or bundled_segmenter(
            options.device, options.threads, options.models_folder
        )
        named = with_added(named, ct, fine, options.added, segmenter, cancelled)
        on_progress("segmentation", 1.0)
    drawn = (given.own,) if bodies is None else (given.own, bodies)
    candidates, vertebrae = _to_grade(named, ct, drawn)
    on_bone = ct is None or lies_on_bone(named.masks, ct)
    graded = backend.grade(fine if on_bone else None, candidates, vertebrae)
    on_progress("grading", 0.9)
    graded, bare = _completed(graded, named, candidates)
    body_map = _body_map(candidates, named, cancelled)

    seconds = {"reading": round(read - started, 3), "grading": round(time.monotonic() - read, 3)}
    manifest = manifest_of(
        named.labels,
        (segmentation if ct is None else ct).source,
        backend.weights_sha256 | named.weights_sha256,
        backend.device,
        seconds,
        _stated(options, ct, segmentation, bodies, given),
    )
    odd = (*named.warnings, *order_warnings(named.levels), *named.doubts.values())
    odd = (*odd, *scale_warnings(candidates, named.levels), *bare)
    odd = (*(ct.warnings if ct else ()), *odd, *(() if on_bone else (NOT_ON_BONE,)))
    on_progress("grading", 1.0)
    analysis = SpineAnalysis(graded, manifest, odd)
    return AnalysisResult(analysis, named.labels.labels, body_map), named.labels


def _stated(
    options: GradeOptions,
    ct: CtVolume | None,
    segmentation: LabelVolume,
    bodies: LabelVolume | None,
    given: GivenMaps,
) -> dict[str, object]:
    """Options of the manifest: what was chosen, and which label maps it was chosen for."""
    chosen = {name: value for name, value in vars(options).items() if name != "added"}
    stated = {**chosen, "input": "segmentation" if ct is None else "segmentation and CT"}
    stated |= label_map_options("segmentation", segmentation.source, given.numbering)
    if options.added:
        stated["added"] = ", ".join(wanted.level.name for wanted in options.added)
    if bodies is not None:
        stated |= label_map_options("bodies", bodies.source, given.bodies.numbering)
    return stated


def _working_grid(ct: CtVolume | None, labels: LabelVolume, added: Sequence[AddedPoint] = ()):
    """The CT around labels and points at 1 mm, and the first voxel of that grid."""
    if ct is None:
        return None, tuple(labels.corners_lps_mm().min(0).tolist())
    used = [np.nonzero(labels.labels.any(axes))[0] for axes in ((1, 2), (0, 2), (0, 1))]
    ends = np.array([[u[0], u[-1]] for u in used])
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), -1).reshape(8, 3)
    points = labels.index_to_lps(corners)
    around = [np.asarray(a.center_lps_mm) for a in added]
    low = [points.min(0) - _MARGIN_MM, *(point - REACH_MM for point in around)]
    high = [points.max(0) + _MARGIN_MM, *(point + REACH_MM for point in around)]
    box = np.min(low, 0), np.max(high, 0)
    fine = resample_to_working_grid(ct, SEGMENTATION_SPACING_MM, box)
    return fine, fine.origin_lps_mm


def _to_grade(
    named: NamedMasks, ct: CtVolume | None, drawn: Sequence[LabelVolume]
) -> tuple[list[Candidate], list[Vertebra]]:
    """Name and flag what was found; `drawn` are labels, and given bodies, on their own grids."""
    scan, edges = drawn[0] if ct is None else ct, ScanEdges(ct, drawn[0])
    voxel_mm = float(max(max(grid.spacing_xyz_mm) for grid in (scan, *drawn)))
    found = [_candidate(one, edges, voxel_mm, named) for one in named.masks]
    candidates = [candidate for candidate, _ in found]
    courses, seeming_mm = row_geometry(candidates, ct)
    vertebrae = []
    for one, (candidate, cut_by), course in zip(named.masks, found, courses, strict=True):
        flags = geometry_flags(candidate, one.level, scan, cut_by, drawn, course, seeming_mm)
        if candidate.doubt:
            flags = (*flags, Flag("implausible_shape", candidate.doubt))
        # The level is what the segmentation says: how probable it is, nobody has judged.
        vertebrae.append(Vertebra(one.level.name, None, None, one.center_lps_mm, flags=flags))
    levels = named.levels
    beside = neighbour_flags(candidates, [level.name for level in levels])
    by_place = zip(order_flags(levels), beside, gap_flags(candidates, levels), strict=True)
    row = [tuple(chain(*flags)) for flags in by_place]
    return candidates, [with_flags(v, own) for v, own in zip(vertebrae, row, strict=True)]


def _candidate(
    one: LabelledMask, edges: ScanEdges, voxel_mm: float, named: NamedMasks
) -> tuple[Candidate, str]:
    """What is to be graded of a vertebra, and whose edge cuts it, if one does."""
    mask, number = one.mask, one.level.number
    body_by, cut_points = edges.cuts(mask.body, mask, number)
    arch_by = edges.cutting(mask.vertebra, mask, number)
    candidate = Candidate(
        mask,
        one.center_lps_mm,
        body_cut=bool(body_by),
        arch_cut=bool(arch_by),
        voxel_mm=voxel_mm,
        doubt=named.doubts.get(number, ""),
        body_cut_by=body_by or SCAN,
        cut_points_lps_mm=cut_points,
    )
    return candidate, body_by or arch_by or SCAN


def _completed(
    graded: Sequence[Vertebra], named: NamedMasks, candidates: Sequence[Candidate]
) -> tuple[tuple[Vertebra, ...], tuple[str, ...]]:
    """Complete what was graded by what its labels tell, and return what is odd about the arches."""
    graded = tuple(_explained(v, known) for v, known in zip(graded, named.masks, strict=True))
    graded = with_label_volumes(graded, named.labels.labels, named.labels)
    return without_arch_volumes(graded, candidates)


def _body_map(
    candidates: Sequence[Candidate], named: NamedMasks, cancelled: Callable[[], bool]
) -> np.ndarray:
    """The bodies that were measured, within the labels."""
    numbers = [level.number for level in named.levels]
    _, bodies = merge([c.mask for c in candidates], numbers, named.labels, None, cancelled)
    bodies[bodies != named.labels.labels] = 0
    return bodies


def _explained(graded: Vertebra, found: LabelledMask) -> Vertebra:
    """Complete what the stage cannot know: why there was no body."""
    if found.why_no_body and graded.grade is None and why_not_graded(graded.level) is None:
        others = tuple(f for f in graded.flags if f.code != "not_graded")
        graded = replace(graded, flags=(*others, Flag("not_graded", found.why_no_body)))
    return graded
