"""The analysis as a child process: its lines become calls in the thread that polls."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from .ProcessTree import ProcessTree
from .ProgressLine import ErrorLine, ProgressLine, ResultLine, readLine

SILENCE_LIMIT_S = 60.0
"""A process that says nothing for this long hangs: it promises a line every two seconds."""

START_LIMIT_S = 180.0
"""Before its first line Python itself is loaded, which a virus scanner can draw out."""

_LOG_LINES_KEPT = 400
_LOG_LINES_TOLD = 6
_LINE_LENGTH = 2000
_LONGEST_STEP_S = 5.0
_LEAST_WINDOWS_STATUS = 0x80000000


class AnalysisProcess:
    """Runs a program that speaks JSON lines; never blocks the caller.

    Nothing is called from another thread: `poll`, called by a timer, delivers what has happened
    since. Exactly one of `onResult`, `onError` and `onCancelled` is called, once, and nothing
    after it.

    Parameters
    ----------
    command : sequence of str
    onProgress : callable
        (ProgressLine).
    onResult : callable
        (dict): the line of type ``result``.
    onError : callable
        (message, hint): one sentence each; the hint of a crash holds the log's end.
    onLog : callable
        (str): a line of the log.
    environment : mapping of str, optional
    workingFolder : Path, optional
    onCancelled : callable, optional
        (): after `cancel`, once no process is left.
    silenceLimitS, startLimitS : float
    """

    def __init__(
        self,
        command: Sequence[str],
        onProgress: Callable[[ProgressLine], Any],
        onResult: Callable[[dict[str, Any]], Any],
        onError: Callable[[str, str], Any],
        onLog: Callable[[str], Any],
        environment: Mapping[str, str] | None = None,
        workingFolder: Path | None = None,
        onCancelled: Callable[[], Any] | None = None,
        silenceLimitS: float = SILENCE_LIMIT_S,
        startLimitS: float = START_LIMIT_S,
    ) -> None:
        self._command = [str(word) for word in command]
        self._onProgress, self._onResult = onProgress, onResult
        self._onError, self._onLog = onError, onLog
        self._onCancelled = onCancelled or (lambda: None)
        self._environment, self._workingFolder = environment, workingFolder
        self._silenceLimitS, self._patienceS = silenceLimitS, startLimitS
        self._events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._log: deque[str] = deque(maxlen=_LOG_LINES_KEPT)
        self._started = False
        self._tree: ProcessTree | None = None
        self._endThread: threading.Thread | None = None
        self._hangMessage = ""
        self._last: ResultLine | ErrorLine | None = None
        self._silentS = 0.0
        self._polledAt = 0.0
        self._over = False

    @property
    def running(self) -> bool:
        """True from `start` until the outcome has been delivered."""
        return self._started and not self._over

    @property
    def log(self) -> str:
        """The log's last lines."""
        return "\n".join(self._log)

    @property
    def pid(self) -> int | None:
        """Identifier of the first process; None before `start`."""
        return None if self._tree is None else self._tree.pid

    def start(self) -> None:
        """Start the program; a program that cannot be started is told through `poll`.

        Raises
        ------
        RuntimeError
            If it was started before.
        """
        if self._started:
            raise RuntimeError("a process can be started once")
        self._started = True
        self._polledAt = time.monotonic()
        try:
            self._tree = ProcessTree(self._command, self._environment, self._workingFolder)
        except OSError as error:
            self._events.put(("unstartable", error.strerror or str(error)))
            return
        threading.Thread(target=self._watch, args=(self._tree,), daemon=True).start()

    def cancel(self, wait: bool = False) -> None:
        """End the process and all its descendants within two seconds.

        Parameters
        ----------
        wait : bool
            Return only when they have ended; for closing the application.
        """
        if self._tree is None or self._over:
            return
        self._endTree()
        if wait:
            self._endThread.join()

    def poll(self) -> None:
        """Deliver what has happened since the last call, in the caller's thread."""
        heard = False
        while not self._over:
            try:
                kind, content = self._events.get_nowait()
            except queue.Empty:
                break
            heard = True
            if kind == "line":
                self._say(content)
            elif kind == "log":
                self._tellLog(content)
            elif kind == "unstartable":
                self._over = True
                self._onError(
                    f"The analysis program cannot be started: {content}.",
                    f"Install 3D Slicer again if this file is missing: {self._command[0]}",
                )
            elif self._endThread is None:
                self._finish(content)
        if self._over:
            return
        if self._endThread is None:
            self._checkSilence(heard)
        elif not self._endThread.is_alive():
            # Whatever could be ended has been ended.
            self._finish(None)

    # What the threads do

    def _watch(self, tree: ProcessTree) -> None:
        readers = [
            threading.Thread(target=self._read, args=(stream, kind), daemon=True)
            for stream, kind in ((tree.stdout, "line"), (tree.stderr, "log"))
        ]
        for reader in readers:
            reader.start()
        exitCode = tree.wait()
        # A descendant that is left would hold the pipes open for ever.
        tree.endDescendants()
        for reader in readers:
            reader.join(1.0)
        self._events.put(("exit", exitCode))

    def _read(self, stream: BinaryIO, kind: str) -> None:
        # Files closed by the other side end the loop.
        with contextlib.suppress(OSError, ValueError), stream:
            for raw in stream:
                self._events.put((kind, raw.decode("utf-8", "replace").rstrip("\r\n")))

    # What the polling thread does

    def _say(self, line: str) -> None:
        said = readLine(line)
        if isinstance(said, ProgressLine):
            self._patienceS = self._silenceLimitS
            if self._endThread is None:
                self._onProgress(said)
        elif said is not None:
            self._last = said
        elif line.strip():
            self._tellLog(line)

    def _tellLog(self, line: str) -> None:
        self._log.append(line[:_LINE_LENGTH])
        self._onLog(line[:_LINE_LENGTH])

    def _finish(self, exitCode: int | None) -> None:
        self._over = True
        if self._hangMessage:
            hint = "Try again; choose CPU under Advanced if it happens twice."
            self._onError(self._hangMessage, self._withLogEnd(hint))
        elif self._endThread is not None:
            self._onCancelled()
        elif isinstance(self._last, ErrorLine) and self._last.code != "defect":
            self._onError(self._last.message, self._last.hint)
        elif isinstance(self._last, ResultLine) and exitCode == 0:
            self._onResult(self._last.content)
        elif isinstance(self._last, ErrorLine):
            self._onError(self._last.message, self._withLogEnd("Please report this."))
        else:
            self._onError(
                f"The analysis stopped unexpectedly ({describeExit(exitCode)}).",
                self._withLogEnd(
                    "Close other programs in case memory ran out, choose CPU under Advanced, and "
                    "try again."
                ),
            )

    def _checkSilence(self, heard: bool) -> None:
        now = time.monotonic()
        # Long steps say that this application or the whole computer slept, not the process.
        step = min(now - self._polledAt, _LONGEST_STEP_S)
        self._polledAt = now
        self._silentS = 0.0 if heard else self._silentS + step
        if not self.running or self._tree is None or self._silentS < self._patienceS:
            return
        self._hangMessage = (
            f"The analysis has not answered for {self._silentS:.0f} seconds and was stopped."
        )
        self._endTree()

    def _endTree(self) -> None:
        if self._endThread is None:
            # A thread of its own, as nobody may poll any more.
            self._endThread = threading.Thread(target=self._tree.end)
            self._endThread.start()

    def _withLogEnd(self, hint: str) -> str:
        lines = [line for line in self._log if line.strip()][-_LOG_LINES_TOLD:]
        if not lines:
            return f"{hint} The log is empty."
        return "\n".join([f"{hint} The log ends with:", *lines])


def describeExit(exitCode: int | None) -> str:
    """Return an exit status in words, e.g. ``"ended by SIGKILL"`` or ``"exit code 0xC0000005"``."""
    if exitCode is not None and exitCode < 0:
        with contextlib.suppress(ValueError):
            return f"ended by {signal.Signals(-exitCode).name}"
    if exitCode is not None and exitCode > _LEAST_WINDOWS_STATUS:
        # Only in this form can what Windows says of a crash be looked up.
        return f"exit code 0x{exitCode:X}"
    return f"exit code {exitCode}"
