"""Names one vertebra by its mask alone: a residual network and a transformer (Lu et al. 2025).

It sees neither the CT nor the neighbours; what the row says is left to positional logic.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..levels import MOBILE_LEVELS
from ..networks.resnet3d import ResNet3d

MASK_SHAPE_ZYX = (48, 96, 96)
"""Voxels of a mask: the segmentation's crop of 80 x 112 x 112 mm, resized."""

N_LEVELS = len(MOBILE_LEVELS)
"""Outputs are logits by `Level.order`."""


class SingleVertebraNetwork(nn.Module):
    """Residual features of a mask as tokens of a transformer with a class token.

    Parameters
    ----------
    widths, depths : sequence of int
        Channels and blocks per stage of the residual network; the defaults are a narrow ResNet-34.
    width : int
        Size of a token.
    layers, heads : int
        Of the transformer.
    dropout : float
    folds : int
        See `ResNet3d`: two start at stride 4, as a ResNet with its pooling does.

    Attributes
    ----------
    temperature : Tensor
        What logits are divided by so that probabilities are calibrated; kept with the weights.

    Raises
    ------
    ValueError
        If `heads` does not divide `width`.
    """

    architecture = "SingleVertebraNetwork"

    def __init__(
        self,
        widths: Sequence[int] = (24, 48, 96, 160),
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 160,
        layers: int = 3,
        heads: int = 4,
        dropout: float = 0.1,
        folds: int = 0,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError("heads must divide the width of a token")
        self._config = {
            "widths": [int(w) for w in widths],
            "depths": [int(d) for d in depths],
            "width": width,
            "layers": layers,
            "heads": heads,
            "dropout": dropout,
            "folds": folds,
        }
        self.features = ResNet3d(1, list(widths), list(depths), folds)
        cells = 1
        for size in MASK_SHAPE_ZYX:
            cells *= size // self.features.size_multiple
        self.to_token = nn.Linear(int(widths[-1]), width)
        self.place = nn.Parameter(0.02 * torch.randn(cells, width))
        self.class_token = nn.Parameter(0.02 * torch.randn(width))
        self.layers = nn.ModuleList(
            [
                nn.TransformerEncoderLayer(
                    width, heads, 2 * width, dropout, "gelu", batch_first=True, norm_first=True
                )
                for _ in range(layers)
            ]
        )
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, N_LEVELS))
        self.register_buffer("temperature", torch.ones(()))

    def config(self) -> dict[str, object]:
        """Return what rebuilds this network: ``SingleVertebraNetwork(**config)``."""
        return dict(self._config)

    def forward(self, masks: torch.Tensor) -> torch.Tensor:
        """Return logits [b, 26] for masks [b, 1, 48, 96, 96] of zeros and ones."""
        y = self.features(masks)[-1].flatten(2).transpose(1, 2)
        tokens = self.to_token(y) + self.place
        first = self.class_token.expand(len(masks), 1, -1).to(tokens.dtype)
        tokens = torch.cat([first, tokens], 1)
        for layer in self.layers:
            tokens = layer(tokens)
        return self.head(tokens[:, 0])
