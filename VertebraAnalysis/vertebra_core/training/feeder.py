"""Brings planned samples to the training loop, drawn in place or ahead by other processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import numpy as np
import torch

from .plan import SampleKey, SamplePlan
from .sources import Sample, SampleSource
from .stopping import outlive_signals

_worker_source: list[tuple[SampleSource, int]] = []


def _start_worker(source: SampleSource, run_seed: int, parent: int) -> None:
    outlive_signals()
    torch.set_num_threads(1)
    _worker_source[:] = [(source, run_seed)]
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: int) -> None:
    """End this process when its parent is gone, however that ended."""
    while os.getppid() == parent:
        time.sleep(2)
    os._exit(1)


def _draw_in_worker(key: SampleKey) -> dict[str, np.ndarray]:
    source, run_seed = _worker_source[0]
    return {k: v.numpy() for k, v in source.draw(key.name, key.generator(run_seed)).items()}


class SampleFeeder:
    """Draws the samples of a plan in its order.

    Parameters
    ----------
    plan : SamplePlan
    workers : int
        Processes that draw ahead; 0 draws in place.
    prefetch : int
        Samples drawn ahead.
    """

    def __init__(self, plan: SamplePlan, workers: int = 0, prefetch: int = 8) -> None:
        self._plan = plan
        self._kept: dict[int, Sample | Future] = {}
        self._queue: deque[tuple[SampleKey, bool, dict[str, Any]]] = deque()
        self._drawn: list[int] = []
        self._prefetch = prefetch if workers else 1
        self._pool = None
        if workers:
            self._pool = ProcessPoolExecutor(
                workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(plan.source, plan.seed, os.getpid()),
            )

    def next(self) -> tuple[Sample, bool]:
        """Return the next sample and whether it is a replay."""
        while len(self._queue) < self._prefetch:
            before = self._plan.state()
            key, replay = self._plan.next()
            self._queue.append((key, replay, before))
            if self._pool and key.seed not in self._kept:
                self._kept[key.seed] = self._pool.submit(_draw_in_worker, key)
        key, replay, _ = self._queue.popleft()
        found = self._kept.get(key.seed)
        if isinstance(found, Future):
            found = {k: torch.from_numpy(v) for k, v in found.result().items()}
        elif found is None:
            found = self._plan.source.draw(key.name, key.generator(self._plan.seed))
        self._kept[key.seed] = found
        self._drawn.append(key.seed)
        self._forget()
        return found, replay

    def report(self, loss: float) -> None:
        """Tell the loss of the samples drawn since the last report."""
        self._plan.report(self._drawn, loss)
        self._drawn = []

    def state(self) -> dict[str, Any]:
        """Return the plan's state as of the next sample that `next` returns."""
        return self._queue[0][2] if self._queue else self._plan.state()

    def close(self) -> None:
        """End the other processes, after the samples that they are at."""
        if self._pool:
            # What the pool shares with them must be given back before this process may end at once.
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _forget(self) -> None:
        needed = {key.seed for key in self._plan.buffer} | {key.seed for key, _, _ in self._queue}
        for seed in [s for s in self._kept if s not in needed]:
            del self._kept[seed]
