"""Runs the core once at a time, without blocking the application."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, Protocol

import qt
from slicer.i18n import tr as _

from .LogView import LogView
from .MessageBar import MessageBar
from .ProgressView import ProgressView
from .UserError import UserError

_POLL_MS = 100


class Run(Protocol):
    """What a run offers; see `CoreRun`."""

    running: bool
    cancelReason: str

    def start(self) -> None: ...

    def poll(self) -> None: ...

    def cancel(self, wait: bool = False) -> None: ...


class RunController:
    """Starts a run, shows how far it is, and says how it ended.

    Parameters
    ----------
    progress : ProgressView
    messages : MessageBar
    log : LogView
    onStateChanged : callable
        () when a run has begun or ended.
    """

    def __init__(
        self,
        progress: ProgressView,
        messages: MessageBar,
        log: LogView,
        onStateChanged: Callable[[], None],
    ) -> None:
        self._progress, self._messages, self._log = progress, messages, log
        self._onStateChanged = onStateChanged
        self._run: Run | None = None
        self._cancelling = False
        self._onResult: Callable[[Any], None] = lambda result: None
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MS)
        self._timer.connect("timeout()", self.poll)

    @property
    def running(self) -> bool:
        """A run is at work, or on its way out."""
        return self._run is not None

    @property
    def cancelling(self) -> bool:
        """The run was told to stop."""
        return self._cancelling

    def start(self, makeRun: Callable[..., Run], onResult: Callable[[Any], None]) -> bool:
        """Begin a run; does nothing while another one is at work.

        Parameters
        ----------
        makeRun : callable
            Takes the callbacks of `CoreRun` by name and returns the run.
        onResult : callable
            Gets what the run gives in the end, in this thread.

        Returns
        -------
        bool
            The run is at work.
        """
        if self.running:
            return False
        self._messages.clear()
        self._cancelling = False
        self._onResult = onResult
        run = makeRun(
            onProgress=self._showProgress,
            onFinished=self._finished,
            onFailed=self._failed,
            onCancelled=self._cancelled,
            onLog=self._log.add,
        )
        self._run = run
        try:
            run.start()
        except UserError as error:
            self._end()
            self._messages.error(error.message, error.hint)
            return False
        except Exception:
            self._end()
            raise
        if self.running:
            self._timer.start()
            self._onStateChanged()
        return self.running

    def cancel(self, wait: bool = False) -> None:
        """Stop the run; `wait` returns only when its processes are gone."""
        if self._run is None or (self._cancelling and not wait):
            return
        self._cancelling = True
        self._progress.say(_("Cancelling..."))
        self._onStateChanged()
        self._run.cancel(wait)

    def poll(self) -> None:
        """Take in what has happened; the timer calls this."""
        if self._run is not None:
            self._run.poll()

    def _showProgress(self, progress: Any) -> None:
        if not self._cancelling:
            self._progress.show(progress)

    def _finished(self, result: Any) -> None:
        self._progress.say(_("Adding the results to the scene"))
        problem: tuple[str, str] | None = None
        try:
            self._onResult(result)
        except UserError as error:
            problem = (error.message, error.hint)
        except Exception as error:  # noqa: BLE001 - whatever it is, the user must hear of it
            for line in traceback.format_exc().splitlines():
                self._log.add(line)
            problem = (
                _("The results could not be shown ({error}).").format(error=error),
                _("The log below has the details."),
            )
        self._end()
        if problem is not None:
            self._messages.error(*problem)

    def _failed(self, message: str, hint: str) -> None:
        self._end()
        self._log.add(f"{message} {hint}")
        self._messages.error(message, hint)

    def _cancelled(self) -> None:
        reason = getattr(self._run, "cancelReason", "")
        self._end()
        self._log.add(reason or _("Cancelled."))
        if reason:
            self._messages.warn(reason, _("The analysis was stopped."))
        else:
            self._messages.inform(_("Cancelled; the scene is as it was."))

    def _end(self) -> None:
        self._timer.stop()
        self._run = None
        self._cancelling = False
        self._progress.hide()
        self._onStateChanged()
