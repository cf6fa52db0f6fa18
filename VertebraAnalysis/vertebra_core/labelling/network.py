"""The labelling network: what level is each vertebra of a scan, seen in its surroundings.

Every vertebra is seen in a wide crop (ribs, sacrum, skull and neighbours are what tells levels
apart) by a 3D residual encoder; a transformer then looks at the whole sequence of vertebrae,
head to foot, with their distances. The design follows Lu et al. 2025 (ResNet + Transformer); the
crop of the CT with the centres marked takes the place of the single-vertebra mask.
"""

from __future__ import annotations

import torch
from torch import nn

from ..levels import MOBILE_LEVELS
from ..networks.blocks import NEGATIVE_SLOPE, ResidualBlock, space_to_depth

GEOMETRY_FEATURES = 6
"""Features of a vertebra's place in the sequence, see `context.chain_geometry`."""

MAX_RELATIVE_POSITION = 8
"""Relative positions in the sequence beyond this share one attention bias."""


class LevelNetwork(nn.Module):
    """Residual encoder of crops and transformer over their sequence.

    Parameters
    ----------
    in_channels : int
        Channels of a crop: CT and marked centres.
    widths : sequence of int
        Channels per encoder level, the first on half the crop's grid.
    token_width : int
        Width of the transformer.
    layers, heads : int
        Of the transformer.
    """

    architecture = "LevelNetwork"

    def __init__(
        self,
        in_channels: int = 2,
        widths: tuple[int, ...] = (24, 48, 96, 128),
        token_width: int = 128,
        layers: int = 3,
        heads: int = 4,
    ) -> None:
        super().__init__()
        widths = tuple(widths)
        self._config = {
            "in_channels": in_channels,
            "widths": list(widths),
            "token_width": token_width,
            "layers": layers,
            "heads": heads,
        }
        self.stem = nn.Conv3d(8 * in_channels, widths[0], 3, padding=1, bias=False)
        self.blocks = nn.ModuleList([ResidualBlock(w) for w in widths])
        self.downs = nn.ModuleList(
            [
                nn.Conv3d(a, b, 2, stride=2, bias=False)
                for a, b in zip(widths[:-1], widths[1:], strict=True)
            ]
        )
        self.project = nn.Linear(3 * widths[-1], token_width)
        self.place = nn.Linear(GEOMETRY_FEATURES, token_width)
        self.layers = nn.ModuleList([_Layer(token_width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(token_width)
        self.head = nn.Linear(token_width, len(MOBILE_LEVELS))
        self.alone = nn.Linear(token_width, len(MOBILE_LEVELS))

    def config(self) -> dict[str, object]:
        """Return what rebuilds this network: ``LevelNetwork(**config)``."""
        return dict(self._config)

    def forward(self, crops: torch.Tensor, geometry: torch.Tensor) -> torch.Tensor:
        """Return level logits for the vertebrae of one scan.

        Parameters
        ----------
        crops : Tensor, shape (n, in_channels, z, y, x)
            Head to foot; sizes are multiples of 16.
        geometry : Tensor, shape (n, GEOMETRY_FEATURES)

        Returns
        -------
        Tensor, shape (2, n, 26)
            Logits of the sequence, then those of every crop on its own.
        """
        tokens = self.project(self._encode(crops).float()) + self.place(geometry)
        alone = self.alone(tokens)
        sequence = tokens[None]
        for layer in self.layers:
            sequence = layer(sequence)
        return torch.stack([self.head(self.norm(sequence))[0], alone])

    def _encode(self, crops: torch.Tensor) -> torch.Tensor:
        y = self.stem(space_to_depth(crops))
        for i, block in enumerate(self.blocks):
            y = block(y if i == 0 else self.downs[i - 1](y))
        middle = [slice(n // 2 - n // 4, n // 2 + (n + 3) // 4) for n in y.shape[2:]]
        around = y[:, :, middle[0], middle[1], middle[2]]
        pooled = (y.mean((2, 3, 4)), y.amax((2, 3, 4)), around.mean((2, 3, 4)))
        return torch.cat(pooled, 1)


class _Layer(nn.Module):
    """Transformer layer (pre-norm) whose attention depends on relative position."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros(heads, 2 * MAX_RELATIVE_POSITION + 1))
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.LeakyReLU(NEGATIVE_SLOPE),
            nn.Dropout(0.1),
            nn.Linear(2 * width, width),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the layer to a sequence [b, n, width]."""
        b, n, width = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(b, n, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        index = torch.arange(n, device=x.device)
        relative = (index[None] - index[:, None]).clamp(
            -MAX_RELATIVE_POSITION, MAX_RELATIVE_POSITION
        )
        bias = self.bias[:, relative + MAX_RELATIVE_POSITION].to(q.dtype)
        seen = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
        x = x + self.out(seen.transpose(1, 2).reshape(b, n, width))
        return x + self.feed(self.norm2(x))
