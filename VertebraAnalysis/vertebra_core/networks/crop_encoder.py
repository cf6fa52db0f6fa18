"""The residual encoder of the networks that look at the crop of one vertebra."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from .blocks import NEGATIVE_SLOPE, ResidualBlock, group_norm

ENCODER_STRIDE = 8
"""Voxels of a crop along one side of a cell of the encoder's result."""


def crop_encoder(in_channels: int, widths: Sequence[int]) -> tuple[nn.Sequential, nn.Sequential]:
    """Return the two parts of an encoder, to be applied after `blocks.space_to_depth`.

    Parameters
    ----------
    in_channels : int
        Of the crop before it is folded.
    widths : sequence of int
        Channels of the three levels, finest first.

    Returns
    -------
    stem, body : Sequential
        The keys of weights bear the names under which a network keeps them.
    """
    stem = nn.Sequential(
        nn.Conv3d(8 * in_channels, widths[0], 3, padding=1, bias=False),
        group_norm(widths[0]),
        nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True),
    )
    body = nn.Sequential(
        ResidualBlock(widths[0], 1),
        nn.Conv3d(widths[0], widths[1], 2, stride=2),
        ResidualBlock(widths[1], 2),
        nn.Conv3d(widths[1], widths[2], 2, stride=2),
        ResidualBlock(widths[2], 2),
    )
    return stem, body


def n_cells(crop_shape_zyx: Sequence[int]) -> int:
    """Return how many cells the encoder makes of a crop."""
    cells = 1
    for size in crop_shape_zyx:
        cells *= size // ENCODER_STRIDE
    return cells
