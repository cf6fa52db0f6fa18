"""A child process together with every process that it starts itself."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

GRACE_S = 1.2
"""What is left after this time is ended by force; the whole is promised within two seconds."""

_KILL_WAIT_S = 0.6
_LOOK_EVERY_S = 0.02


class ProcessTree:
    """Starts a program without a console window, and can end it with all its descendants.

    Ending the first process alone would not do: Slicer's Python is a launcher that starts the
    real interpreter as its own child, which would go on without it.

    Parameters
    ----------
    command : sequence of str
        Program and arguments; never passed through a shell.
    environment : mapping of str, optional
        Whole environment of the process; None hands on that of this process.
    workingFolder : Path, optional

    Raises
    ------
    OSError
        If the program cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        workingFolder: Path | None = None,
    ) -> None:
        options: dict = {}
        if os.name == "nt":
            options["creationflags"] = (
                subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
            )
        else:
            # A session of its own is a process group of its own, which signals reach as one.
            options["start_new_session"] = True
        self._process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if environment is None else dict(environment),
            cwd=None if workingFolder is None else str(workingFolder),
            **options,
        )
        self.stdout = self._process.stdout
        self.stderr = self._process.stderr

    @property
    def pid(self) -> int:
        """Identifier of the first process."""
        return self._process.pid

    @property
    def exitCode(self) -> int | None:
        """Exit status of the first process; negative: ended by that signal; None: still running."""
        return self._process.poll()

    def wait(self, timeoutS: float | None = None) -> int | None:
        """Wait for the first process; None if it is still running after `timeoutS`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeoutS)
        return None

    def askToEnd(self) -> None:
        """Ask all processes to end; returns at once. On Windows they are ended outright."""
        if os.name == "nt":
            # A program without a console cannot send Ctrl-Break to another one.
            self.kill()
        else:
            self._signalGroup(signal.SIGTERM)

    def kill(self) -> None:
        """End all processes by force."""
        if os.name == "nt":
            self._killTreeOnWindows()
        else:
            self._signalGroup(signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._process.kill()

    def end(self, graceS: float = GRACE_S) -> None:
        """Ask all processes to end, end by force what is left, and wait for it; at most 2 s."""
        self.askToEnd()
        deadline = time.monotonic() + graceS
        while time.monotonic() < deadline and self._isAnyoneLeft():
            time.sleep(_LOOK_EVERY_S)
        if self._isAnyoneLeft():
            self.kill()
        self.wait(_KILL_WAIT_S)

    def endDescendants(self) -> None:
        """End what the first process left behind when it ended by itself."""
        if os.name != "nt":
            self._signalGroup(signal.SIGKILL)

    def _isAnyoneLeft(self) -> bool:
        # Asking for the exit code also takes the first process off the group once it has ended.
        if self.exitCode is None:
            return True
        if os.name == "nt":
            return False
        return self._signalGroup(0)

    def _signalGroup(self, number: int) -> bool:
        """Send a signal to the group; False when nobody is left in it."""
        try:
            os.killpg(self.pid, number)
        except OSError:
            # Also "not permitted", which macOS says when only ended processes are left.
            return False
        return True

    def _killTreeOnWindows(self) -> None:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                ["taskkill", "/PID", str(self.pid), "/T", "/F"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                creationflags=subprocess.CREATE_NO_WINDOW,
                timeout=GRACE_S,
                check=False,
            )
