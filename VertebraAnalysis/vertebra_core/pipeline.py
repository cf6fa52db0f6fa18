"""One analysis from a CT to named and graded vertebrae."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from .analysis import SpineAnalysis, Vertebra
from .analysis_options import AnalysisOptions
from .cut_spine import cut_spine_warnings
from .errors import Cancelled, InputError
from .field_of_view import points_at_edge, touches_edge
from .flagging import with_flags
from .geometry_flags import row_geometry
from .label_volumes import with_label_volumes
from .labelling.positional_logic import LevelAssignment, MissedVertebra
from .levels import level_named
from .manifest import manifest_of
from .neighbour_flags import neighbour_flags
from .parallel import for_each
from .rejected_centres import rejected_warnings
from .segmentation.doubts import doubts_in_row
from .segmentation.merge import find_duplicates, merged_beside
from .segmentation.segment import VertebraMask
from .stages import Candidate, Stages, bundled_stages
from .upside_down import upside_down_warnings
from .vertebra_flags import (
    labelling_warnings,
    left_out_doubts,
    network_disagreement,
    vertebra_flags,
)
from .volume import CtVolume, resample_to_working_grid
from .volume_checks import checked_ct

LOCALISATION_SPACING_MM = 2.0
SEGMENTATION_SPACING_MM = 1.0

# What the crops of all vertebrae can reach around their centres, LPS mm: right and left, front and
# back, below and above.
_REACH_LOW_MM = np.array([62.0, 45.0, 58.0])
_REACH_HIGH_MM = np.array([62.0, 90.0, 50.0])

OnProgress = Callable[[str, float], None]
"""Called with a stage's name, of `progress.STAGE_WEIGHTS`, and the fraction of it that is done."""


@dataclass(frozen=True)
class AnalysisResult:
    """What an analysis gives.

    Attributes
    ----------
    analysis : SpineAnalysis
    labels, bodies : ndarray of uint8, shape (z, y, x)
        Level numbers of whole vertebrae and of bodies, on the grid of the input.
    network_levels : tuple of str
        Level that the network alone gives each vertebra, before positional logic.
    """

    analysis: SpineAnalysis
    labels: np.ndarray
    bodies: np.ndarray
    network_levels: tuple[str, ...] = ()


def analyze(
    volume: CtVolume,
    options: AnalysisOptions | None = None,
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] | None = None,
    stages: Stages | None = None,
) -> AnalysisResult:
    """Find, segment, name and grade every vertebra of a CT.

    Parameters
    ----------
    volume : CtVolume
        Any orientation and spacing.
    options : AnalysisOptions, optional
    on_progress : callable, optional
    cancelled : callable, optional
        Asked between and during stages; True ends the analysis with `Cancelled`.
    stages : Stages, optional
        Other stages than the bundled ones.

    Raises
    ------
    InputError
        If the volume is unsuitable (see `volume_checks`) or shows no spine.
    WeightsError
        If weights are missing or damaged.
    Cancelled
    """
    options = options or AnalysisOptions()
    return _Run(volume, options, on_progress, cancelled, stages).result()


