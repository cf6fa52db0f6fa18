"""What the panel remembers in the scene: choices that a saved scene brings back."""

from __future__ import annotations

import enum
import sys
from typing import Annotated

import slicer
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper


class Device(enum.Enum):
    """Where the networks run."""

    AUTO = "auto"
    CPU = "cpu"
    GPU = "gpu"

    def label(self) -> str:
        """The choice as the user reads it."""
        return {
            Device.AUTO: _("Automatic"),
            Device.CPU: _("Processor (CPU)"),
            Device.GPU: _("Graphics card (GPU)"),
        }[self]

    @property
    def argument(self) -> str:
        """The choice as ``--device`` takes it."""
        if self is Device.GPU:
            return "mps" if sys.platform == "darwin" else "cuda"
        return self.value


class Setting(enum.Enum):
    """Choices between accuracy and speed; the values are those of ``--setting``."""

    BEST = "best"
    FAST = "fast"

    def label(self) -> str:
        """The choice as the user reads it."""
        return {Setting.BEST: _("Best accuracy"), Setting.FAST: _("Fast")}[self]


@parameterNodeWrapper
class ParameterNode:
    """Typed access to the module's parameter node.

    Attributes
    ----------
    inputVolume : vtkMRMLScalarVolumeNode
        CT to analyze.
    results : vtkMRMLTextNode
        Analysis that is shown and reviewed.
    setting : Setting
    device : Device
    threads : int
        Processor threads; 0 takes all.
    regionOfInterest : vtkMRMLMarkupsROINode
        Box to analyze; None for the whole CT.
    existingSegmentation : vtkMRMLSegmentationNode
        Segmentation to grade instead of finding vertebrae; None to find them.
    lesions : bool
        Look for lesions too.
    alongAxes : bool
        Slice views follow the axes of the body shown.
    """

    inputVolume: slicer.vtkMRMLScalarVolumeNode
    results: slicer.vtkMRMLTextNode
    setting: Setting = Setting.BEST
    device: Device = Device.AUTO
    threads: Annotated[int, WithinRange(0, 256)] = 0
    regionOfInterest: slicer.vtkMRMLMarkupsROINode
    existingSegmentation: slicer.vtkMRMLSegmentationNode
    lesions: bool = False
    alongAxes: bool = False
