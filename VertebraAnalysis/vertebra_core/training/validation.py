"""What a training measures on samples that it never sees."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from itertools import takewhile

import numpy as np
import torch

from .bank import HELD_ASIDE_EVERY
from .task import Inputs, Output, TrainingTask, as_float, held_aside

_log = logging.getLogger(__name__)
_SEED = 77


def tell_trained_on(task: TrainingTask, names: Iterable[str]) -> None:
    """Warn of cases that validate though an earlier part of the training was trained on them."""
    now = set(task.source(validation=True).names()).intersection(names)
    if now:
        _log.warning(
            "%d of the cases that validate now were trained on before: figures will be too good",
            len(now),
        )


def tell_unmeasured(task: TrainingTask) -> None:
    """Warn, where no case is held aside, that nothing will tell how good the network is."""
    if not task.source(validation=True).names():
        _log.warning(
            "no case is held aside, so nothing will tell how good %s is: make at least %d phantoms "
            "for a bank (of every %d seeds the last is held aside), or give labelled scans of "
            "several patients",
            task.name,
            HELD_ASIDE_EVERY,
            HELD_ASIDE_EVERY,
        )


class Validation:
    """Samples held aside, drawn once, and the figures of a network on them.

    Parameters
    ----------
    task : TrainingTask
    count : int
        Samples.
    stop : Event
        Once it is set, nothing is drawn or measured any more.
    """

    def __init__(self, task: TrainingTask, count: int, stop: threading.Event) -> None:
        self._task, self._count, self._stop = task, count, stop
        self._samples: list[tuple[Inputs, dict[str, torch.Tensor]]] | None = None

    def measure(self, network: Callable[[Inputs], Output]) -> dict[str, float]:
        """Return the mean figures of `network`; {} if nothing is held aside, or if stopped."""
        if self._samples is None:
            drawn = held_aside(self._task, self._count, _SEED)
            self._samples = list(takewhile(lambda _: not self._stop.is_set(), drawn))
        collected: dict[str, list[float]] = {}
        for inputs, targets in self._samples:
            if self._stop.is_set():
                return {}
            with torch.no_grad():
                output = as_float(network(inputs), "cpu")
            for key, value in self._task.measure(output, targets).items():
                collected.setdefault(key, []).append(value)
        return {key: float(np.mean(values)) for key, values in sorted(collected.items())}
