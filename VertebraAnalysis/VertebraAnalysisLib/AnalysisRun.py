"""The analysis of one CT of the scene, from the click to the folder of results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .CoreCommand import CoreCommand
from .CoreRun import CoreRun
from .InputChecks import inputProblem
from .ProgressLine import ProgressLine
from .RunOptions import RunOptions
from .UserError import UserError
from .VolumeExport import VolumeExport

__all__ = ["AnalysisRun", "RunOptions"]


class AnalysisRun(CoreRun):
    """Analyses a CT, or grades an existing segmentation of it; see `CoreRun`.

    `onFinished` gets the folder of results (``analysis.json``, ``labels.nii.gz`` ...), which is
    removed as soon as the call returns.

    Parameters
    ----------
    inputNode : vtkMRMLScalarVolumeNode
    options : RunOptions
    onProgress, onFinished, onFailed, onCancelled, onLog, core
        As in `CoreRun`.
    """

    def __init__(
        self,
        inputNode: Any,
        options: RunOptions,
        onProgress: Callable[[ProgressLine], Any],
        onFinished: Callable[[Path], Any],
        onFailed: Callable[[str, str], Any],
        onCancelled: Callable[[], Any],
        onLog: Callable[[str], Any],
        core: CoreCommand | None = None,
    ) -> None:
        super().__init__(inputNode, onProgress, onFinished, onFailed, onCancelled, onLog, core)
        self._options = options

    def _check(self) -> None:
        problem = inputProblem(self._inputNode)
        if problem:
            raise UserError(problem)

    def _command(self, folder: Path) -> list[str]:
        ct, results = folder / "ct.nrrd", folder / "results"
        VolumeExport.write(self._inputNode, ct, self._options.roiNode)
        if self._options.segmentationNode is None:
            return self._core.analyze(ct, results, self._options)
        from .SegmentationExport import SegmentationExport

        segmentation = folder / "segmentation.seg.nrrd"
        options = self._options
        SegmentationExport.write(options.segmentationNode, segmentation, options.roiNode)
        return self._core.grade(ct, segmentation, results, self._options)
