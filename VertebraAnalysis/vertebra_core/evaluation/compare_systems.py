"""The systems that `evaluate --compare` sets side by side, each at the stop it stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from ..labelling.positional_logic import LevelAssignment, assign_levels
from ..labelling.single_label import label_single_vertebrae
from ..levels import MOBILE_LEVELS
from ..localisation.localise import LocalisationOptions, centres_from_output, locnet_output
from ..localisation.sagittal import SagittalOptions, centres_from_boxes, detect_boxes
from ..vertebraformer.apply import FormerResult, apply_vertebraformer
from ..volume import LabelVolume, resample_labels
from .compare_fracture import Once, Opinions, found_vertebra
from .compare_run import RecordedRun
from .prediction import Prediction, failed, from_result
from .records import FoundVertebra

STOPS = ("localisation", "segmentation", "labelling", "grading", "walls", "lesions")

EXTRA_STOPS = ("walls", "lesions")
"""Stops with a truth of their own."""

Answer = Callable[[RecordedRun], Prediction]


@dataclass(frozen=True)
class System:
    """One row of the comparison.

    Attributes
    ----------
    name : str
    stop : str
        One of `STOPS`.
    answer : callable
        What the system says about a scan.
    version : str
        Of the weights it rests on: kept answers of other versions do not count.
    """

    name: str
    stop: str
    answer: Answer
    version: str = ""


def pipeline_systems(locnet: nn.Module, device: str) -> list[System]:
    """Return the pipeline's own methods, each alone, and LocNet-H."""
    systems = [
        System("Pipeline (after plausibility)", "localisation", _pipeline),
        System("Attention U-Net (pipeline)", "segmentation", _pipeline),
        System("Sequence of crops (pipeline)", "labelling", _pipeline),
        System("Positions alone (no network)", "labelling", _named_by_positions),
        System("Morphometry and grade head (pipeline)", "grading", _pipeline),
        System("Morphometry alone", "grading", _graded_by("morphometric_grade")),
        System("Grade head alone", "grading", _graded_by("learned_grade")),
    ]
    output = Once(
        lambda run: locnet_output(run.coarse, locnet, LocalisationOptions(), device=device)
    )
    for name, method in (("LocNet-F", "votes"), ("LocNet-H", "heat")):
        for chain, suffix in ((True, ", chain"), (False, "")):
            options = LocalisationOptions(method=method, keep_chain_only=chain)
            systems.append(System(name + suffix, "localisation", _located(output, options)))
    return systems


def systems_of(name: str, network: nn.Module, device: str) -> list[System]:
    """Return the systems that a network makes possible; none for those of the pipeline.

    Parameters
    ----------
    name : str
        Of its weights' file, which tells trainings of one architecture apart.
    network : Module
        On `device`.
    device : str
    """
    kind = getattr(network, "architecture", "")
    if kind == "SagittalDetector":
        boxes = Once(
            lambda run: detect_boxes(run.coarse, network, SagittalOptions(), device=device)
        )
        return [
            System(
                "Sagittal boxes, DBSCAN" + suffix,
                "localisation",
                _boxed(boxes, SagittalOptions(keep_chain_only=chain)),
            )
            for chain, suffix in ((True, ", chain"), (False, ""))
        ]
    if kind == "SingleVertebraNetwork":
        return [System("Single masks", "labelling", _named_by_masks(network, device))]
    if kind in ("FracNet", "FracSegNet", "FracResNet"):
        loss = name.partition("_")[2].replace("_", " ") or name
        ask = Opinions(network, device)
        systems = [System(f"{kind}, {loss}", "grading", ask.grades)]
        if kind != "FracNet":
            systems.append(System(f"{kind}, {loss}", "segmentation", ask.masks))
        if network.wall_head is not None:
            systems.append(System(f"{kind}, {loss}", "walls", ask.walls))
        return systems
    if kind == "VertebraFormer":
        ask = _Former(network, device)
        title = "VertebraFormer" if network.modulation is not None else "VertebraFormer, plain"
        answers = {
            "localisation": ask.centres,
            "segmentation": ask.labels,
            "labelling": ask.levels,
            "lesions": ask.lesions,
        }
        return [System(title, stop, answer) for stop, answer in answers.items()]
    return []


