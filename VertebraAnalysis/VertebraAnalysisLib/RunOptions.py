"""What a user can choose for a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RunOptions:
    """Choices for one run.

    Attributes
    ----------
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
    threads : int
        Processor threads; 0 takes all cores.
    roiNode : vtkMRMLMarkupsROINode or None
        Only the part of the CT inside it is analysed.
    segmentationNode : vtkMRMLSegmentationNode or None
        Grade these vertebrae instead of looking for vertebrae.
    setting : str
        ``"best"`` or ``"fast"``.
    lesions : bool
        Flag candidates of lesions too, unless a segmentation is graded.
    """

    device: str = "auto"
    threads: int = 0
    roiNode: Any = None
    segmentationNode: Any = None
    setting: str = "best"
    lesions: bool = False
