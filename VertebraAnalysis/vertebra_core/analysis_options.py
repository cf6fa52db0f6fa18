"""What may be chosen of an analysis."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .settings import BEST, Setting


@dataclass(frozen=True)
class AnalysisOptions:
    """How an analysis is run.

    Attributes
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
    threads : int
        Threads of the processor; 0 takes all cores.
    models_folder : Path or None
        Folder of weights; the bundled ones when None, and for what it lacks.
    localiser : {"votes", "heat", "sagittal"}
        LocNet-F, LocNet-H, or boxes on sagittal slices.
    setting : Setting
        Choices between speed and accuracy.
    labeller : {"sequence", "single"}
        All vertebrae at once, or one by one by their masks.
    grader : str
        Name of the weights that grade: the learned head, or a fracture network.
    lesions : bool
        Flag candidates of lesions too, by the weights `methods.LESION_FINDER`.
    """

    device: str = "auto"
    threads: int = 0
    models_folder: Path | None = None
    localiser: str = "votes"
    setting: Setting = BEST
    labeller: str = "sequence"
    grader: str = "grading"
    lesions: bool = False
