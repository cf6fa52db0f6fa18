"""How far an analysis has come, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType

STAGE_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "reading": 2.5,
        "localisation": 1.0,
        "segmentation": 3.0,
        "labelling": 0.5,
        "grading": 1.5,
        "merging": 0.4,
        "writing": 2.0,
    }
)
"""Stages in their order, with the seconds each takes for a chest CT on two cores of 2020."""

_FIRST_ESTIMATE_AT = 0.08
"""Below this fraction the time that has passed says nothing about the speed of the computer."""


@dataclass(frozen=True)
class Progress:
    """A moment of an analysis.

    Attributes
    ----------
    stage : str
        Name of the stage at work.
    fraction : float
        Done of the whole, 0-1.
    remaining_s : float or None
        Seconds still to come; None while that is not known.
    """

    stage: str
    fraction: float
    remaining_s: float | None


class ProgressTracker:
    """Turns fractions of stages into the progress of the whole. May be asked from any thread.

    Parameters
    ----------
    weights : mapping of str to float
        Stages in their order and the time each takes relative to the others.
    clock : callable
        Seconds, as `time.monotonic`.
    """

    def __init__(
        self,
        weights: Mapping[str, float] = STAGE_WEIGHTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        total = sum(weights.values())
        self._before: dict[str, float] = {}
        self._share = {stage: weight / total for stage, weight in weights.items()}
        done = 0.0
        for stage, share in self._share.items():
            self._before[stage] = done
            done += share
        self._lock = Lock()
        self._started = clock()
        self._stage = next(iter(weights))
        self._fraction = 0.0
        self._reached_at = self._started

    def report(self, stage: str, fraction: float) -> None:
        """Note that `fraction` (0-1) of `stage` is done; never goes back.

        Raises
        ------
        KeyError
            If there is no such stage.
        """
        share = self._before[stage] + self._share[stage] * min(max(fraction, 0.0), 1.0)
        # Sums of shares miss one by a rounding error.
        share = 1.0 if share > 1 - 1e-9 else share
        with self._lock:
            # A second look of an earlier stage is part of the stage that asked for it.
            if self._before[stage] >= self._before[self._stage]:
                self._stage = stage
            if share > self._fraction:
                self._fraction = share
                self._reached_at = self._clock()

    def current(self) -> Progress:
        """Return the progress at this moment; the time remaining goes down between reports."""
        with self._lock:
            stage, fraction = self._stage, self._fraction
            took, since = self._reached_at - self._started, self._clock() - self._reached_at
        if fraction < _FIRST_ESTIMATE_AT:
            return Progress(stage, fraction, None)
        return Progress(stage, fraction, max(0.0, took * (1 - fraction) / fraction - since))
