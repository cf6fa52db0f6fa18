"""How a training is told to stop: signals end it after a step, and its helpers wait for that."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import Cancelled

SIGNALS = (signal.SIGTERM, signal.SIGINT)

_LAST_STEP_S = 60.0
"""What the step in progress and its checkpoint may take once a process was told to stop."""


class TrainingStopped(Cancelled):
    """Told to stop, a training has ended after a step and can go on from there."""


@contextmanager
def signals_set(stop: threading.Event) -> Iterator[None]:
    """Let signals that end a process set `stop` instead; in the main thread alone that works."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers: dict[int, Any] = {n: signal.signal(n, lambda *_: stop.set()) for n in SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def outlive_signals() -> None:
    """Let a process that draws samples work on while the training takes its last step.

    Ctrl-C and most batch systems signal all processes of a job at once, and the step in progress
    needs samples.
    """

    def leave_later(*_: object) -> None:
        timer = threading.Timer(_LAST_STEP_S, os._exit, (1,))
        timer.daemon = True
        timer.start()

    for number in SIGNALS:
        signal.signal(number, leave_later)
