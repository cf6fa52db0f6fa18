"""The labelling network: residual features of each vertebra, a transformer along the spine.

After Lu et al. (2025), who name vertebrae with a ResNet and a transformer; here the transformer
runs over all vertebrae of a scan, and attention knows how far apart they lie.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from ..levels import MOBILE_LEVELS
from ..networks.blocks import space_to_depth
from ..networks.crop_encoder import crop_encoder, n_cells
from .crops import CROP_SHAPE_ZYX

SACRUM = len(MOBILE_LEVELS)
"""Class of the first sacral body: no vertebra to report, but it tells which one lies above."""

NO_VERTEBRA = SACRUM + 1
N_CLASSES = NO_VERTEBRA + 1
"""The 26 mobile levels by `Level.order`, ``SACRUM`` and ``NO_VERTEBRA``."""

SEQUENCE_HEAD, SINGLE_HEAD = 0, 1
"""Index along the outputs: named in its row, or by its own crop alone."""

_PLACE_FEATURES = 12
_ENCODE_AT_ONCE = 8


class LabellingNetwork(nn.Module):
    """Names a row of vertebrae.

    Parameters
    ----------
    widths : sequence of int
        Channels of the crop's levels, finest first; three levels.
    width : int
        Size of a vertebra's feature vector.
    layers, heads : int
        Of the transformer.
    dropout : float

    Attributes
    ----------
    temperature : Tensor
        What logits are divided by so that probabilities are calibrated; kept with the weights.

    Raises
    ------
    ValueError
        If there are not three levels, or `heads` does not divide `width`.
    """

    architecture = "LabellingNetwork"

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 112),
        width: int = 128,
        layers: int = 3,
        heads: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if len(widths) != 3 or width % heads:
            raise ValueError("three widths are needed, and heads that divide the feature width")
        self._config = {
            "widths": [int(w) for w in widths],
            "width": width,
            "layers": layers,
            "heads": heads,
            "dropout": dropout,
        }
        self.stem, self.body = crop_encoder(2, widths)
        # Where ribs and sacrum lie relative to the vertebra matters: cells are not averaged away.
        cells = n_cells(CROP_SHAPE_ZYX)
        self.squeeze = nn.Conv3d(widths[2], 16, 1)
        self.gather = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(16 * cells, width), nn.GELU(), nn.LayerNorm(width)
        )
        self.single_head = nn.Linear(width, N_CLASSES)
        self.place = nn.Sequential(
            nn.Linear(_PLACE_FEATURES, width), nn.GELU(), nn.Linear(width, width)
        )
        self.layers = nn.ModuleList([SpineLayer(width, heads, dropout) for _ in range(layers)])
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, N_CLASSES))
        self.register_buffer("temperature", torch.ones(()))

    def config(self) -> dict[str, object]:
        """Return what rebuilds this network: ``LabellingNetwork(**config)``."""
        return dict(self._config)

    def forward(
        self, crops: torch.Tensor, positions_mm: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        """Name rows of vertebrae; the arguments are those of a `crops.VertebraSequence`.

        Returns
        -------
        Tensor, shape (b, n, 2, 28)
            Logits; see `SEQUENCE_HEAD` and `SINGLE_HEAD`.
        """
        b, n = valid.shape
        known = crops[valid]
        features = torch.cat([self.encode(part) for part in known.split(_ENCODE_AT_ONCE)])
        single = self.single_head(features)
        placed = features.new_zeros(b, n, features.shape[1])
        placed[valid] = features
        alone = single.new_zeros(b, n, N_CLASSES)
        alone[valid] = single
        x = placed + self.place(place_features(positions_mm, valid)).to(placed.dtype)
        along_mm = along_spine_mm(positions_mm)
        for layer in self.layers:
            x = layer(x, along_mm, valid)
        return torch.stack([self.head(x), alone], dim=2)

    def encode(self, crops: torch.Tensor) -> torch.Tensor:
        """Return feature vectors [m, width] for crops [m, 2, z, y, x]."""
        y = self.body(self.stem(space_to_depth(crops)))
        return self.gather(self.squeeze(y).flatten(1))


class SpineLayer(nn.Module):
    """Self-attention along the spine, biased by signed distance, and a feed-forward layer."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.queries = nn.Linear(width, 3 * width)
        self.leave = nn.Linear(width, width)
        self.distance_bias = nn.Sequential(nn.Linear(3, 16), nn.GELU(), nn.Linear(16, heads))
        self.mix = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, along_mm: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """Return [b, n, width] for features `x`, arc lengths [b, n] and a mask [b, n]."""
        b, n, width = x.shape
        q, k, v = (
            self.queries(self.norm(x)).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind()
        )
        apart = (along_mm[:, None] - along_mm[:, :, None]) / 100.0
        described = torch.stack([apart, apart.abs(), torch.exp(-(apart**2) * 4)], -1)
        bias = self.distance_bias(described).permute(0, 3, 1, 2)
        bias = bias.masked_fill(~valid[:, None, None], -1e4).to(q.dtype)
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        x = x + self.dropout(self.leave(attended.transpose(1, 2).reshape(b, n, width)))
        return x + self.dropout(self.mix(x))


def along_spine_mm(positions_mm: torch.Tensor) -> torch.Tensor:
    """Arc length [b, n] from the first to each of the centres [b, n, 3]."""
    steps = (positions_mm[:, 1:] - positions_mm[:, :-1]).norm(dim=2)
    return functional.pad(steps.cumsum(1), (1, 0))


def place_features(positions_mm: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Describe where each vertebra lies among its neighbours, [b, n, 12]; nothing is absolute."""
    step = positions_mm[:, 1:] - positions_mm[:, :-1]
    there = (valid[:, 1:] & valid[:, :-1]).float()
    length = step.norm(dim=2).clamp_min(1.0)
    mean_log = (length.log() * there).sum(1, keepdim=True) / there.sum(1, keepdim=True).clamp_min(1)
    described = torch.stack(
        [
            (length.log() - 3.35) * 3,
            (length.log() - mean_log) * 4,
            step[..., 1] / length,
            step[..., 2] / length,
            there,
        ],
        dim=2,
    )
    described = described * there[..., None]
    from_above = functional.pad(described, (0, 0, 1, 0))
    to_below = functional.pad(described, (0, 0, 0, 1))
    count = valid.sum(1, keepdim=True).float()
    rank = torch.arange(valid.shape[1], device=valid.device).float().expand(valid.shape)
    ends = torch.stack([rank / 10, (count - 1 - rank) / 10], dim=2)
    return torch.cat([from_above, to_below, ends], dim=2) * valid[..., None].float()
