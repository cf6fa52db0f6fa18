"""What a training run tells of itself: figures of its steps and validations, in logs and words."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from .log import TrainingLog

_log = logging.getLogger(__name__)


class RunReport:
    """Gathers the figures of steps, and writes them to ``training.csv`` and ``validation.csv``.

    Parameters
    ----------
    folder : Path or None
        None, as in all processes but the first: nothing is written.
    next_step : int
        Rows of this step and later, left by a run that was cut off, are dropped.
    tensorboard : bool
        See `TrainingLog`.

    Raises
    ------
    OutputError
        ``disk_full`` or ``not_writable``; so do its methods.
    """

    def __init__(self, folder: Path | None, next_step: int, tensorboard: bool) -> None:
        self._logs: dict[str, TrainingLog] = {}
        for name in ("training", "validation") if folder is not None else ():
            self._logs[name] = TrainingLog(folder, name, next_step, tensorboard)
        self.begin()

    def begin(self) -> None:
        """Begin to gather."""
        self._sums: dict[str, float] = {}
        self._steps, self._since = 0, time.monotonic()

    def add(self, figures: Mapping[str, float]) -> None:
        """Add a step; without figures if it was left out."""
        self._steps += 1
        for key, value in figures.items():
            self._sums[key] = self._sums.get(key, 0.0) + value

    def tell_steps(self, step: int, seconds: float, learning_rate: float) -> None:
        """Tell the means of what was gathered, and begin anew.

        Parameters
        ----------
        step : int
            The last one.
        seconds : float
            How long the run has trained.
        learning_rate : float
        """
        if self._logs:
            minutes, pace = seconds / 60, (time.monotonic() - self._since) / self._steps
            means = {key: value / self._steps for key, value in self._sums.items()}
            figures = {"minutes": minutes, "seconds_per_step": pace, "learning_rate": learning_rate}
            self._logs["training"].write(step, figures | means)
            _log.info("step %d %.1f min %.3f s/step %s", step, minutes, pace, _in_words(means))
        self.begin()

    def tell_validation(self, step: int, figures: dict[str, float]) -> None:
        """Tell what a validation measured."""
        if figures and self._logs:
            self._logs["validation"].write(step, figures)
            _log.info("step %d validation: %s", step, _in_words(figures))

    def leave_out_pause(self) -> None:
        """Take what has passed since the last step for no part of the pace, if that was told."""
        if not self._steps:
            self._since = time.monotonic()

    def close(self) -> None:
        """Flush what is pending."""
        for log in self._logs.values():
            log.close()


def _in_words(figures: Mapping[str, float]) -> str:
    return " ".join(f"{key} {value:.4f}" for key, value in figures.items())
