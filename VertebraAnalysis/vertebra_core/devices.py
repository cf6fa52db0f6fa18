"""The device and the number of threads to compute with."""

from __future__ import annotations

import os
from functools import cache

import SimpleITK as sitk  # noqa: N813
import torch

from vertebra_core.errors import InputError
from vertebra_core.threads import MAX_THREADS

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str = "auto") -> torch.device:
    """Pick the device to compute on.

    Parameters
    ----------
    name : str
        ``"auto"`` (CUDA, else MPS, else CPU), ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.

    Raises
    ------
    InputError
        ``unknown_device`` or ``device_unavailable``.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    kind, _, index = name.partition(":")
    if kind not in DEVICES[1:] or (index and not index.isdigit()):
        raise InputError(
            "unknown_device",
            f"There is no device '{name}'.",
            f"Choose one of {', '.join(DEVICES)}.",
        )
    there = {"cpu": True, "cuda": cuda, "mps": mps}[kind]
    if not there or (kind == "cuda" and index and int(index) >= torch.cuda.device_count()):
        raise InputError(
            "device_unavailable",
            f"The device '{name}' is not available on this computer.",
            "Choose 'auto' or 'cpu'.",
        )
    return torch.device(name)


@cache
def bfloat16_is_fast(device: torch.device | str) -> bool:
    """Tell whether a device computes in bfloat16 by itself.

    Elsewhere it is emulated, slower than float32 by far: on processors without AVX-512 (or what
    other makers have in its place), and on graphics cards before compute capability 8.

    Parameters
    ----------
    device : torch.device or str
        Of several graphics cards the one that is meant; they may differ.
    """
    device = torch.device(device)
    if device.type == "cpu":
        on_mkldnn = torch.backends.mkldnn.is_available()
        return on_mkldnn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


def set_threads(n_threads: int | None) -> int:
    """Set the number of CPU threads of PyTorch and SimpleITK; None takes all cores.

    Returns
    -------
    int
        The number set.

    Raises
    ------
    InputError
        ``bad_threads`` if the number is below 1 or beyond `MAX_THREADS`.
    """
    if n_threads is not None and not 1 <= n_threads <= MAX_THREADS:
        raise InputError("bad_threads", f"The number of threads must be from 1 to {MAX_THREADS}.")
    count = n_threads or _usable_cores()
    torch.set_num_threads(count)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
    return count


def _usable_cores() -> int:
    # Containers and clusters often allow fewer cores than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
