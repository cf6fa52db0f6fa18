"""What the command line says: JSON lines for programs, a bar for people, sentences for errors."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, TextIO

from .errors import OutputError, VertebraError
from .progress import Progress, ProgressTracker

HEARTBEAT_S = 0.5
"""Progress is told so often; a reader may take two seconds of silence for a hang, and on a busy
computer a line comes late."""

_BAR_WIDTH = 30


class Console(Protocol):
    """Where a command speaks to its user."""

    def progress(self, progress: Progress) -> None:
        """Tell how far the work has come."""

    def result(self, content: dict[str, Any], text: str) -> None:
        """Tell the result: `content` to programs, `text` to people."""

    def error(self, error: VertebraError) -> None:
        """Tell what is wrong, in one sentence and a hint; only the first time, as it is the end."""


class JsonConsole:
    """One JSON object per line, and nothing else, on the stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._ended = threading.Lock()

    def progress(self, progress: Progress) -> None:
        """Write a line of type ``progress``."""
        remaining = progress.remaining_s
        self._write(
            {
                "type": "progress",
                "stage": progress.stage,
                "fraction": round(progress.fraction, 4),
                "remaining_s": None if remaining is None else round(remaining, 1),
            }
        )

    def result(self, content: dict[str, Any], text: str) -> None:
        """Write a line of type ``result``."""
        self._write({"type": "result", **content})

    def error(self, error: VertebraError) -> None:
        """Write a line of type ``error``, once."""
        if not self._ended.acquire(blocking=False):
            return
        self._write(
            {"type": "error", "code": error.code, "message": error.message, "hint": error.hint}
        )

    def _write(self, content: dict[str, Any]) -> None:
        line = json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"
        # A thread that holds the lock may be stuck; a last word must not wait for it for ever.
        held = self._lock.acquire(timeout=0.5)
        try:
            self._stream.write(_writable(line, self._stream))
            self._stream.flush()
        finally:
            if held:
                self._lock.release()


class TextConsole:
    """Plain text: results on `out`, errors and the bar on `err`.

    Parameters
    ----------
    out, err : TextIO
    bar : bool
        Draw a progress bar.
    """

    def __init__(self, out: TextIO, err: TextIO, bar: bool) -> None:
        self._out, self._err, self._bar = out, err, bar
        self._drawn = 0
        self._ended = threading.Lock()

    def progress(self, progress: Progress) -> None:
        """Draw the bar."""
        if not self._bar:
            return
        filled = round(_BAR_WIDTH * progress.fraction)
        text = f"[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {progress.fraction:4.0%} "
        text += progress.stage
        if progress.remaining_s is not None:
            text += f", {_duration(progress.remaining_s)} left"
        self._err.write("\r" + text.ljust(self._drawn))
        self._err.flush()
        self._drawn = len(text)

    def result(self, content: dict[str, Any], text: str) -> None:
        """Print `text`.

        Raises
        ------
        OutputError
            ``not_printed``; files of results are not concerned.
        """
        self._clear()
        try:
            print(_writable(text, self._out), file=self._out, flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            silence(self._out)
            raise OutputError(
                "not_printed",
                f"The results cannot be printed: {error.strerror or error}.",
                "Files that were written are whole.",
            ) from error

    def error(self, error: VertebraError) -> None:
        """Print message and hint, once."""
        if not self._ended.acquire(blocking=False):
            return
        self._clear()
        print(_writable(str(error), self._err), file=self._err, flush=True)

    def _clear(self) -> None:
        if self._drawn:
            self._err.write("\r" + " " * self._drawn + "\r")
            self._err.flush()
            self._drawn = 0


class Heartbeat:
    """Tells the progress of `tracker` again and again while it is open.

    Parameters
    ----------
    tracker : ProgressTracker
    console : Console
    on_deaf : callable
        Called when nobody listens any more (the reader of a pipe is gone).
    interval_s : float
    """

    def __init__(
        self,
        tracker: ProgressTracker,
        console: Console,
        on_deaf: Callable[[], None],
        interval_s: float = HEARTBEAT_S,
    ) -> None:
        self._tracker, self._console, self._on_deaf = tracker, console, on_deaf
        self._interval_s = interval_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def report(self, stage: str, fraction: float) -> None:
        """Note progress; a new stage and the end are told at once."""
        before = self._tracker.current().stage
        self._tracker.report(stage, fraction)
        now = self._tracker.current()
        if now.stage != before or now.fraction >= 1:
            self._tell()

    def __enter__(self) -> Heartbeat:
        self._tell()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._end.wait(self._interval_s):
            self._tell()

    def _tell(self) -> None:
        try:
            self._console.progress(self._tracker.current())
        except (OSError, ValueError):
            self._on_deaf()


def open_missing_streams() -> None:
    """Put a stream that goes nowhere in place of every standard stream that is closed.

    Must come first: the next file opened would take the number of a closed stream, and what a
    library prints would land in it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def silence(stream: TextIO) -> None:
    """Lead a stream that takes nothing any more nowhere, so that leaving does not complain."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def open_console(kind: str) -> Console:
    """Return the console that ``--progress`` names: ``auto``, ``bar``, ``json`` or ``none``.

    For ``json``, file descriptor 1 is turned to standard error first, so that no library can write
    between the lines.
    """
    if kind == "json":
        sys.stdout.flush()
        # Where standard output is no real file, as in tests, there is nothing to protect.
        try:
            own = os.dup(sys.stdout.fileno())
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        except (OSError, ValueError, AttributeError):
            return JsonConsole(sys.stdout)
        return JsonConsole(os.fdopen(own, "w", encoding="utf-8", newline="\n"))
    return TextConsole(sys.stdout, sys.stderr, kind == "bar" or _is_terminal(kind))


def _writable(text: str, stream: TextIO) -> str:
    """Return `text` with a question mark for what a stream cannot hold, as names of files may."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _is_terminal(kind: str) -> bool:
    return kind == "auto" and sys.stderr.isatty()


def _duration(seconds: float) -> str:
    whole = max(1, round(seconds))
    return f"{whole} s" if whole < 90 else f"{whole // 60} min {whole % 60:02d} s"
