"""A stated reference network, so that seconds measured on different machines can be compared."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import nn

PATCH_VOXELS = 128
BASE_CHANNELS = 32
DEPTH = 5
DESCRIPTION = (
    f"plain 3D U-Net, {BASE_CHANNELS} channels, {DEPTH} levels, two 3x3x3 convolutions with "
    f"instance norm each, float32, one {PATCH_VOXELS}^3 patch"
)


class ReferenceUNet(nn.Module):
    """The plain 3D U-Net of nnU-Net's default shape: channels double up to 320.

    Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image
    segmentation", Nature Methods 18 (2021) 203-211.
    """

    def __init__(self, base: int = BASE_CHANNELS, depth: int = DEPTH, n_classes: int = 26) -> None:
        super().__init__()
        widths = [min(320, base * 2**k) for k in range(depth)]
        inputs = [1, *widths[:-1]]
        self.down = nn.ModuleList(
            _double(i, o, stride=1 if k == 0 else 2)
            for k, (i, o) in enumerate(zip(inputs, widths, strict=True))
        )
        pairs = list(zip(widths[1:], widths[:-1], strict=True))[::-1]
        self.rise = nn.ModuleList(nn.ConvTranspose3d(i, o, 2, 2) for i, o in pairs)
        self.up = nn.ModuleList(_double(2 * o, o) for _, o in pairs)
        self.head = nn.Conv3d(widths[0], n_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, 1, z, y, x) to (batch, classes, z, y, x)."""
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
        skips.pop()
        for rise, block in zip(self.rise, self.up, strict=True):
            x = block(torch.cat([rise(x), skips.pop()], 1))
        return self.head(x)


def _double(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels, step in ((inputs, stride), (outputs, 1)):
        layers += [
            nn.Conv3d(channels, outputs, 3, step, 1),
            nn.InstanceNorm3d(outputs, affine=True),
            nn.LeakyReLU(0.01, inplace=True),
        ]
    return nn.Sequential(*layers)


def time_reference(
    repeat: int = 3, patch_voxels: int = PATCH_VOXELS, device: str = "cpu"
) -> list[float]:
    """Return the seconds of `repeat` forward passes, after one to warm up."""
    torch.manual_seed(0)
    network = ReferenceUNet().to(device).eval()
    patch = torch.randn(1, 1, *(patch_voxels,) * 3, device=device)
    seconds = []
    with torch.inference_mode():
        for _ in range(repeat + 1):
            started = time.perf_counter()
            # Reading a value back waits for a device that works asynchronously.
            float(network(patch)[0, 0, 0, 0, 0])
            seconds.append(time.perf_counter() - started)
    return [float(s) for s in np.asarray(seconds[1:])]
