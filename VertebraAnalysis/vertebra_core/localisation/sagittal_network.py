"""A one-stage detector of vertebral bodies on single sagittal slices.

After the detector that Lu et al. (2025) run (YOLOv7): aggregation blocks, spatial pyramid pooling,
a path aggregation neck and one decoupled head, without anchors, since bodies differ little in size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from ..networks.blocks import check_grid_size, group_norm

WORKING_SPACING_MM = 2.0
"""Spacing of the slices the detector sees."""

STRIDE = 4
"""Pixels between neighbouring cells of the output."""

OBJECT = 0
SIDES = slice(1, 5)
"""Channels of the output: objectness logit; log distances from the cell to the low z, low y, high z
and high y side of the box, in units of `STRIDE` pixels."""

OUT_CHANNELS = 5


class ConvUnit(nn.Sequential):
    """Convolution, group normalisation and SiLU."""

    def __init__(self, in_channels: int, out_channels: int, size: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, size, stride, size // 2, bias=False),
            group_norm(out_channels),
            nn.SiLU(inplace=True),
        )


class AggregationBlock(nn.Module):
    """Layers of different depth side by side, joined by a 1x1 convolution (ELAN)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half = max(4, out_channels // 2)
        self.straight = ConvUnit(in_channels, half, 1)
        self.first = ConvUnit(in_channels, half, 1)
        self.second = nn.Sequential(ConvUnit(half, half), ConvUnit(half, half))
        self.third = nn.Sequential(ConvUnit(half, half), ConvUnit(half, half))
        self.join = ConvUnit(4 * half, out_channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block; the grid stays."""
        first = self.first(x)
        second = self.second(first)
        return self.join(torch.cat([self.straight(x), first, second, self.third(second)], 1))


class PyramidPooling(nn.Module):
    """Maxima over several neighbourhoods beside the features themselves (SPP)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = max(4, channels // 2)
        self.enter = ConvUnit(channels, half, 1)
        self.pools = nn.ModuleList([nn.MaxPool2d(n, 1, n // 2) for n in (5, 9, 13)])
        self.leave = ConvUnit(4 * half, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block; the grid stays."""
        x = self.enter(x)
        return self.leave(torch.cat([x, *(pool(x) for pool in self.pools)], 1))


class SagittalDetector(nn.Module):
    """Boxes around vertebral bodies on sagittal slices.

    Parameters
    ----------
    widths : sequence of int
        Channels at strides 2, 4, 8 and 16.

    Attributes
    ----------
    size_multiple : int
        Sizes of a slice must be multiples of this.

    Raises
    ------
    ValueError
        If there are not four widths.
    """

    architecture = "SagittalDetector"
    size_multiple = 16

    def __init__(self, widths: Sequence[int] = (32, 64, 96, 128)) -> None:
        super().__init__()
        widths = [int(w) for w in widths]
        if len(widths) != 4:
            raise ValueError("four widths are needed")
        self._config = {"widths": widths}
        a, b, c, d = widths
        self.stem = nn.Sequential(ConvUnit(1, a, 3, 2), ConvUnit(a, a))
        self.fine = nn.Sequential(ConvUnit(a, b, 3, 2), AggregationBlock(b, b))
        self.middle = nn.Sequential(ConvUnit(b, c, 3, 2), AggregationBlock(c, c))
        self.coarse = nn.Sequential(ConvUnit(c, d, 3, 2), AggregationBlock(d, d), PyramidPooling(d))
        self.coarse_to_middle = ConvUnit(d, c, 1)
        self.middle_down = AggregationBlock(2 * c, c)
        self.middle_to_fine = ConvUnit(c, b, 1)
        self.fine_down = AggregationBlock(2 * b, b)
        # Path aggregation: what the fine level found goes back through the middle one.
        self.fine_to_middle = ConvUnit(b, c, 3, 2)
        self.middle_up = AggregationBlock(2 * c, c)
        self.back = ConvUnit(c, b, 1)
        self.fine_out = AggregationBlock(2 * b, b)
        self.object_head = nn.Sequential(ConvUnit(b, b), nn.Conv2d(b, 1, 1))
        self.side_head = nn.Sequential(ConvUnit(b, b), nn.Conv2d(b, 4, 1))
        # Bodies fill about one cell in a hundred.
        nn.init.constant_(self.object_head[-1].bias, -math.log(99.0))

    def config(self) -> dict[str, object]:
        """Return what rebuilds this network: ``SagittalDetector(**config)``."""
        return dict(self._config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return [b, 5, z / 4, y / 4] for normalised slices [b, 1, z, y].

        Raises
        ------
        ValueError
            If a size of the slices is not a multiple of ``size_multiple``.
        """
        check_grid_size(x, self.size_multiple)
        fine = self.fine(self.stem(x))
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = self.middle_down(torch.cat([middle, _double(self.coarse_to_middle(coarse))], 1))
        fine = self.fine_down(torch.cat([fine, _double(self.middle_to_fine(middle))], 1))
        middle = self.middle_up(torch.cat([middle, self.fine_to_middle(fine)], 1))
        fine = self.fine_out(torch.cat([fine, _double(self.back(middle))], 1))
        return torch.cat([self.object_head(fine), self.side_head(fine)], 1)


def cell_centers(height: int, width: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the pixel position (z, y) of every cell's centre, shape (2, height, width)."""
    z = (torch.arange(height, device=device).float() + 0.5) * STRIDE - 0.5
    y = (torch.arange(width, device=device).float() + 0.5) * STRIDE - 0.5
    return torch.stack(torch.meshgrid(z, y, indexing="ij"))


def decode_boxes(output: torch.Tensor) -> torch.Tensor:
    """Turn an output [b, 5, h, w] into boxes [b, 4, h, w]: low z, low y, high z, high y, pixels."""
    sides = output[:, SIDES].clamp(-6, 6).exp() * STRIDE
    center = cell_centers(*output.shape[2:], output.device)[None]
    return torch.cat([center - sides[:, :2], center + sides[:, 2:]], 1)


def _double(x: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
