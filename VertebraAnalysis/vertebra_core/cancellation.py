"""Stopping on request: SIGTERM and Ctrl-C end a run within two seconds, whatever it is doing."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from .errors import Cancelled

GRACE_S = 0.6
"""A run that has not stopped by itself after this time is ended: long calls into libraries cannot
be interrupted, and two seconds are promised."""

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)
)


class Cancellation:
    """Tells whether the user wants to stop, and sees to it.

    Call it to ask. As a context manager (main thread only) it listens for signals.

    Parameters
    ----------
    exit_process : callable
        Ends the process at once with a status; for tests.
    """

    def __init__(self, exit_process: Callable[[int], Any] = os._exit) -> None:
        self._wanted = threading.Event()
        self._settled = threading.Event()
        self._exit_process = exit_process
        self._last_deeds: list[Callable[[], None]] = []
        self._handlers: dict[int, Any] = {}
        self._sockets: tuple[socket.socket, ...] = ()

    def __call__(self) -> bool:
        """Tell whether the run is to stop."""
        return self._wanted.is_set()

    def cancel(self) -> None:
        """Ask the run to stop."""
        self._wanted.set()

    def check(self) -> None:
        """Raise `Cancelled` if the run is to stop."""
        if self():
            raise Cancelled()

    def settle(self) -> None:
        """Say that the run is over: its results stand, or it has stopped and tidied up."""
        self._settled.set()

    def before_exit(self, deed: Callable[[], None]) -> None:
        """Have `deed` done (last come, first served) if the process must be ended by force."""
        self._last_deeds.append(deed)

    def __enter__(self) -> Cancellation:
        # Python runs signal handlers between two steps of the main thread, which may be minutes
        # into a library call. The wake-up socket is written at once, and a thread reads it.
        receiver, sender = socket.socketpair()
        sender.setblocking(False)
        self._sockets = (receiver, sender)
        for number in _SIGNALS:
            self._handlers[number] = signal.signal(number, lambda *_: self.cancel())
        signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._listen, args=(receiver,), daemon=True).start()
        threading.Thread(target=self._enforce, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.settle()
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        for end in self._sockets:
            end.close()

    def _listen(self, receiver: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while received := receiver.recv(1):
                if received[0] in _SIGNALS:
                    self.cancel()

    def _enforce(self) -> None:
        self._wanted.wait()
        if self._settled.wait(GRACE_S):
            return
        for deed in reversed(self._last_deeds):
            with contextlib.suppress(Exception):
                deed()
        # A deed may find that results were complete in the last moment.
        if not self._settled.is_set():
            self._exit_process(Cancelled.exit_code)


def raise_on_termination(stopped: Cancelled) -> threading.Event:
    """Let SIGTERM raise `stopped` in the main thread, and Ctrl-C KeyboardInterrupt.

    Returns
    -------
    Event
        Set once a signal has come: a library that it meets in the midst of its import may fail with
        an exception of another kind.
    """
    come = threading.Event()

    def stop(number: int, _: object) -> None:
        come.set()
        raise KeyboardInterrupt if number == signal.SIGINT else stopped

    if sys.platform != "win32":
        signal.signal(signal.SIGTERM, stop)
    # Shells let programs in the background ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):
        signal.signal(signal.SIGINT, stop)
    return come
