"""Which method does a stop of the pipeline: the bundled one, or one it is compared with."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from .errors import WeightsError
from .fracture_stage import FractureStage
from .grading.fracture_networks import FracNet, FracResNet
from .grading_stage import GradingStage
from .labelling.label import label_vertebrae
from .labelling.single_label import label_single_vertebrae
from .localisation.localise import LocalisationOptions, localise
from .localisation.sagittal import localise_sagittal
from .settings import BEST, Setting

SAGITTAL = "sagittal"
LOCALISERS = {"votes": "locnet", "heat": "locnet", SAGITTAL: SAGITTAL}
"""Localiser -> name of its weights: LocNet-F, LocNet-H, boxes on sagittal slices."""

SINGLE = "single"
LABELLERS = {"sequence": "labelling", SINGLE: "single_labelling"}
"""Labeller -> name of its weights: all vertebrae at once, or one by one by their masks."""

_HEAD = "GradeNetwork"

LESION_FINDER = "vertebraformer"
"""Weights that add lesion candidates to an analysis."""


def weights_names(
    localiser: str = "votes", labeller: str = "sequence", grader: str = "grading"
) -> tuple[str, str, str, str]:
    """Return the names of the weights that find, segment, name and grade vertebrae."""
    return LOCALISERS[localiser], "segmentation", LABELLERS[labeller], grader


def make_localiser(
    localiser: str, network: nn.Module, device: str, setting: Setting = BEST
) -> Callable:
    """Return what finds centres: (CT on the 2 mm grid, progress, cancelled) -> Localisation."""
    if localiser == SAGITTAL:
        return lambda ct, progress, cancelled: localise_sagittal(
            ct, network, None, progress, cancelled, device
        )
    where = LocalisationOptions(
        method=localiser, along_spine=setting.along_spine, bfloat16=setting.bfloat16
    )
    return lambda ct, progress, cancelled: localise(ct, network, where, progress, cancelled, device)


def make_labeller(
    labeller: str, network: nn.Module, device: str, mirrored: bool = False
) -> Callable:
    """Return what names candidates: (CT on the 2 mm grid, candidates) -> assignment and levels.

    With `mirrored` the network of whole rows is asked twice; see `label.row_log_probabilities`.
    """
    if labeller == SINGLE:
        return lambda ct, candidates: label_single_vertebrae(
            [c.mask for c in candidates],
            [c.center_lps_mm for c in candidates],
            network,
            device=device,
        )
    return lambda ct, candidates: label_vertebrae(
        ct,
        [c.center_lps_mm for c in candidates],
        network,
        device=device,
        masks=[c.mask for c in candidates],
        mirrored=mirrored,
    )


def make_grader(network: nn.Module | None, device: str, workers: int = 1) -> Callable:
    """Return what grades: (CT on the 1 mm grid, candidates, vertebrae) -> vertebrae.

    A fracture network grades alone; the learned head stands beside morphometry, and without either
    morphometry grades alone.

    Raises
    ------
    WeightsError
        If the network is one that does not grade.
    """
    if isinstance(network, (FracNet, FracResNet)):
        return FractureStage(network, device)
    if network is not None and getattr(network, "architecture", _HEAD) != _HEAD:
        raise WeightsError(
            "weights_unfit",
            f"Weights of a {network.architecture} do not grade fractures.",
            "Name those of the grade head or of a fracture network.",
        )
    return GradingStage(network, device, workers)
