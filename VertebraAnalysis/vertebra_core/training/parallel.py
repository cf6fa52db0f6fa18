"""Several processes that train one network together, one per GPU, as ``torchrun`` starts them.

Every process holds the same weights and draws samples of its own; gradients are averaged before
each step, so that all take the same one. Only the first process writes. Without ``torchrun`` there
is one process and nothing here costs anything.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import torch
from torch import distributed, nn

from ..devices import choose_device

_PATIENCE = timedelta(hours=2)
"""How long the others wait while the first process validates or reads large scans."""

_SEED_STEP = 1_000_003


class Processes:
    """The processes of a training, seen from one of them.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"} or str
        What to train on; each process takes a GPU of its own.

    Attributes
    ----------
    rank, count : int
        Number of this process, and of all.
    device : torch.device

    Raises
    ------
    InputError
        ``unknown_device`` or ``device_unavailable``.
    """

    def __init__(self, device: str = "auto") -> None:
        # Nothing has been trained on other graphics, so that they must be asked for.
        kind = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        self.rank, self.count = _place()
        if self.count > 1 and kind == "cuda":
            kind = f"cuda:{os.environ['LOCAL_RANK']}"
        self.device = choose_device(kind)
        if self.count > 1 and self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        if self.count > 1 and not distributed.is_initialized():
            backend = "nccl" if self.device.type == "cuda" else "gloo"
            distributed.init_process_group(backend, timeout=_PATIENCE)
            # PyTorch asks for it: what outlives the interpreter may abort the process.
            atexit.register(_leave_group)

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that validates and writes."""
        return self.rank == 0

    def seed(self, run_seed: int) -> int:
        """Return a seed of this process's own; the first keeps that of the run."""
        return run_seed + _SEED_STEP * self.rank

    def average_gradients(self, network: nn.Module, sound: bool) -> bool:
        """Replace the gradients of `network` by their mean over all processes.

        Parameters
        ----------
        network : Module
        sound : bool
            Whether this process has gradients that can be used.

        Returns
        -------
        bool
            Whether all processes have.
        """
        if self.count == 1:
            return sound
        parameters = [p for p in network.parameters() if p.requires_grad]
        # A part of the network that no sample of one process used may be used by another's.
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flag = torch.tensor([float(sound)], device=self.device)
        flat = torch.cat([g.reshape(-1) for g in grads] + [flag])
        distributed.all_reduce(flat)
        flat /= self.count
        start = 0
        for parameter, grad in zip(parameters, grads, strict=True):
            grad.copy_(flat[start : start + grad.numel()].view(grad.shape))
            parameter.grad = grad
            start += grad.numel()
        # Counts are exact in float32, and so is one divided by itself.
        return bool(flat[-1] == 1)

    def mean(self, figures: Sequence[float]) -> list[float]:
        """Return the means of `figures` over all processes, the same numbers in each."""
        if self.count == 1:
            return list(figures)
        tensor = torch.tensor(figures, dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor)
        return (tensor / self.count).tolist()

    def gather(self, item: Any) -> list[Any]:
        """Return what each process holds, in the order of ranks; empty but in the first."""
        if self.count == 1:
            return [item]
        items = [None] * self.count if self.is_first else None
        distributed.gather_object(item, items)
        return items or []

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.count > 1:
            distributed.barrier()


def is_first() -> bool:
    """Tell whether this process is the one that validates and writes."""
    return _place()[0] == 0


def _leave_group() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _place() -> tuple[int, int]:
    """Number of this process, and of all, as ``torchrun`` says."""
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def leave() -> None:
    """End what `Processes` has opened, if anything."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
