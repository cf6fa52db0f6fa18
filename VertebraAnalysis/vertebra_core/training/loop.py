"""The training loop that every network shares."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import InputError, VertebraError
from ..models import register_weights, save_weights
from ..networks.allocator import keep_freed_memory
from .checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from .feeder import SampleFeeder
from .parallel import Processes
from .plan import SamplePlan
from .run_folder import CHECKPOINT, open_folders
from .run_report import RunReport
from .sources import Sample, require_cases
from .start import load_start
from .stopping import TrainingStopped, signals_set
from .task import Inputs, Output, TrainingConfig, TrainingTask, as_float, check_length
from .validation import Validation, tell_trained_on, tell_unmeasured

_log = logging.getLogger(__name__)
_MAX_BAD_STEPS = 20


class Trainer:
    """One training run of `task` as `config` says.

    Started by ``torchrun``, it is one of several processes that train together (see `parallel`).

    Raises
    ------
    ValueError, FileNotFoundError
        If it is not said how long to train, or what to start from is not there or does not fit.
    InputError, OutputError, WeightsError
        If the folder or the device cannot be used; see `run_folder` and `parallel`.
    """

    def __init__(self, task: TrainingTask, config: TrainingConfig) -> None:
        check_length(config.steps, config.minutes, config.cpu_minutes)
        source = task.source(validation=False)
        require_cases(source)
        self._clock = time.process_time if config.cpu_minutes else time.monotonic
        self.task, self.config = task, config
        self.processes = Processes(config.device)
        self.device = self.processes.device
        self.out = Path(config.out)
        self.state_folder = open_folders(self.out, task.name, config.resume)
        if config.threads:
            torch.set_num_threads(config.threads)
        if config.keep_memory and self.device.type == "cpu":
            keep_freed_memory()
        torch.manual_seed(config.seed)
        self.network = task.build_network()
        if config.initial_weights:
            load_start(self.network, config.initial_weights, task.name)
        # Channels-last kernels run fastest; the layouts of planes and volumes differ.
        volumes = any(p.dim() == 5 for p in self.network.parameters())
        layout = torch.channels_last_3d if volumes else torch.channels_last
        self.network = self.network.to(self.device, memory_format=layout)
        self.average = task.build_network().to(self.device, memory_format=layout)
        self.average.load_state_dict(self.network.state_dict())
        self.average.requires_grad_(False).eval()
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self._seed = self.processes.seed(config.seed)
        self.plan = SamplePlan(
            source,
            self._seed,
            config.replay_size,
            config.replay_share,
            hard_share=config.hard_share,
        )
        self.step, self.seconds = 0, 0.0
        self._stop = threading.Event()
        self._validation = Validation(task, config.validation_samples, self._stop)
        if config.validation_samples and self.processes.is_first:
            tell_unmeasured(task)
        if config.resume:
            self._restore()
        self.feeder = SampleFeeder(self.plan, config.workers)
        folder = self.state_folder if self.processes.is_first else None
        self._report = RunReport(folder, self.step + 1, config.tensorboard)

    def run(self) -> dict[str, float]:
        """Train to the end of the schedule; return the last validation.

        SIGTERM and SIGINT end the run after the step in progress, with a checkpoint.

        Raises
        ------
        TrainingStopped
            If it was told to stop.
        InputError
            ``loss_not_finite``.
        """
        try:
            with signals_set(self._stop):
                figures, stopped = self._train()
        finally:
            self.feeder.close()
            self._report.close()
        if stopped:
            raise TrainingStopped(
                message=f"The training of {self.task.name} was stopped at step {self.step}; its "
                f"weights so far are {self.weights_path}.",
                hint="The same command with --resume goes on.",
            )
        return figures

    @property
    def weights_path(self) -> Path:
        """Where the averaged weights are written."""
        return self.out / f"{self.task.name}.safetensors"

    def stop(self) -> None:
        """Ask the run to end after the step in progress."""
        self._stop.set()

    def save(self, plan: dict[str, Any] | None = None) -> None:
        """Write the checkpoint, and the averaged weights as `save_weights` does.

        Parameters
        ----------
        plan : dict, optional
            State of the plan of samples; by default as it is now.
        """
        plans = self.processes.gather(plan or self.feeder.state())
        if not self.processes.is_first:
            return
        state = {
            "task": self.task.name,
            "step": self.step,
            "seconds": self.seconds,
            "finished": self.config.progress(self.step, self.seconds) >= 1,
            "plan": plans[0],
            "plans_of_other_processes": plans[1:],
            "config": {k: str(v) for k, v in asdict(self.config).items()},
        }
        save_checkpoint(
            self.state_folder / CHECKPOINT,
            Checkpoint(
                self.network.state_dict(),
                self.average.state_dict(),
                self.optimiser.state_dict(),
                state,
            ),
        )
        self.save_weights()

    def save_weights(self) -> None:
        """Write the averaged weights and enter them into the index of their folder.

        Of several processes only the first does.
        """
        if not self.processes.is_first:
            return
        note = {
            "steps": str(self.step),
            "batch_size": str(self.config.batch_size * self.processes.count),
            "cases": str(len(self.plan.names)),
            "training_seconds": f"{self.seconds:.0f}",
            "training_clock": "processor" if self.config.cpu_minutes else "wall",
        }
        save_weights(self.average, self.weights_path, note)
        register_weights(self.weights_path)

    def validate(self) -> dict[str, float]:
        """Measure the averaged weights on samples held aside; {} if there are none, or if stopped.

        Of several processes only the first does, the others return {}.
        """
        if not self.processes.is_first:
            return {}
        figures = self._validation.measure(lambda inputs: self._apply(self.average, inputs))
        self._report.tell_validation(self.step, figures)
        return figures

    def _train(self) -> tuple[dict[str, float], bool]:
        """Take all steps; return the last validation and whether any process was told to stop."""
        figures: dict[str, float] = {}
        bad, stopping = 0, False
        self._report.begin()
        while self.config.progress(self.step, self.seconds) < 1 and not stopping:
            started = self._clock()
            parts = self._train_step()
            self.feeder.report(parts.get("loss", math.nan))
            bad = 0 if parts else bad + 1
            if bad > _MAX_BAD_STEPS:
                raise InputError(
                    "loss_not_finite",
                    f"The loss of {self.task.name} is not finite any more.",
                    "Try a lower --learning-rate.",
                )
            # All processes end at the same step, whichever was told to stop.
            told = self._clock() - started, float(self._stop.is_set())
            seconds, stops = self.processes.mean(told)
            self.seconds, stopping = self.seconds + seconds, stops > 0
            self._report.add(parts)
            if self.step % self.config.log_every == 0:
                rate = self.optimiser.param_groups[0]["lr"]
                self._report.tell_steps(self.step, self.seconds, rate)
            if self.step % self.config.checkpoint_every == 0:
                self.save()
            if self.config.validate_every and self.step % self.config.validate_every == 0:
                with self._learnt_is_kept():
                    figures = self.validate()
                self._report.leave_out_pause()
        self.save()
        if not stopping:
            figures = self.validate()
        # One told to stop meanwhile must not look finished to whatever comes next.
        return figures, self.processes.mean([float(self._stop.is_set())])[0] > 0

    def _train_step(self) -> dict[str, float]:
        """Take one step; {} if the loss was not finite and the step was left out."""
        config = self.config
        drawn = self._draw()
        rng = np.random.default_rng([self._seed, 2_000_003, self.step])
        inputs, targets = self.task.prepare([sample for sample, _ in drawn], rng)
        # Dropout, too, follows from seed and step alone, on any device.
        torch.manual_seed(int(rng.integers(2**62)))
        targets = {k: v.to(self.device) for k, v in targets.items()}
        for group in self.optimiser.param_groups:
            group["lr"] = config.rate_after(self.step, self.seconds)
        loss, parts = self.task.loss(self._apply(self.network, inputs), targets)
        self.step += 1
        self.optimiser.zero_grad()
        sound = bool(torch.isfinite(loss))
        if sound:
            loss.backward()
        if not self.processes.average_gradients(self.network, sound):
            return {}
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), config.clip_norm)
        if not bool(torch.isfinite(norm)):
            return {}
        self.optimiser.step()
        decay = min(config.ema_decay, self.step / (self.step + 10))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
        return {"loss": float(loss.detach())} | {k: float(v.detach()) for k, v in parts.items()}

    def _draw(self) -> list[tuple[Sample, bool]]:
        with self._learnt_is_kept(self.feeder.state()):
            return [self.feeder.next() for _ in range(self.config.batch_size)]

    @contextmanager
    def _learnt_is_kept(self, plan: dict[str, Any] | None = None) -> Iterator[None]:
        """Write a checkpoint where a case cannot be read; `plan` is as it was before the step."""
        try:
            yield
        except (VertebraError, ValueError, OSError):
            # Several processes can write together only, and the others know nothing of it.
            if self.step and self.processes.count == 1:
                self.save(plan)
                _log.info("step %d: stopped by a case; --resume goes on from here", self.step)
            raise

    def _apply(self, network: nn.Module, inputs: Inputs) -> Output:
        kind = self.device.type
        several = inputs if isinstance(inputs, tuple) else (inputs,)
        several = tuple(tensor.to(self.device) for tensor in several)
        with torch.autocast(kind, torch.bfloat16, enabled=self.config.mixed_precision):
            return as_float(network(*several))

    def _restore(self) -> None:
        checkpoint = load_checkpoint(self.state_folder / CHECKPOINT)
        if checkpoint is None:
            return
        state: dict[str, Any] = checkpoint.state
        try:
            self.network.load_state_dict(checkpoint.network)
            self.average.load_state_dict(checkpoint.average)
        except RuntimeError as error:
            raise ValueError(
                f"the checkpoint in {self.state_folder} is of a network of another shape"
            ) from error
        self.optimiser.load_state_dict(checkpoint.optimiser)
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        plans = [state["plan"], *state.get("plans_of_other_processes", [])]
        # More processes than before begin with samples of their own.
        if self.processes.rank < len(plans):
            self.plan.restore(plans[self.processes.rank])
        tell_trained_on(self.task, state["plan"]["names"])
        _log.info("resumed at step %d, %.1f min", self.step, self.seconds / 60)
