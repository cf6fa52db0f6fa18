"""The systems that `evaluate --compare` sets side by side, each at the stop it stands for."""

from __future__ import annotations

import numpy as np
from torch import nn

from .. import methods
from ..labelling.assignment import LevelAssignment
from ..labelling.positional_logic import assign_levels
from ..labelling.single_label import label_single_vertebrae
from ..levels import MOBILE_LEVELS
from ..localisation.sagittal import SagittalOptions, centres_from_boxes, detect_boxes
from ..vertebraformer.apply import FormerResult, apply_vertebraformer
from ..volume import LabelVolume, resample_labels
from .compare_answers import (
    Answer,
    Once,
    System,
    of_analysed,
    prediction_of_levels,
    prediction_of_places,
)
from .compare_fracture import Opinions
from .compare_pipeline import retrained_systems
from .compare_run import BASE_NETWORKS, RecordedRun
from .prediction import Prediction
from .records import FoundVertebra

_USUAL_NAMES = (
    *BASE_NETWORKS,
    methods.SAGITTAL,
    methods.LABELLERS[methods.SINGLE],
    methods.LESION_FINDER,
    f"{methods.LESION_FINDER}_plain",
)
"""What `train` calls its weights, fracture networks apart, which are named after their losses."""


def systems_of(name: str, network: nn.Module, device: str) -> list[System]:
    """Return the systems that a network makes possible; none for those of the pipeline itself.

    Parameters
    ----------
    name : str
        Of its weights' file, which tells trainings of one architecture apart: what follows the
        name that `train` gives stands in brackets, so that ``locnet_equal`` is "LocNet-F (equal)".
    network : Module
        On `device`.
    device : str
    """
    if name in BASE_NETWORKS:
        return []
    kind, suffix = getattr(network, "architecture", ""), _suffix(name)
    if kind == "SagittalDetector":
        boxes = Once(
            lambda run: detect_boxes(run.coarse, network, SagittalOptions(), device=device)
        )
        return [
            System(
                f"Sagittal boxes, DBSCAN{suffix}{ending}",
                "localisation",
                _boxed(boxes, SagittalOptions(keep_chain_only=chain)),
            )
            for chain, ending in ((True, ", chain"), (False, ""))
        ]
    if kind == "SingleVertebraNetwork":
        return [System(f"Single masks{suffix}", "labelling", _named_by_masks(network, device))]
    if kind in ("FracNet", "FracSegNet", "FracResNet"):
        loss = name.partition("_")[2].replace("_", " ") or name
        ask = Opinions(network, device)
        answers = {"grading": ask.grades}
        if kind != "FracNet":
            answers["segmentation"] = ask.masks
        if network.wall_head is not None:
            answers["walls"] = ask.walls
        return [System(f"{kind}, {loss}", stop, of_analysed(a)) for stop, a in answers.items()]
    if kind == "VertebraFormer":
        ask = _Former(network, device)
        title = "VertebraFormer" if network.modulation is not None else "VertebraFormer, plain"
        answers = {
            "localisation": ask.centres,
            "segmentation": ask.labels,
            "labelling": ask.levels,
            "lesions": ask.lesions,
        }
        return [System(title + suffix, stop, answer) for stop, answer in answers.items()]
    return retrained_systems(suffix, network, device)


def _suffix(name: str) -> str:
    usual = [n for n in _USUAL_NAMES if name == n or name.startswith(f"{n}_")]
    rest = name.removeprefix(max(usual, key=len, default="")).strip("_").replace("_", " ")
    return f" ({rest})" if rest else ""


def _boxed(boxes: Once, options: SagittalOptions) -> Answer:
    return lambda run: prediction_of_places(
        c.position_lps_mm for c in centres_from_boxes(boxes(run), run.coarse, options).centres
    )


def _named_by_masks(network: nn.Module, device: str) -> Answer:
    def answer(run: RecordedRun) -> Prediction:
        masks = [c.mask for c in run.labelled]
        centres = [c.center_lps_mm for c in run.labelled]
        assignment, alone = label_single_vertebrae(masks, centres, network, device=device)
        return prediction_of_levels(centres, assignment, alone)

    return answer


class _Former:
    """VertebraFormer's answers to every task; it runs once per scan."""

    def __init__(self, network: nn.Module, device: str) -> None:
        def apply(run: RecordedRun) -> FormerResult:
            return apply_vertebraformer(run.coarse, network, device=device)

        def assign(run: RecordedRun) -> LevelAssignment:
            found = self._ask(run)
            evidence = found.level_log_probabilities
            return assign_levels(found.centres_lps_mm, evidence if len(evidence) else None)

        self._ask, self._assigned = Once(apply), Once(assign)

    def centres(self, run: RecordedRun) -> Prediction:
        """Return the centres of its bodies."""
        return prediction_of_places(self._ask(run).centres_lps_mm)

    def labels(self, run: RecordedRun) -> Prediction:
        """Return its label maps in the geometry of the scan, named as in `levels`.

        By its own numbers alone, two vertebrae of the same number would be one in the map.
        """
        found, grid = self._ask(run), run.coarse
        numbers = np.zeros(len(found.centres_lps_mm) + 1, np.uint8)
        for k, named in enumerate(self._assigned(run).detections):
            numbers[k] = named.level.number if named.level is not None else 0
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
        alone = tuple(MOBILE_LEVELS[i].name for i in evidence.argmax(1)) if len(evidence) else ()
        return prediction_of_levels(found.centres_lps_mm, self._assigned(run), alone)

    def lesions(self, run: RecordedRun) -> Prediction:
        """Return its lesion candidates; `shape` is the kind, the level does not count."""
        return Prediction(
            tuple(
                FoundVertebra("C1", c.position_lps_mm, c.confidence, shape=c.kind)
                for c in self._ask(run).lesions
            )
        )
