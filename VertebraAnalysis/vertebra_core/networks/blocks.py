"""Building blocks of the 3D networks: residual convolutions, attention gates, sub-voxel shuffles.

All tensors are [batch, channel, z, y, x].
"""

from __future__ import annotations

import torch
from torch import nn

NEGATIVE_SLOPE = 0.01


def group_norm(channels: int, channels_per_group: int = 8) -> nn.GroupNorm:
    """Return a group normalisation with about `channels_per_group` channels in each group.

    Batches hold one or two crops, so batch statistics are useless; instance normalisation would
    wipe out the mean intensity of every channel, which density and level depend on.
    """
    groups = max(1, channels // channels_per_group)
    while channels % groups:
        groups -= 1
    return nn.GroupNorm(groups, channels)


def check_grid_size(x: torch.Tensor, size_multiple: int) -> None:
    """Raise ValueError unless all sizes of the grid of `x` [b, c, ...] are multiples of one."""
    grid = tuple(x.shape[2:])
    if any(size % size_multiple for size in grid):
        raise ValueError(f"grid {grid} is not a multiple of {size_multiple}")


def space_to_depth(x: torch.Tensor) -> torch.Tensor:
    """Fold every 2x2x2 block into channels: [b, c, 2z, 2y, 2x] -> [b, 8c, z, y, x].

    The result lies channels-last in memory, which is what CPU convolutions run fastest on.
    """
    b, c, z, y, w = x.shape
    x = x.reshape(b, c, z // 2, 2, y // 2, 2, w // 2, 2).permute(0, 2, 4, 6, 1, 3, 5, 7)
    return x.reshape(b, z // 2, y // 2, w // 2, c * 8).permute(0, 4, 1, 2, 3)


def depth_to_space(x: torch.Tensor) -> torch.Tensor:
    """Undo `space_to_depth`: [b, 8c, z, y, x] -> [b, c, 2z, 2y, 2x], contiguous."""
    b, c, z, y, w = x.shape
    x = x.reshape(b, c // 8, 2, 2, 2, z, y, w).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return x.reshape(b, c // 8, 2 * z, 2 * y, 2 * w)


class ResidualBlock(nn.Module):
    """One or two 3x3x3 convolutions with group normalisation around a shortcut."""

    def __init__(self, channels: int, convolutions: int = 2) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [nn.Conv3d(channels, channels, 3, padding=1, bias=False) for _ in range(convolutions)]
        )
        self.norms = nn.ModuleList([group_norm(channels) for _ in range(convolutions)])
        self.activation = nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block; the grid and the channels stay."""
        y = x
        for conv, norm in zip(self.convs[:-1], self.norms[:-1], strict=True):
            y = self.activation(norm(conv(y)))
        return self.activation(self.norms[-1](self.convs[-1](y)) + x)


class AttentionGate(nn.Module):
    """Additive attention gate on a skip connection [1]_.

    The gate is computed on the coarse grid of the gating signal and enlarged, as in the original.

    References
    ----------
    .. [1] Oktay et al., "Attention U-Net: learning where to look for the pancreas", MIDL 2018.
    """

    def __init__(self, skip_channels: int, gate_channels: int) -> None:
        super().__init__()
        hidden = max(8, skip_channels // 2)
        self.from_skip = nn.Conv3d(skip_channels, hidden, 2, stride=2, bias=False)
        self.from_gate = nn.Conv3d(gate_channels, hidden, 1)
        self.score = nn.Conv3d(hidden, 1, 1)
        # Open at the start (sigmoid(2) = 0.88): the skips train from the first step.
        nn.init.constant_(self.score.bias, 2.0)

    def forward(self, skip: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        """Weight `skip` [b, s, 2z, 2y, 2x] by the attention seen from `gate` [b, g, z, y, x]."""
        hidden = torch.relu(self.from_skip(skip) + self.from_gate(gate))
        weight = torch.sigmoid(self.score(hidden))
        weight = nn.functional.interpolate(weight, scale_factor=2.0, mode="trilinear")
        return skip * weight.to(skip.dtype)