def _pipeline(run: RecordedRun) -> Prediction:
    if run.result is None:
        return failed(run.reason, run.ct.hu.shape)
    return from_result(run.result)


def _graded_by(opinion: str) -> Answer:
    def answer(run: RecordedRun) -> Prediction:
        if run.result is None:
            return failed(run.reason, run.ct.hu.shape)
        found = [
            replace(found_vertebra(v), grade=getattr(v, opinion))
            for v in run.result.analysis.vertebrae
        ]
        return Prediction(tuple(found))

    return answer


def _located(output: Once, options: LocalisationOptions) -> Answer:
    return lambda run: _places(
        c.position_lps_mm for c in centres_from_output(output(run), run.coarse, options).centres
    )


def _boxed(boxes: Once, options: SagittalOptions) -> Answer:
    return lambda run: _places(
        c.position_lps_mm for c in centres_from_boxes(boxes(run), run.coarse, options).centres
    )


def _named_by_positions(run: RecordedRun) -> Prediction:
    """What positional logic makes of the centres without any network: what a network must beat."""
    centres = [c.center_lps_mm for c in run.labelled]
    return _levels(
        centres, assign_levels(np.reshape(centres, (-1, 3)), None), [None] * len(centres)
    )


def _named_by_masks(network: nn.Module, device: str) -> Answer:
    def answer(run: RecordedRun) -> Prediction:
        masks = [c.mask for c in run.labelled]
        centres = [c.center_lps_mm for c in run.labelled]
        assignment, alone = label_single_vertebrae(masks, centres, network, device=device)
        return _levels(centres, assignment, alone)

    return answer


class _Former:
    """VertebraFormer's answers to every task; it runs once per scan."""

    def __init__(self, network: nn.Module, device: str) -> None:
        def apply(run: RecordedRun) -> FormerResult:
            return apply_vertebraformer(run.coarse, network, device=device)

        self._ask = Once(apply)

    def centres(self, run: RecordedRun) -> Prediction:
        """Return the centres of its bodies."""
        return _places(self._ask(run).centres_lps_mm)

    def labels(self, run: RecordedRun) -> Prediction:
        """Return its label maps in the geometry of the scan, named by itself."""
        found, grid = self._ask(run), run.coarse
        numbers = np.zeros(len(found.centres_lps_mm) + 1, np.uint8)
        for k, order in enumerate(found.level_log_probabilities.argmax(1)):
            numbers[k] = MOBILE_LEVELS[order].number
        labels = numbers[found.owner]
        maps = [
            resample_labels(
                LabelVolume(m, grid.spacing_xyz_mm, grid.origin_lps_mm, grid.direction), run.ct
            ).labels.astype(np.uint8)
            for m in (labels, np.where(found.body, labels, 0).astype(np.uint8))
        ]
        return Prediction(self.levels(run).found, *maps)

    def levels(self, run: RecordedRun) -> Prediction:
        """Return its levels before and after positional logic."""
        found = self._ask(run)
        evidence = found.level_log_probabilities
        assignment = assign_levels(found.centres_lps_mm, evidence if len(evidence) else None)
        alone = tuple(MOBILE_LEVELS[i].name for i in evidence.argmax(1)) if len(evidence) else ()
        return _levels(found.centres_lps_mm, assignment, alone)

    def lesions(self, run: RecordedRun) -> Prediction:
        """Return its lesion candidates; `shape` is the kind, the level does not count."""
        return Prediction(
            tuple(
                FoundVertebra("C1", c.position_lps_mm, c.confidence, shape=c.kind)
                for c in self._ask(run).lesions
            )
        )


def _places(positions_lps_mm) -> Prediction:
    """A prediction that states centres only; its levels mean nothing."""
    return Prediction(
        tuple(FoundVertebra("C1", tuple(float(v) for v in p)) for p in positions_lps_mm)
    )


def _levels(
    centres: Sequence[Sequence[float]], assignment: LevelAssignment, alone: Sequence[str | None]
) -> Prediction:
    return Prediction(
        tuple(
            FoundVertebra(
                named.level.name,
                tuple(float(v) for v in center),
                float(named.probability),
                network_level=level,
            )
            for center, named, level in zip(centres, assignment.detections, alone, strict=True)
            if named.level is not None
        )
    )
