"""VertebraFormer: convolutions to tokens, a transformer over them, and a decoder for every task.

After Du et al. (2026), of whom the idea is public: one encoder shared by segmentation, numbering
and lesion localisation, and a unit that adapts its features to the imaging domain. What the summary
leaves open, how one vertebra is told from the next, is settled by votes: a fourth decoder says
where the centre of each voxel's body lies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from ..networks.blocks import (
    NEGATIVE_SLOPE,
    ResidualBlock,
    check_grid_size,
    depth_to_space,
    group_norm,
    space_to_depth,
)
from .modulation import DynamicModulation
from .outputs import (
    DOMAIN,
    LESION_KINDS,
    LESIONS,
    N_LEVELS,
    NUMBERING,
    OFFSET_UNIT_MM,
    OFFSETS,
    SEGMENTATION,
    WINDOW_ZYX,
)


class VertebraFormer(nn.Module):
    """Segmentation, numbering, centres and lesions from one encoder.

    Parameters
    ----------
    widths : sequence of int
        Channels at strides 2, 4 and 8; tokens lie at stride 8 (16 mm).
    width : int
        Size of a token, divisible by `heads` and by 6.
    layers, heads : int
        Of the transformer.
    modulation : bool
        Whether features are adapted to the imaging domain.
    domains : int
        Imaging domains known in training.
    window : sequence of int
        Size of the blocks it is trained on, voxels z, y, x; kept with the weights, so that they are
        applied in windows of that size.

    Attributes
    ----------
    size_multiple : int
        Sizes of the input grid must be multiples of this.

    Raises
    ------
    ValueError
        If there are not three widths or the token size does not fit.
    """

    architecture = "VertebraFormer"
    size_multiple = 8

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128),
        width: int = 192,
        layers: int = 6,
        heads: int = 6,
        modulation: bool = True,
        domains: int = 9,
        window: Sequence[int] = WINDOW_ZYX,
    ) -> None:
        super().__init__()
        widths = [int(w) for w in widths]
        if len(widths) != 3 or width % heads or width % 6:
            raise ValueError("three widths are needed, and tokens divisible by the heads and by 6")
        self.window = tuple(int(n) for n in window)
        self._config = {
            "widths": widths,
            "window": list(self.window),
            "width": width,
            "layers": layers,
            "heads": heads,
            "modulation": bool(modulation),
            "domains": domains,
        }
        self.stem = nn.Sequential(
            nn.Conv3d(8, widths[0], 3, padding=1, bias=False),
            group_norm(widths[0]),
            nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True),
        )
        self.encoders = nn.ModuleList([ResidualBlock(w, 1) for w in widths])
        self.downs = nn.ModuleList(
            [nn.Conv3d(v, w, 2, stride=2) for v, w in zip(widths[:-1], widths[1:], strict=True)]
        )
        self.to_tokens = nn.Conv3d(widths[-1], width, 1)
        self.layers = nn.ModuleList([ModulatedLayer(width, heads) for _ in range(layers)])
        self.leave = nn.LayerNorm(width)
        self.modulation = DynamicModulation(width, layers, domains) if modulation else None
        self.segment = TaskDecoder(width, widths, 8 * 2)
        self.number = TaskDecoder(width, widths, N_LEVELS)
        self.centre = TaskDecoder(width, widths, 3)
        self.lesion = TaskDecoder(width, widths, len(LESION_KINDS))

    def config(self) -> dict[str, object]:
        """Return what rebuilds this network: ``VertebraFormer(**config)``."""
        return dict(self._config)

    def start_at(self, segmentation: float, lesions: float) -> None:
        """Let masks and lesion heat start near these probabilities: foreground is rare."""
        for decoder, p in ((self.segment, segmentation), (self.lesion, lesions)):
            nn.init.constant_(decoder.head.bias, math.log(p / (1 - p)))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return logits by task for an input [b, 1, z, y, x]; see `outputs` for the keys.

        Raises
        ------
        ValueError
            If a size of the grid is not a multiple of ``size_multiple``.
        """
        check_grid_size(x, self.size_multiple)
        folded = space_to_depth(x)
        y, skips = self.stem(folded), []
        for level, encoder in enumerate(self.encoders):
            y = encoder(y if level == 0 else self.downs[level - 1](y))
            skips.append(y)
        found: dict[str, torch.Tensor] = {}
        modulations: Sequence[torch.Tensor | None] = [None] * len(self.layers)
        if self.modulation is not None:
            modulations, found[DOMAIN] = self.modulation(folded)
        grid = self._encode(self.to_tokens(y), modulations)
        found[SEGMENTATION] = depth_to_space(self.segment(grid, skips))
        found[NUMBERING] = self.number(grid, skips)
        found[OFFSETS] = self.centre(grid, skips) * OFFSET_UNIT_MM
        found[LESIONS] = self.lesion(grid, skips)
        return found

    def _encode(self, grid: torch.Tensor, modulations) -> torch.Tensor:
        shape = grid.shape[2:]
        tokens = grid.flatten(2).transpose(1, 2)
        tokens = tokens + place_code(shape, grid.shape[1], grid.device).to(tokens.dtype)
        for layer, modulation in zip(self.layers, modulations, strict=True):
            tokens = layer(tokens, modulation)
        return self.leave(tokens).transpose(1, 2).unflatten(2, shape)


