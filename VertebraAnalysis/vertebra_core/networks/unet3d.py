"""The plain 3D U-Net of VertFault: double convolutions, max pooling, concatenated skips.

Unlike `SubpixelUNet` it works at full resolution throughout, as that work describes it, so that its
fracture networks can be compared with ours on equal terms. Folded, the same layers work on half the
grid, with the sub-voxels as channels: an eighth of the cost, for training on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from .blocks import NEGATIVE_SLOPE, check_grid_size, space_to_depth


class DoubleConvolution(nn.Sequential):
    """Two 3x3x3 convolutions, each with instance normalisation and leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        layers: list[nn.Module] = []
        for channels in (in_channels, out_channels):
            conv = nn.Conv3d(channels, out_channels, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(conv.weight, NEGATIVE_SLOPE)
            layers += [
                conv,
                nn.InstanceNorm3d(out_channels, affine=True),
                nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True),
            ]
        super().__init__(*layers)


class UNet3d(nn.Module):
    """Encoder and decoder; the features of the last decoder block are the output.

    Parameters
    ----------
    in_channels : int
    widths : sequence of int
        Channels per level, finest first.
    folded : bool
        Whether the input is folded by 2 first; the features then lie on half the grid.

    Attributes
    ----------
    size_multiple : int
        Sizes of the input grid must be multiples of this.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], folded: bool = False) -> None:
        super().__init__()
        self.folded = folded
        self.size_multiple = 2 ** (len(widths) - 1 + folded)
        inputs = [in_channels * (8 if folded else 1), *widths[:-1]]
        self.encoders = nn.ModuleList(
            [DoubleConvolution(i, o) for i, o in zip(inputs, widths, strict=True)]
        )
        pairs = list(zip(widths[:-1], widths[1:], strict=True))
        self.ups = nn.ModuleList([nn.ConvTranspose3d(w, v, 2, stride=2) for v, w in pairs])
        self.decoders = nn.ModuleList([DoubleConvolution(2 * v, v) for v, _ in pairs])
        self.pool = nn.MaxPool3d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features [b, widths[0], z, y, x] for an input [b, in_channels, z, y, x].

        Folded, the features' grid is half as large along every axis.

        Raises
        ------
        ValueError
            If a size of the grid is not a multiple of ``size_multiple``.
        """
        check_grid_size(x, self.size_multiple)
        skips = []
        x = space_to_depth(x) if self.folded else x
        for level, encoder in enumerate(self.encoders):
            x = encoder(x if level == 0 else self.pool(x))
            skips.append(x)
        for level in reversed(range(len(self.decoders))):
            x = self.decoders[level](torch.cat([skips[level], self.ups[level](x)], 1))
        return x
