"""A 3D residual encoder (He et al., CVPR 2016) that returns the features of every stage.

Batches hold a few crops only, so groups of channels are normalised instead of batches.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from .blocks import NEGATIVE_SLOPE, check_grid_size, group_norm, space_to_depth


class BasicBlock(nn.Module):
    """Two 3x3x3 convolutions around a shortcut; the first may halve the grid."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv3d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.first_norm = group_norm(out_channels)
        self.second = nn.Conv3d(out_channels, out_channels, 3, padding=1, bias=False)
        self.second_norm = group_norm(out_channels)
        self.activation = nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv3d(in_channels, out_channels, 1, stride, bias=False),
                group_norm(out_channels),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block."""
        y = self.activation(self.first_norm(self.first(x)))
        return self.activation(self.second_norm(self.second(y)) + self.shortcut(x))


class ResNet3d(nn.Module):
    """Residual encoder.

    Parameters
    ----------
    in_channels : int
    widths, depths : sequence of int
        Channels and blocks per stage, finest first. Four stages of (3, 4, 6, 3) blocks are a
        ResNet-34, (2, 2, 2, 2) a ResNet-18.
    folds : int
        How often the input is folded by 2 before a 3x3x3 convolution. 0 takes a 5x5x5 convolution
        of stride 2 on the input itself, which one or two channels make slow on a CPU.

    Attributes
    ----------
    size_multiple : int
        Sizes of the input grid must be multiples of this: the stem halves the grid (every
        fold does), and so does every stage but the first.
    """

    def __init__(
        self, in_channels: int, widths: Sequence[int], depths: Sequence[int], folds: int = 0
    ) -> None:
        super().__init__()
        if len(widths) != len(depths) or not widths:
            raise ValueError("every stage needs a width and a depth")
        self.folds = folds
        self.size_multiple = 2 ** (len(widths) - 1 + max(1, folds))
        enter = (
            nn.Conv3d(in_channels * 8**folds, widths[0], 3, padding=1, bias=False)
            if folds
            else nn.Conv3d(in_channels, widths[0], 5, stride=2, padding=2, bias=False)
        )
        self.stem = nn.Sequential(
            enter,
            group_norm(widths[0]),
            nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True),
        )
        stages, before = [], widths[0]
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks = [BasicBlock(before, width, 1 if number == 0 else 2)]
            blocks += [BasicBlock(width, width) for _ in range(depth - 1)]
            stages.append(nn.Sequential(*blocks))
            before = width
        self.stages = nn.ModuleList(stages)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, NEGATIVE_SLOPE, "fan_out")

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the features of every stage for an input [b, in_channels, z, y, x].

        Raises
        ------
        ValueError
            If a size of the grid is not a multiple of ``size_multiple``.
        """
        check_grid_size(x, self.size_multiple)
        for _ in range(self.folds):
            x = space_to_depth(x)
        y = self.stem(x)
        features = []
        for stage in self.stages:
            y = stage(y)
            features.append(y)
        return features
