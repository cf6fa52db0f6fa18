"""Apply a network to a whole volume in overlapping windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from ..errors import Cancelled

Progress = Callable[[float], None]
Predicate = Callable[[], bool]


def window_starts(size: int, window: int, overlap: int) -> list[int]:
    """Starts of the windows that cover `size` voxels, evenly spread, at least `overlap` shared."""
    if size <= window:
        return [0]
    count = 1 + -(-(size - window) // max(1, window - overlap))
    return [round(i * (size - window) / (count - 1)) for i in range(count)]


def blend_weights(window_zyx: Sequence[int]) -> torch.Tensor:
    """Weights of a window's voxels: highest in the middle, small but positive at the faces."""
    profiles = [
        torch.sin(torch.pi * (torch.arange(n, dtype=torch.float32) + 0.5) / n) ** 2 + 0.01
        for n in window_zyx
    ]
    z, y, x = profiles
    return z[:, None, None] * y[None, :, None] * x[None, None, :]


def sliding_window(
    image: np.ndarray,
    network: nn.Module,
    background: Sequence[float],
    outside: float,
    window_zyx: tuple[int, int, int] = (96, 96, 96),
    overlap: int = 24,
    wanted: Callable[[np.ndarray], bool] | None = None,
    device: torch.device | str = "cpu",
    on_progress: Progress | None = None,
    cancelled: Predicate | None = None,
) -> np.ndarray:
    """Run `network` over a volume and blend the windows.

    Windows are always full: a smaller volume is padded, since normalisation inside the network
    depends on what it sees. Memory beyond the input is one float32 per output channel and voxel,
    and one more.

    Parameters
    ----------
    image : ndarray of float32, shape (z, y, x)
        Normalised input.
    network : Module
        Takes [1, 1, z, y, x], gives [1, channels, z, y, x].
    background : sequence of float
        Output per channel where no window was wanted.
    outside : float
        Input beyond the volume.
    window_zyx : tuple of int
    overlap : int
        Least number of voxels neighbouring windows share.
    wanted : callable, optional
        Tells from a window's input whether it is worth running.
    device : device or str
    on_progress : callable, optional
        Called with the fraction done.
    cancelled : callable, optional
        Asked before every window.

    Returns
    -------
    ndarray of float32, shape (channels, z, y, x)

    Raises
    ------
    Cancelled
        When `cancelled` returns True.
    """
    device = torch.device(device)
    shape = tuple(max(n, w) for n, w in zip(image.shape, window_zyx, strict=True))
    padded = image
    if shape != image.shape:
        padded = np.full(shape, outside, np.float32)
        padded[tuple(slice(0, n) for n in image.shape)] = image
    starts = [window_starts(n, w, overlap) for n, w in zip(shape, window_zyx, strict=True)]
    corners = [(z, y, x) for z in starts[0] for y in starts[1] for x in starts[2]]
    weights = blend_weights(window_zyx)
    total = torch.zeros((len(background), *shape))
    weight_sum = torch.zeros(shape)
    network.eval()
    for done, corner in enumerate(corners):
        if cancelled is not None and cancelled():
            raise Cancelled()
        box = tuple(slice(c, c + w) for c, w in zip(corner, window_zyx, strict=True))
        block = padded[box]
        if wanted is None or wanted(block):
            output = run_network(network, torch.from_numpy(block.copy())[None, None], device)[0]
            total[(slice(None), *box)] += output * weights
            weight_sum[box] += weights
        if on_progress is not None:
            on_progress((done + 1) / len(corners))
    covered = weight_sum > 0
    weight_sum[~covered] = 1.0
    for channel, value in zip(total, background, strict=True):
        channel /= weight_sum
        channel[~covered] = value
    return total[(slice(None), *(slice(0, n) for n in image.shape))].numpy()


def run_network(
    network: nn.Module, inputs: torch.Tensor, device: torch.device | str
) -> torch.Tensor:
    """Apply a network in bfloat16 where that is faster; float32 logits on the CPU."""
    device = torch.device(device)
    inputs = inputs.to(device, memory_format=torch.channels_last_3d)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
        return network(inputs).float().cpu()
