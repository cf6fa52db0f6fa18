"""The pipeline's own methods in a comparison: as they are, and trained otherwise.

The bundled weights were trained longer than anything else in a comparison is. Trained again for
the budget of the others, the same networks tell what a design does and what its training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from torch import nn

from .. import methods
from ..analysis import Vertebra
from ..labelling.positional_logic import assign_levels
from ..levels import level_named
from ..localisation.localise import LocalisationOptions, centres_from_output, locnet_output
from ..localisation.outputs import OUT_CHANNELS
from ..segmentation.merge import merge
from ..segmentation.segment import segment
from ..settings import BEST
from ..stages import segmentation_options
from .compare_answers import (
    Answer,
    Once,
    System,
    found_vertebra,
    of_analysed,
    prediction_of_levels,
    prediction_of_places,
)
from .compare_run import RecordedRun
from .prediction import Prediction, from_result


def pipeline_systems(locnet: nn.Module, device: str) -> list[System]:
    """Return the pipeline's own methods, each alone, and LocNet-H."""
    pipeline = of_analysed(lambda run: from_result(run.result))
    return [
        System("Pipeline (after plausibility)", "localisation", pipeline),
        System("Attention U-Net (pipeline)", "segmentation", pipeline),
        System("Sequence of crops (pipeline)", "labelling", pipeline),
        System("Positions alone (no network)", "labelling", _named_by_positions),
        System("Morphometry and grade head (pipeline)", "grading", pipeline),
        System("Morphometry alone", "grading", _graded_by(_own_grades, "morphometric_grade")),
        System("Grade head alone", "grading", _graded_by(_own_grades, "learned_grade")),
        *_locnet_systems("", locnet, device),
    ]


def retrained_systems(suffix: str, network: nn.Module, device: str) -> list[System]:
    """Return what an architecture of the pipeline does at its stop with other weights.

    It gets what the pipeline's own network gets there: the CT, or the pipeline's centres, masks
    and names.

    Parameters
    ----------
    suffix : str
        Tells this training from others; ends the names of its systems.
    network : Module
        On `device`.
    device : str
    """
    kind = getattr(network, "architecture", "")
    if kind == "LabellingNetwork":
        named = _named_by_row(network, device)
        return [System(f"Sequence of crops{suffix}", "labelling", named)]
    if kind == "GradeNetwork":
        stage = methods.make_grader(network, device)
        graded = _graded_by(
            lambda run: stage(run.fine, run.candidates, run.vertebrae), "learned_grade"
        )
        return [System(f"Grade head alone{suffix}", "grading", graded)]
    if kind == "SubpixelUNet":
        if network.config()["out_channels"] == OUT_CHANNELS:
            return _locnet_systems(suffix, network, device)
        title = "Attention U-Net" if network.config()["attention"] else "U-Net"
        return [System(f"{title}{suffix}", "segmentation", _segmented(network, device))]
    return []


def _locnet_systems(suffix: str, locnet: nn.Module, device: str) -> list[System]:
    output = Once(
        lambda run: locnet_output(run.coarse, locnet, LocalisationOptions(), device=device)
    )
    systems = []
    for name, method in (("LocNet-F", "votes"), ("LocNet-H", "heat")):
        for chain, ending in ((True, ", chain"), (False, "")):
            options = LocalisationOptions(method=method, keep_chain_only=chain)
            title = f"{name}{suffix}{ending}"
            systems.append(System(title, "localisation", _located(output, options)))
    return systems


def _own_grades(run: RecordedRun) -> tuple[Vertebra, ...]:
    return run.result.analysis.vertebrae


def _graded_by(grades: Callable[[RecordedRun], tuple[Vertebra, ...]], opinion: str) -> Answer:
    def answer(run: RecordedRun) -> Prediction:
        found = [replace(found_vertebra(v), grade=getattr(v, opinion)) for v in grades(run)]
        return Prediction(tuple(found))

    return of_analysed(answer)


def _located(output: Once, options: LocalisationOptions) -> Answer:
    return lambda run: prediction_of_places(
        c.position_lps_mm for c in centres_from_output(output(run), run.coarse, options).centres
    )


def _segmented(network: nn.Module, device: str) -> Answer:
    def answer(run: RecordedRun) -> Prediction:
        centres = [v.center_lps_mm for v in run.vertebrae]
        masks = segment(run.fine, centres, network, segmentation_options(BEST), device=device)
        numbers = [level_named(v.level).number for v in run.vertebrae]
        found = tuple(found_vertebra(v) for v in run.vertebrae)
        return Prediction(found, *merge(masks, numbers, run.ct))

    return of_analysed(answer)


def _named_by_positions(run: RecordedRun) -> Prediction:
    """What positional logic makes of the centres without any network: what a network must beat."""
    centres = [c.center_lps_mm for c in run.labelled]
    assignment = assign_levels(np.reshape(centres, (-1, 3)), None)
    return prediction_of_levels(centres, assignment, [None] * len(centres))


def _named_by_row(network: nn.Module, device: str) -> Answer:
    label = methods.make_labeller("sequence", network, device)

    def answer(run: RecordedRun) -> Prediction:
        centres = [c.center_lps_mm for c in run.labelled]
        return prediction_of_levels(centres, *label(run.coarse, run.labelled))

    return answer
