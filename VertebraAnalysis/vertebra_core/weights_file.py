"""The bytes of a weights file: safetensors, half of them float16, in an order of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors

_FLOAT16_MAX = 65504.0
_MAX_HEADER_BYTES = 10_000_000


def to_bytes(tensors: Mapping[str, torch.Tensor], header: Mapping[str, str]) -> bytes:
    """Return what a weights file holds; equal weights and headers give equal bytes.

    Raises
    ------
    ValueError
        If a weight is not finite or too large for float16.
    """
    stored = {key: _stored(key, value) for key, value in tensors.items()}
    return _with_sorted_header(save_safetensors(stored, dict(header)))


def from_bytes(data: bytes) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return tensors and header of a weights file.

    Raises
    ------
    SafetensorError, ValueError, KeyError, TypeError, AttributeError
        If it is none.
    """
    header = dict(_split(data)[0]["__metadata__"])
    return load_safetensors(data), header


def _stored(key: str, tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach().cpu()
    if not tensor.is_floating_point():
        return tensor.clone().contiguous()
    if not torch.isfinite(tensor).all():
        raise ValueError(f"weight {key} is not finite")
    if tensor.dim() < 2:
        return tensor.to(torch.float32).clone().contiguous()
    if tensor.abs().max() > _FLOAT16_MAX:
        raise ValueError(f"weight {key} is too large for float16")
    # Channels-last kernels are contiguous only in their own order.
    return tensor.to(torch.float16).contiguous().clone(memory_format=torch.contiguous_format)


def _with_sorted_header(data: bytes) -> bytes:
    # The library writes its entries in random order, and equal weights should have equal sums.
    header, tensors = _split(data)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + tensors


def _split(data: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(_MAX_HEADER_BYTES, len(data) - 8):
        raise ValueError("no safetensors header")
    return json.loads(data[8 : 8 + length]), data[8 + length :]
