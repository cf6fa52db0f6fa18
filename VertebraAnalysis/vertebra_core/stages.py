"""The stages of an analysis as plain callables, and how the bundled networks provide them.

The pipeline knows only these callables, so that a test, or another method, can stand in for any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .analysis import Vertebra
from .analysis_options import AnalysisOptions
from .devices import choose_device, set_threads
from .labelling.positional_logic import LevelAssignment
from .localisation.dbscan import check_dbscan
from .localisation.localise import Localisation
from .models import load_network
from .parallel import MAX_WORKERS
from .scan_edges import SCAN
from .segmentation.plausibility import Plausibility, judge
from .segmentation.segment import SegmentationOptions, VertebraMask, segment
from .settings import Setting
from .volume import CtVolume

Point = tuple[float, float, float]
Fraction = Callable[[float], None]
Cancelled = Callable[[], bool]
Localise = Callable[[CtVolume, Fraction, Cancelled], Localisation]


@dataclass(frozen=True)
class Candidate:
    """A segmented vertebra on its way through the pipeline.

    Attributes
    ----------
    mask : VertebraMask
    center_lps_mm : tuple of float
        Centre of its body.
    body_cut, arch_cut : bool
        The field of view cuts the body, or anything else of the vertebra.
    voxel_mm : float
        Coarsest voxel size of the scan.
    doubt : str
        Why the mask does not look like a vertebra, though its place in the row says it is one.
    body_cut_by : str
        Whose edge cuts the body, if one does; see `scan_edges`.
    cut_points_lps_mm : ndarray, shape (n, 3), or None
        Where it does; None leaves open where.
    """

    mask: VertebraMask
    center_lps_mm: Point
    body_cut: bool
    arch_cut: bool
    voxel_mm: float = 1.0
    doubt: str = ""
    body_cut_by: str = SCAN
    cut_points_lps_mm: np.ndarray | None = None


@dataclass(frozen=True)
class Stages:
    """The four stops and the gate between them.

    Attributes
    ----------
    localise : callable
        (CT on the 2 mm grid, progress, cancelled) -> Localisation.
    segment : callable
        (CT on the 1 mm grid, centres in LPS mm, progress, cancelled) -> one VertebraMask each.
    judge : callable
        (mask, CT on the 1 mm grid) -> Plausibility.
    label : callable
        (CT on the 2 mm grid, candidates) -> (LevelAssignment, level names of the network alone).
    grade : callable
        (CT on the 1 mm grid, candidates, named vertebrae) -> the vertebrae, measured and graded.
    find_lesions : callable or None
        (CT on the 1 mm grid, candidates, graded vertebrae, progress, cancelled) -> the vertebrae,
        lesion candidates flagged. None: lesions are not looked for.
    weights_sha256 : dict of str
        Network name -> sha256 of its weights.
    device : str
    workers : int
        How many vertebrae are worked on at once.
    """

    localise: Localise
    segment: Callable[[CtVolume, Sequence[Point], Fraction, Cancelled], tuple[VertebraMask, ...]]
    judge: Callable[[VertebraMask, CtVolume], Plausibility]
    label: Callable[[CtVolume, Sequence[Candidate]], tuple[LevelAssignment, tuple[str, ...]]]
    grade: Callable[[CtVolume, Sequence[Candidate], Sequence[Vertebra]], tuple[Vertebra, ...]]
    weights_sha256: dict[str, str]
    device: str
    workers: int = 1
    find_lesions: Callable[..., tuple[Vertebra, ...]] | None = None


def bundled_stages(options: AnalysisOptions) -> Stages:
    """Return the stages that the bundled networks provide, or those of a models folder.

    Raises
    ------
    WeightsError
        If weights are missing from both, or damaged.
    InputError
        If a package that the localiser needs is not installed.
    """
    from . import methods

    setting = options.setting
    chosen = choose_device(options.device)
    workers = _workers(chosen.type, set_threads(options.threads or None))
    if options.localiser == methods.SAGITTAL:
        # What is missing is told before any weights are loaded.
        check_dbscan()
    names = list(methods.weights_names(options.localiser, options.labeller, options.grader))
    finder, _, namer, _ = names
    if options.lesions:
        names.append(methods.LESION_FINDER)
    networks, sums = {}, {}
    for name in names:
        networks[name], record = load_network(name, options.models_folder, chosen)
        sums[name] = record.sha256
    how = segmentation_options(setting, workers)
    find_lesions = None
    if options.lesions:
        from .lesion_stage import LesionStage

        find_lesions = LesionStage(networks[methods.LESION_FINDER], chosen)
    return Stages(
        localise=methods.make_localiser(options.localiser, networks[finder], chosen, setting),
        segment=lambda ct, centres, progress, cancelled: segment(
            ct, centres, networks["segmentation"], how, progress, cancelled, chosen
        ),
        judge=judge,
        label=methods.make_labeller(options.labeller, networks[namer], chosen, setting.mirrored),
        grade=methods.make_grader(networks[options.grader], chosen, workers),
        weights_sha256=sums,
        device=str(chosen),
        workers=workers,
        find_lesions=find_lesions,
    )


def segmentation_options(setting: Setting, workers: int = 1) -> SegmentationOptions:
    """Return how vertebrae are segmented under a setting."""
    return SegmentationOptions(
        flip_average=setting.mirrored,
        recentre_mm=setting.recentre_mm,
        crop_shapes_zyx=setting.crop_shapes_zyx,
        bfloat16=setting.bfloat16,
        workers=workers,
    )


def _workers(device: str, threads: int) -> int:
    """How many vertebrae are worked on at once; Apple's graphics take one thread."""
    return 1 if device == "mps" else min(threads, MAX_WORKERS)
