"""What code of this extension asks of `slicer.app`, where there is no application."""

from __future__ import annotations

import tempfile
from typing import Any


class ApplicationStandIn:
    """Stands in for `slicer.app`.

    Parameters
    ----------
    scene : vtkMRMLScene
    logic : vtkSlicerApplicationLogic
    """

    applicationName = "Slicer"

    def __init__(self, scene: Any, logic: Any) -> None:
        self._scene = scene
        self._logic = logic
        self._temporary = tempfile.TemporaryDirectory(prefix="slicer-temporary-")

    @property
    def temporaryPath(self) -> str:
        return self._temporary.name

    def mrmlScene(self) -> Any:
        return self._scene

    def applicationLogic(self) -> Any:
        return self._logic

    def testingEnabled(self) -> bool:
        return True

    def layoutManager(self) -> None:
        return None

    def processEvents(self, *_: Any) -> None:
        """Nothing waits: there is no event loop."""

    def pauseRender(self) -> None:
        """Nothing is rendered."""

    def resumeRender(self) -> None:
        """Nothing is rendered."""

    def setOverrideCursor(self, *_: Any) -> None:
        """There is no cursor."""

    def restoreOverrideCursor(self) -> None:
        """There is no cursor."""
