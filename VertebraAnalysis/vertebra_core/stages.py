"""The stages of an analysis as plain callables, and how the bundled networks provide them.

The pipeline knows only these callables, so that a test, or another method, can stand in for any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .analysis import Vertebra
from .devices import choose_device, set_threads
from .labelling.label import label_vertebrae
from .labelling.positional_logic import LevelAssignment
from .localisation.dbscan import check_dbscan
from .localisation.localise import Localisation, LocalisationOptions, localise
from .models import load_network
from .segmentation.plausibility import Plausibility, judge
from .segmentation.segment import SegmentationOptions, VertebraMask, segment
from .volume import CtVolume

Point = tuple[float, float, float]
Fraction = Callable[[float], None]
Cancelled = Callable[[], bool]
Localise = Callable[[CtVolume, Fraction, Cancelled], Localisation]

SAGITTAL = "sagittal"
"""Name of the localiser that works on sagittal slices, and of its weights."""


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
    """

    mask: VertebraMask
    center_lps_mm: Point
    body_cut: bool
    arch_cut: bool
    voxel_mm: float = 1.0
    doubt: str = ""


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
    weights_sha256 : dict of str
        Network name -> sha256 of its weights.
    device : str
    """

    localise: Localise
    segment: Callable[[CtVolume, Sequence[Point], Fraction, Cancelled], tuple[VertebraMask, ...]]
    judge: Callable[[VertebraMask, CtVolume], Plausibility]
    label: Callable[[CtVolume, Sequence[Candidate]], tuple[LevelAssignment, tuple[str, ...]]]
    grade: Callable[[CtVolume, Sequence[Candidate], Sequence[Vertebra]], tuple[Vertebra, ...]]
    weights_sha256: dict[str, str]
    device: str


def bundled_stages(
    device: str = "auto",
    threads: int = 0,
    models_folder: Path | None = None,
    localiser: str = "votes",
    flip_average: bool = False,
) -> Stages:
    """Return the stages that the bundled networks provide.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
    threads : int
        Threads of the processor; 0 takes all cores.
    models_folder : Path, optional
        Folder of weights; the bundled ones when None.
    localiser : {"votes", "heat", "sagittal"}
        LocNet-F, LocNet-H, or boxes on sagittal slices.
    flip_average : bool
        Average the segmentation with that of the mirrored image: better, twice the time.

    Raises
    ------
    WeightsError
        If weights are missing or damaged.
    """
    from .grading_stage import GradingStage

    chosen = choose_device(device)
    set_threads(threads or None)
    if localiser == SAGITTAL:
        # What is missing is told before any weights are loaded.
        check_dbscan()
    finder = SAGITTAL if localiser == SAGITTAL else "locnet"
    networks, sums = {}, {}
    for name in (finder, "segmentation", "labelling", "grading"):
        networks[name], record = load_network(name, models_folder, chosen)
        sums[name] = record.sha256
    how = SegmentationOptions(flip_average=flip_average)
    return Stages(
        localise=_finder(networks[finder], localiser, chosen),
        segment=lambda ct, centres, progress, cancelled: segment(
            ct, centres, networks["segmentation"], how, progress, cancelled, chosen
        ),
        judge=judge,
        label=lambda ct, candidates: label_vertebrae(
            ct,
            [c.center_lps_mm for c in candidates],
            networks["labelling"],
            device=chosen,
            masks=[c.mask for c in candidates],
        ),
        grade=GradingStage(networks["grading"], chosen),
        weights_sha256=sums,
        device=str(chosen),
    )


def _finder(network, localiser: str, device: str) -> Localise:
    if localiser == SAGITTAL:
        from .localisation.sagittal import localise_sagittal

        return lambda ct, progress, cancelled: localise_sagittal(
            ct, network, None, progress, cancelled, device
        )
    where = LocalisationOptions(method=localiser)
    return lambda ct, progress, cancelled: localise(ct, network, where, progress, cancelled, device)
