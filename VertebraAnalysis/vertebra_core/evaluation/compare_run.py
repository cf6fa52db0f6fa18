"""One analysis with what passed between its stages, so that other systems get the same input."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from .. import methods
from ..analysis import Vertebra
from ..errors import InputError
from ..pipeline import LOCALISATION_SPACING_MM, AnalysisOptions, AnalysisResult, analyze
from ..segmentation.plausibility import judge
from ..segmentation.segment import segment
from ..settings import BEST
from ..stages import Candidate, Stages, segmentation_options
from ..volume import CtVolume, resample_to_working_grid

BASE_NETWORKS = ("locnet", "segmentation", "labelling", "grading")


@dataclass
class RecordedRun:
    """A CT with the pipeline's result and its intermediate products.

    Attributes
    ----------
    ct : CtVolume
        As it was read.
    coarse : CtVolume
        On the 2 mm grid.
    fine : CtVolume or None
        On the 1 mm grid, around the spine.
    candidates : tuple of Candidate
        Segmented vertebrae in the order of `vertebrae`.
    vertebrae : tuple of Vertebra
        Named, not graded.
    labelled : tuple of Candidate
        Candidates as they were to be named, spurious ones among them.
    result : AnalysisResult or None
        None where the analysis refused the scan; then all of the above are empty.
    reason : str
        Why it did.
    """

    ct: CtVolume
    coarse: CtVolume
    fine: CtVolume | None = None
    candidates: tuple[Candidate, ...] = ()
    vertebrae: tuple[Vertebra, ...] = ()
    labelled: tuple[Candidate, ...] = ()
    result: AnalysisResult | None = None
    reason: str = ""


def base_stages(networks: dict[str, nn.Module], device: str) -> Stages:
    """Return the stages of the pipeline, as it is set by default, from networks by name.

    The names are those of `BASE_NETWORKS`.
    """
    how = segmentation_options(BEST)
    return Stages(
        localise=methods.make_localiser("votes", networks["locnet"], device),
        segment=lambda ct, centres, progress, cancelled: segment(
            ct, centres, networks["segmentation"], how, progress, cancelled, device
        ),
        judge=judge,
        label=methods.make_labeller("sequence", networks["labelling"], device, BEST.mirrored),
        grade=methods.make_grader(networks["grading"], device),
        weights_sha256={},
        device=device,
    )


def record_run(ct: CtVolume, stages: Stages) -> RecordedRun:
    """Analyse a CT and keep what passed between the stages."""
    run = RecordedRun(ct, coarse=ct)

    def localise(coarse, progress, cancelled):
        run.coarse = coarse
        return stages.localise(coarse, progress, cancelled)

    def label(coarse, candidates):
        run.labelled = tuple(candidates)
        return stages.label(coarse, candidates)

    def grade(fine, candidates, vertebrae):
        run.fine, run.candidates, run.vertebrae = fine, tuple(candidates), tuple(vertebrae)
        return stages.grade(fine, candidates, vertebrae)

    watched = replace(stages, localise=localise, label=label, grade=grade)
    try:
        run.result = analyze(ct, AnalysisOptions(device=stages.device), stages=watched)
    except InputError as error:
        run.reason = str(error)
    if run.coarse is ct:
        # Refused before anything was looked for; other systems look all the same.
        run.coarse = resample_to_working_grid(ct, LOCALISATION_SPACING_MM)
    return run
