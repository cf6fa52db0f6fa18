"""What a training run is told: how long and how, and what differs between networks."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .sources import Sample, SampleSource, choose_case

Inputs = torch.Tensor | tuple[torch.Tensor, ...]
"""What a network is called with: one tensor, or one per argument."""

Output = torch.Tensor | dict[str, torch.Tensor]
"""What a network gives: one tensor, or one by name for every task."""


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how to train. One of `steps`, `minutes` and `cpu_minutes` ends the schedule.

    Attributes
    ----------
    out : Path
        Folder for checkpoint, logs and weights.
    steps, minutes : int, float or None
        Length of the whole schedule (a resumed run counts what it did before).
    cpu_minutes : float or None
        The same in processor time of this process: an equal share for every network, whatever else
        the machine does. Samples that `workers` draw do not count.
    resume : bool
        Go on from the checkpoint in `out`, if there is one.
    initial_weights : Path or None
        Weights to start from; see `start.load_start`.
    seed : int
    batch_size : int
        Samples per step, of each process where there are several.
    learning_rate, weight_decay, warmup_steps, clip_norm : float
        AdamW; cosine schedule down to 1 % of `learning_rate`.
    ema_decay : float
        Decay of the moving average of the weights, which is what is kept.
    replay_size, replay_share, hard_share
        See `SamplePlan`.
    workers, threads : int
        Processes that draw samples ahead (0: in place); threads of the network (0: as it is).
    validation_samples, validate_every, log_every, checkpoint_every : int
        In samples and steps; ``validate_every`` of 0 validates at the end only.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    mixed_precision : bool
        bfloat16 for convolutions.
    tensorboard : bool
    keep_memory : bool
        Keep freed memory in the process (see `networks.allocator`): faster, higher peaks.
    """

    out: Path
    steps: int | None = None
    minutes: float | None = None
    cpu_minutes: float | None = None
    resume: bool = False
    initial_weights: Path | None = None
    seed: int = 0
    batch_size: int = 1
    learning_rate: float = 1.2e-3
    weight_decay: float = 1e-4
    warmup_steps: int = 100
    clip_norm: float = 2.0
    ema_decay: float = 0.999
    replay_size: int = 200
    replay_share: float = 0.5
    hard_share: float = 0.0
    workers: int = 0
    threads: int = 0
    validation_samples: int = 24
    validate_every: int = 1000
    log_every: int = 50
    checkpoint_every: int = 500
    device: str = "auto"
    mixed_precision: bool = True
    tensorboard: bool = True
    keep_memory: bool = True

    def progress(self, step: int, seconds: float) -> float:
        """Return the share of the schedule that is over after so many steps and seconds."""
        if self.steps is not None:
            return step / max(1, self.steps)
        return seconds / (60 * (self.cpu_minutes or self.minutes))

    def rate_after(self, step: int, seconds: float) -> float:
        """Return the learning rate of the step that follows so many steps and seconds."""
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, self.progress(step, seconds))))
        return self.learning_rate * warm * max(0.01, cosine)


def check_length(
    steps: int | None, minutes: float | None = None, cpu_minutes: float | None = None
) -> None:
    """Raise ValueError unless these say how long to train; see `TrainingConfig`."""
    said = [length for length in (steps, minutes, cpu_minutes) if length is not None]
    if not said:
        raise ValueError("say how long to train: steps or minutes")
    if not min(said) > 0:
        raise ValueError("steps and minutes must be above 0")


class TrainingTask(ABC):
    """What differs between networks: samples, targets, losses, figures."""

    name: str
    """Name of the weights' file."""

    @abstractmethod
    def build_network(self) -> nn.Module:
        """Return a new network with ``architecture`` and ``config()``."""

    @abstractmethod
    def source(self, validation: bool) -> SampleSource:
        """Return where samples come from."""

    @abstractmethod
    def prepare(
        self, samples: list[Sample], rng: np.random.Generator | None
    ) -> tuple[Inputs, dict[str, torch.Tensor]]:
        """Make a batch: input and targets. With `rng`, vary the samples in cheap ways."""

    @abstractmethod
    def loss(
        self, output: Output, targets: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss and its parts; `output` is float32."""

    @abstractmethod
    def measure(self, output: Output, targets: dict[str, torch.Tensor]) -> dict[str, float]:
        """Return validation figures of a batch; those that do not apply are left out."""


def held_aside(
    task: TrainingTask, count: int, seed: int
) -> Iterator[tuple[Inputs, dict[str, torch.Tensor]]]:
    """Draw `count` samples that no training sees, each a batch; none where nothing is held aside.

    They follow from `seed` alone, so that the figures of all runs can be compared.
    """
    source = task.source(validation=True)
    names = source.names()
    for i in range(count if names else 0):
        rng = np.random.default_rng([seed, i])
        sample = source.draw(choose_case(source, names, rng), rng)
        yield task.prepare([sample], None)


def as_float(output: Output, device: torch.device | str | None = None) -> Output:
    """Return an output as float32, on `device` if one is named."""
    if isinstance(output, dict):
        return {key: as_float(value, device) for key, value in output.items()}
    return output.to(device=device, dtype=torch.float32)