class ModulatedLayer(nn.Module):
    """Self-attention and a feed-forward layer; the normalised tokens may be scaled and shifted."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.queries = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.mix_norm = nn.LayerNorm(width)
        self.mix = nn.Sequential(
            nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width)
        )

    def forward(self, x: torch.Tensor, modulation: torch.Tensor | None) -> torch.Tensor:
        """Return tokens [b, n, width]; `modulation` is [2, b, 1, width] or None."""
        b, n, width = x.shape
        y = _modulated(self.norm(x), modulation)
        q, k, v = self.queries(y).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind()
        attended = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.join(attended.transpose(1, 2).reshape(b, n, width))
        return x + self.mix(_modulated(self.mix_norm(x), modulation))


class TaskDecoder(nn.Module):
    """From tokens back to stride 2, with the encoder's features added on the way."""

    def __init__(self, width: int, widths: Sequence[int], out_channels: int) -> None:
        super().__init__()
        self.enter = nn.Conv3d(width, widths[-1], 1)
        pairs = list(zip(widths[:-1], widths[1:], strict=True))
        self.ups = nn.ModuleList([nn.ConvTranspose3d(w, v, 2, stride=2) for v, w in pairs])
        self.blocks = nn.ModuleList([ResidualBlock(v, 1) for v, _ in pairs])
        self.head = nn.Conv3d(widths[0], out_channels, 1)

    def forward(self, grid: torch.Tensor, skips: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return logits [b, out_channels, z / 2, y / 2, x / 2]."""
        y = self.enter(grid) + skips[-1]
        for level in reversed(range(len(self.blocks))):
            y = self.blocks[level](self.ups[level](y) + skips[level])
        return self.head(y)


def place_code(shape_zyx, width: int, device: torch.device | str) -> torch.Tensor:
    """Sines and cosines of each token's place, shape (tokens, width); any grid size will do."""
    per_axis = width // 3
    rates = torch.exp(torch.arange(per_axis // 2, device=device) * (-4.6 / (per_axis // 2)))
    codes = []
    for axis, n in enumerate(shape_zyx):
        angle = torch.arange(n, device=device)[:, None] * rates[None]
        code = torch.cat([angle.sin(), angle.cos()], 1)
        view = [1, 1, 1, per_axis]
        view[axis] = n
        codes.append(code.view(view).expand(*shape_zyx, per_axis))
    return torch.cat(codes, 3).reshape(-1, width)


def _modulated(x: torch.Tensor, modulation: torch.Tensor | None) -> torch.Tensor:
    if modulation is None:
        return x
    scale, shift = modulation.to(x.dtype)
    return x * (1 + scale) + shift