class _Run:
    """The state of one analysis."""

    def __init__(self, volume, options, on_progress, cancelled, stages) -> None:
        self.options = options
        self._on_progress = on_progress or (lambda stage, fraction: None)
        self._cancelled = cancelled or (lambda: False)
        self._seconds: dict[str, float] = {}
        with self._stage("reading"):
            self.volume = checked_ct(volume)
            self.stages = stages or bundled_stages(options)
        self.warnings = list(self.volume.warnings)

    def result(self) -> AnalysisResult:
        """Run all stages."""
        with self._stage("localisation") as progress:
            coarse = resample_to_working_grid(self.volume, LOCALISATION_SPACING_MM)
            found = self.stages.localise(coarse, progress, self._cancelled)
            if not found.centres:
                raise _no_spine()
        with self._stage("segmentation") as progress:
            centres = [c.position_lps_mm for c in found.centres]
            fine = self._around(centres)
            scores = [c.score for c in found.centres]
            candidates = self._segmented(fine, centres, scores, progress)
            if not candidates:
                raise _no_spine()
        with self._stage("labelling"):
            assignment, network_levels = self.stages.label(coarse, candidates)
            if assignment.missed:
                more = self._search_missed(fine, candidates, assignment.missed)
                if len(more) > len(candidates):
                    candidates = more
                    assignment, network_levels = self.stages.label(coarse, candidates)
            candidates, vertebrae, network_levels = self._named(
                candidates, assignment, network_levels
            )
            self.warnings.extend(rejected_warnings(found.rejected, vertebrae))
            self.warnings.extend(cut_spine_warnings(candidates))
            self.warnings.extend(upside_down_warnings(candidates))
        masks = [c.mask for c in candidates]
        numbers = [level_named(v.level).number for v in vertebrae]
        # Grades change no mask, and one core measures while another brings masks to the CT's grid.
        with merged_beside(masks, numbers, self.volume, self._cancelled) as merged:
            with self._stage("grading") as progress:
                vertebrae = self.stages.grade(fine, candidates, vertebrae)
                if self.stages.find_lesions is not None:
                    more = fine, candidates, vertebrae, progress, self._cancelled
                    vertebrae = self.stages.find_lesions(*more)
            with self._stage("merging") as progress:
                labels, bodies = merged(progress)
        vertebrae = with_label_volumes(vertebrae, labels, self.volume)
        return AnalysisResult(self._analysis(vertebrae), labels, bodies, network_levels)

    @contextmanager
    def _stage(self, name: str) -> Iterator[Callable[[float], None]]:
        if self._cancelled():
            raise Cancelled()
        started = time.monotonic()
        self._on_progress(name, 0.0)
        yield lambda fraction: self._on_progress(name, fraction)
        self._seconds[name] = round(time.monotonic() - started, 3)
        self._on_progress(name, 1.0)

    def _around(self, centres: Sequence[Sequence[float]]) -> CtVolume:
        points = np.asarray(centres, float)
        box = points.min(0) - _REACH_LOW_MM, points.max(0) + _REACH_HIGH_MM
        return resample_to_working_grid(self.volume, SEGMENTATION_SPACING_MM, box)

    def _segmented(self, fine, centres, scores, progress) -> list[Candidate]:
        """Segment all centres; drop what is no vertebra or was segmented twice; head to foot."""
        masks = self.stages.segment(fine, centres, progress, self._cancelled)
        workers = self.stages.workers
        verdicts = list(for_each(lambda m: self.stages.judge(m, fine), masks, workers))
        doubts = doubts_in_row(masks, verdicts)
        # Other vertebrae of the neck can have the size of an atlas; only the uppermost can be it.
        top = max((m.center_lps_mm[2] for m in masks), default=0.0)
        atlas = [
            v.like_atlas and m.center_lps_mm[2] == top for v, m in zip(verdicts, masks, strict=True)
        ]
        kept = [k for k in zip(masks, scores, doubts, atlas, strict=True) if k[2] is not None]
        double = set(find_duplicates([k[0] for k in kept], [k[1] for k in kept]))
        single = [k for i, k in enumerate(kept) if i not in double]
        candidates = for_each(lambda k: self._candidate(k[0], *k[2:]), single, workers)
        return sorted(candidates, key=lambda c: -c.center_lps_mm[2])

    def _candidate(self, mask: VertebraMask, doubt: str = "", atlas: bool = False) -> Candidate:
        # The atlas has no body: its centre is what the localiser says.
        centre = None if atlas else mask.body_center_lps_mm()
        centre = centre or mask.center_lps_mm
        cut_points = points_at_edge(mask.body, mask, self.volume)
        return Candidate(
            mask,
            centre,
            body_cut=len(cut_points) > 0,
            arch_cut=touches_edge(mask.vertebra, mask, self.volume),
            voxel_mm=float(max(self.volume.spacing_xyz_mm)),
            doubt=doubt,
            cut_points_lps_mm=cut_points,
        )

    def _search_missed(
        self, fine: CtVolume, candidates: list[Candidate], missed: Sequence[MissedVertebra]
    ) -> list[Candidate]:
        """Look again where positional logic expects a vertebra; take what looks like one."""
        points = [m.position_lps_mm for m in missed]
        masks = self.stages.segment(fine, points, lambda fraction: None, self._cancelled)
        new = [self._candidate(m) for m in masks if self.stages.judge(m, fine).plausible]
        everything = candidates + new
        scores = [1.0] * len(candidates) + [0.5] * len(new)
        double = set(find_duplicates([c.mask for c in everything], scores))
        kept = [c for i, c in enumerate(everything) if i not in double]
        return sorted(kept, key=lambda c: -c.center_lps_mm[2])

    def _named(self, candidates, assignment: LevelAssignment, network_levels):
        kept, vertebrae, alone = [], [], []
        gaps = {m.upper for m in assignment.missed} | {m.lower for m in assignment.missed}
        left_out = left_out_doubts(assignment)
        row = [c for c, d in zip(candidates, assignment.detections, strict=True) if d.level]
        courses, seeming_mm = row_geometry(row, self.volume)
        for i, (candidate, named) in enumerate(zip(candidates, assignment.detections, strict=True)):
            if named.level is None:
                continue
            kept.append(candidate)
            alone.append(network_levels[i])
            beside_gap, doubt = i in gaps, left_out.get(i, "")
            flags = vertebra_flags(
                candidate,
                named.level,
                named.probability,
                beside_gap,
                self.volume,
                doubt,
                courses[len(vertebrae)],
                seeming_mm,
            )
            vertebrae.append(
                Vertebra(
                    level=named.level.name,
                    level_probability=float(named.probability),
                    runner_up_level=named.runner_up.name if named.runner_up else None,
                    center_lps_mm=candidate.center_lps_mm,
                    runner_up_probability=float(named.runner_up_probability),
                    flags=flags,
                )
            )
        if not vertebrae:
            raise _no_spine()
        names = [v.level for v in vertebrae]
        more = neighbour_flags(kept, names)
        doubt = network_disagreement(names, alone)
        vertebrae = [with_flags(v, own + doubt) for v, own in zip(vertebrae, more, strict=True)]
        self.warnings.extend(labelling_warnings(assignment))
        return kept, vertebrae, tuple(alone)

    def _analysis(self, vertebrae: Sequence[Vertebra]) -> SpineAnalysis:
        manifest = manifest_of(
            self.volume,
            self.volume.source,
            self.stages.weights_sha256,
            self.stages.device,
            self._seconds,
            vars(self.options),
        )
        return SpineAnalysis(tuple(vertebrae), manifest, tuple(self.warnings))


def _no_spine() -> InputError:
    return InputError(
        "no_spine",
        "No vertebra was found in this scan.",
        "Check that the spine is in the field of view, that the volume is a CT and that its header "
        "does not turn the patient the wrong way round.",
    )
