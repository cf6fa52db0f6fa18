"""Analyses a CT and waits for the result; for scripts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import slicer

from .AnalysisRun import AnalysisRun
from .CoreCommand import CoreCommand
from .ResultSet import ResultSet
from .RunOptions import RunOptions
from .SceneWriter import SceneWriter
from .UserError import UserError

_PAUSE_S = 0.05


class BlockingAnalysis:
    """One analysis from the CT to the nodes in the scene.

    The same child process works as for the panel, and the application's events are handled while
    it does, so that views and buttons stay alive.

    Parameters
    ----------
    volumeNode : vtkMRMLScalarVolumeNode
    options : RunOptions, optional
    core : CoreCommand, optional
        As in `AnalysisRun`.
    """

    def __init__(
        self, volumeNode: Any, options: RunOptions | None = None, core: CoreCommand | None = None
    ) -> None:
        self._volumeNode = volumeNode
        self._result: ResultSet | None = None
        self._error: UserError | None = None
        self._run = AnalysisRun(
            volumeNode,
            options or RunOptions(),
            onProgress=lambda progress: None,
            onFinished=self._write,
            onFailed=self._fail,
            onCancelled=self._cancelled,
            onLog=lambda line: None,
            core=core,
        )

    def run(self) -> ResultSet:
        """Return the nodes that the analysis added to the scene.

        Raises
        ------
        UserError
            If the volume cannot be analysed, or the analysis failed or was cancelled.
        """
        self._run.start()
        try:
            while self._run.running:
                self._run.poll()
                slicer.app.processEvents()
                time.sleep(_PAUSE_S)
        except BaseException:
            # Whoever interrupts the script wants nothing to go on, least of all unseen.
            self._run.cancel(wait=True)
            raise
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    def _write(self, folder: Path) -> None:
        self._result = SceneWriter().write(folder, self._volumeNode)

    def _fail(self, message: str, hint: str) -> None:
        self._error = UserError(message, hint)

    def _cancelled(self) -> None:
        self._error = UserError(self._run.cancelReason or "The analysis was cancelled.")
