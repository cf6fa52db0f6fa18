"""Apply a network to a whole volume in overlapping windows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from ..devices import bfloat16_is_fast
from ..errors import Cancelled

Progress = Callable[[float], None]
Predicate = Callable[[], bool]
Corner = tuple[int, int, int]


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


class Windows:
    """Runs a network on windows of one volume and blends what it gives.

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
        Output per channel where no window was run.
    outside : float
        Input beyond the volume.
    window_zyx : tuple of int
    overlap : int
        Least number of voxels neighbouring windows share.
    wanted : callable, optional
        Tells from a window's input whether it is worth running.
    device : device or str
    bfloat16 : bool
        Compute in bfloat16, where the device can, instead of float32.

    Attributes
    ----------
    starts : list of three lists of int
        Where windows start along z, y and x to cover the volume.
    shape : tuple of int
        Of the volume, padded to the size of a window at least.
    """

    def __init__(
        self,
        image: np.ndarray,
        network: nn.Module,
        background: Sequence[float],
        outside: float,
        window_zyx: tuple[int, int, int] = (96, 96, 96),
        overlap: int = 24,
        wanted: Callable[[np.ndarray], bool] | None = None,
        device: torch.device | str = "cpu",
        bfloat16: bool = True,
    ) -> None:
        self.window_zyx = window_zyx
        self.shape = tuple(max(n, w) for n, w in zip(image.shape, window_zyx, strict=True))
        self.starts = [
            window_starts(n, w, overlap) for n, w in zip(self.shape, window_zyx, strict=True)
        ]
        self._image_shape, self._padded = image.shape, image
        if self.shape != image.shape:
            self._padded = np.full(self.shape, outside, np.float32)
            self._padded[tuple(slice(0, n) for n in image.shape)] = image
        self._network, self._wanted, self._device = network.eval(), wanted, torch.device(device)
        self._background, self._bfloat16 = background, bfloat16
        self._weights = blend_weights(window_zyx)
        self._total = torch.zeros((len(background), *self.shape))
        self._weight_sum = torch.zeros(self.shape)

    def output(self, corner: Corner) -> torch.Tensor | None:
        """Run the network at `corner`: [channels, z, y, x], or None if that is not wanted."""
        block = self._padded[self._box(corner)]
        if self._wanted is not None and not self._wanted(block):
            return None
        inputs = torch.from_numpy(block.copy())[None, None]
        return run_network(self._network, inputs, self._device, self._bfloat16)[0]

    def add(self, corner: Corner, output: torch.Tensor | None) -> None:
        """Blend in what `output` gave for `corner`."""
        if output is not None:
            box = self._box(corner)
            self._total[(slice(None), *box)] += output * self._weights
            self._weight_sum[box] += self._weights

    def blended(self) -> np.ndarray:
        """Return the outputs, float32, shape (channels, z, y, x); to be asked once."""
        covered = self._weight_sum > 0
        self._weight_sum[~covered] = 1.0
        for channel, value in zip(self._total, self._background, strict=True):
            channel /= self._weight_sum
            channel[~covered] = value
        return self._total[(slice(None), *(slice(0, n) for n in self._image_shape))].numpy()

    def _box(self, corner: Corner) -> tuple[slice, ...]:
        return tuple(slice(c, c + w) for c, w in zip(corner, self.window_zyx, strict=True))


def run_everywhere(
    windows: Windows, on_progress: Progress | None = None, cancelled: Predicate | None = None
) -> np.ndarray:
    """Run a network over the whole volume of `windows`.

    Parameters
    ----------
    windows : Windows
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
    corners = list(itertools.product(*windows.starts))
    for done, corner in enumerate(corners):
        if cancelled is not None and cancelled():
            raise Cancelled()
        windows.add(corner, windows.output(corner))
        if on_progress is not None:
            on_progress((done + 1) / len(corners))
    return windows.blended()


def run_network(
    network: nn.Module, inputs: torch.Tensor, device: torch.device | str, bfloat16: bool = True
) -> torch.Tensor:
    """Apply a network, in bfloat16 if wanted and fast; float32 logits on the CPU."""
    device = torch.device(device)
    inputs = inputs.to(device, memory_format=torch.channels_last_3d)
    bfloat16 = bfloat16 and bfloat16_is_fast(device)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        return network(inputs).float().cpu()
