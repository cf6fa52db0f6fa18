"""A run of the inference core on a volume of the scene: files, process, and a scene kept safe."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .AnalysisProcess import AnalysisProcess
from .CoreCommand import CoreCommand
from .ProgressLine import ProgressLine
from .UserError import UserError

_FOLDER_PREFIX = "VertebraAnalysis-"
_STALE_AFTER_S = 24 * 3600.0


class CoreRun:
    """Base of `AnalysisRun` and `MeasuringRun`: they say what to write, to run, and to read.

    `poll`, called by a timer every 100 ms or so, delivers everything in the caller's thread.
    Exactly one of `onFinished`, `onFailed` and `onCancelled` is called after `start`. Closing the
    scene or deleting the input cancels. Only one run is at work at a time.

    Parameters
    ----------
    inputNode : vtkMRMLScalarVolumeNode
    onProgress : callable
        (ProgressLine).
    onFinished : callable
        One argument; see the subclass.
    onFailed : callable
        (message, hint).
    onCancelled : callable
        ().
    onLog : callable
        (str).
    core : CoreCommand, optional
        How the core is started.
    """

    _active: CoreRun | None = None

    def __init__(
        self,
        inputNode: Any,
        onProgress: Callable[[ProgressLine], Any],
        onFinished: Callable[[Any], Any],
        onFailed: Callable[[str, str], Any],
        onCancelled: Callable[[], Any],
        onLog: Callable[[str], Any],
        core: CoreCommand | None = None,
    ) -> None:
        self._inputNode = inputNode
        self._core = core or CoreCommand()
        self._onProgress, self._onFinished = onProgress, onFinished
        self._onFailed, self._onCancelled, self._onLog = onFailed, onCancelled, onLog
        self._folder: Path | None = None
        self._process: AnalysisProcess | None = None
        self._observed: list[tuple[Any, int]] = []
        self._started = self._over = False
        self._cancelReason = ""

    # For subclasses

    def _check(self) -> None:
        """Raise `UserError` if the run cannot be done."""

    def _command(self, folder: Path) -> list[str]:
        """Write the input files into `folder` and return the command to run."""
        raise NotImplementedError

    def _read(self, resultFolder: Path) -> Any:
        """Return what `onFinished` gets; the folder is removed after that call."""
        return resultFolder

    # For users

    @property
    def running(self) -> bool:
        """True from `start` until one of the final callbacks has been called."""
        return self._started and not self._over

    @property
    def cancelReason(self) -> str:
        """Why the run was cancelled if not by `cancel`; one sentence, or empty."""
        return self._cancelReason

    @property
    def log(self) -> str:
        """The last lines of the log."""
        return "" if self._process is None else self._process.log

    def start(self) -> None:
        """Check and write the input, and start the process.

        Raises
        ------
        UserError
            If the input is unsuitable or another run is at work; nothing has changed then.
        """
        if self._started:
            raise RuntimeError("a run can be started once")
        if CoreRun._active is not None and CoreRun._active.running:
            raise UserError("An analysis is already running.", "Wait for it, or cancel it.")
        self._check()
        self._folder = self._makeFolder()
        try:
            began = time.monotonic()
            self._onProgress(ProgressLine("export", 0.0, None))
            command = self._command(self._folder)
            self._onLog(f"The CT was handed over in {time.monotonic() - began:.1f} s.")
            workingFolder = self._folder / "work"
            workingFolder.mkdir()
        except BaseException:
            self._tidy()
            raise
        self._process = AnalysisProcess(
            command,
            self._onProgress,
            self._succeeded,
            self._failed,
            self._onLog,
            self._core.environment(),
            # "-m" looks for modules here first, so the folder must be an empty one.
            workingFolder,
            self._cancelled,
        )
        CoreRun._active = self
        self._started = True
        self._observe()
        self._process.start()

    def poll(self) -> None:
        """Deliver what has happened since the last call."""
        if self.running:
            self._process.poll()

    def cancel(self, wait: bool = False) -> None:
        """End the process tree within two seconds; `poll` then tells `onCancelled`.

        Parameters
        ----------
        wait : bool
            Return only when it has ended, for closing the application; tells `onCancelled` itself.
        """
        if not self.running:
            return
        self._process.cancel(wait)
        deadline = time.monotonic() + 2.0
        while wait and self.running and time.monotonic() < deadline:
            self.poll()
            time.sleep(0.01)

    # What the process tells

    def _succeeded(self, content: dict[str, Any]) -> None:
        try:
            result = self._read(Path(str(content.get("folder", self._folder / "results"))))
        except UserError as error:
            self._failed(error.message, error.hint)
            return
        self._end()
        try:
            self._onFinished(result)
        finally:
            self._tidy()

    def _failed(self, message: str, hint: str) -> None:
        self._end()
        self._tidy()
        self._onFailed(message, hint)

    def _cancelled(self) -> None:
        self._end()
        self._tidy()
        self._onCancelled()

    # The scene

    def _observe(self) -> None:
        import slicer

        scene = self._inputNode.GetScene()
        for event in (scene.StartCloseEvent, slicer.vtkMRMLScene.NodeRemovedEvent):
            self._observed.append((scene, scene.AddObserver(event, self._onSceneChanged)))

    def _onSceneChanged(self, scene: Any, event: str) -> None:
        if not self.running or self._cancelReason:
            return
        if scene.IsClosing():
            self._cancelReason = "The scene was closed."
        elif not scene.IsNodePresent(self._inputNode):
            self._cancelReason = "The CT was removed from the scene."
        else:
            return
        self._process.cancel()

    # Files

    @staticmethod
    def _makeFolder() -> Path:
        import slicer

        parent = getattr(getattr(slicer, "app", None), "temporaryPath", None)
        parent = parent or tempfile.gettempdir()
        CoreRun._removeStale(Path(parent))
        try:
            return Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX, dir=parent))
        except OSError as error:
            raise UserError(
                f"The temporary folder cannot be used: {error.strerror or error}.",
                "Choose another temporary folder in Slicer's application settings.",
            ) from error

    @staticmethod
    def _removeStale(parent: Path) -> None:
        """Remove what a crashed application left: it holds a copy of a patient's scan."""
        for folder in parent.glob(f"{_FOLDER_PREFIX}*"):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > _STALE_AFTER_S:
                    shutil.rmtree(folder, ignore_errors=True)

    def _end(self) -> None:
        self._over = True
        if CoreRun._active is self:
            CoreRun._active = None
        for subject, tag in self._observed:
            subject.RemoveObserver(tag)
        self._observed.clear()

    def _tidy(self) -> None:
        if self._folder is None:
            return
        folder, self._folder = self._folder, None
        # Windows holds the files of a process for a moment after its end.
        for _ in range(5):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                return
            with contextlib.suppress(OSError):
                time.sleep(0.05)
