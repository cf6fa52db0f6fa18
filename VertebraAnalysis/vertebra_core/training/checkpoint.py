"""Checkpoints of a training run: safetensors and JSON, written whole or not at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from ..errors import InputError
from ..output_errors import output_error
from ..whole_file import sync_file, sync_folder

_TENSORS = "tensors.safetensors"
_STATE = "state.json"


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on exactly where it was.

    Attributes
    ----------
    network, average : dict of Tensor
        Weights, and their exponential moving average.
    optimiser : dict
        ``optimizer.state_dict()``.
    state : dict
        Everything else, fit for JSON: step, seconds, plan of samples, configuration.
    """

    network: dict[str, torch.Tensor]
    average: dict[str, torch.Tensor]
    optimiser: dict[str, Any]
    state: dict[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint to `folder`, replacing the one there only when it lies on the disk.

    Raises
    ------
    OutputError
        ``disk_full`` or ``not_writable``; the checkpoint there is untouched then.
    """
    folder = Path(folder)
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir(parents=True)
        _write(new / _TENSORS, save(_tensors(checkpoint)))
        state = dict(checkpoint.state, parameter_groups=checkpoint.optimiser["param_groups"])
        _write(new / _STATE, json.dumps(state).encode())
        sync_folder(new)
        _replace(folder, new)
    except OSError as error:
        raise output_error(error, "The files of the checkpoint", folder) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _tensors(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    tensors = {f"network/{k}": v for k, v in checkpoint.network.items()}
    tensors |= {f"average/{k}": v for k, v in checkpoint.average.items()}
    for index, entry in checkpoint.optimiser["state"].items():
        tensors |= {f"optimiser/{index}/{k}": torch.as_tensor(v) for k, v in entry.items()}
    # Safetensors wants plain memory; channels-last weights share it in another order.
    return {k: v.detach().cpu().contiguous() for k, v in tensors.items()}


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        sync_file(file)


def _replace(folder: Path, new: Path) -> None:
    """Put the checkpoint `new` in the place of `folder`; there is a whole one at any time."""
    old = folder.with_name(folder.name + ".old")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    new.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Read the checkpoint of `folder`, or its predecessor if writing was cut off; None if none.

    Raises
    ------
    InputError
        ``checkpoint_damaged``.
    """
    whole = _whole(folder)
    if whole is None:
        return None
    state = _state(whole)
    try:
        tensors = load_file(whole / _TENSORS)
    except SafetensorError as error:
        raise _damaged(whole) from error
    groups: dict[str, dict[str, torch.Tensor]] = {"network": {}, "average": {}}
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        kind, _, name = key.partition("/")
        if kind == "optimiser":
            index, _, slot = name.partition("/")
            slots.setdefault(int(index), {})[slot] = tensor
        elif kind in groups:
            groups[kind][name] = tensor
    optimiser = {"state": slots, "param_groups": state.pop("parameter_groups")}
    return Checkpoint(groups["network"], groups["average"], optimiser, state)


def task_of(folder: Path) -> str | None:
    """Return the name of the training whose checkpoint `folder` is; None if there is none.

    Raises
    ------
    InputError
        ``checkpoint_damaged``.
    """
    whole = _whole(folder)
    return None if whole is None else _state(whole)["task"]


def _whole(folder: Path) -> Path | None:
    folder = Path(folder)
    for candidate in (folder, folder.with_name(folder.name + ".old")):
        if (candidate / _STATE).exists() and (candidate / _TENSORS).exists():
            return candidate
    return None


def _state(whole: Path) -> dict[str, Any]:
    try:
        state = json.loads((whole / _STATE).read_text())
    except ValueError as error:
        raise _damaged(whole) from error
    if not isinstance(state, dict) or not isinstance(state.get("task"), str):
        raise _damaged(whole)
    return state


def _damaged(whole: Path) -> InputError:
    return InputError(
        "checkpoint_damaged",
        f"The checkpoint {whole} is damaged.",
        "Delete it to start anew, or name another folder.",
    )
