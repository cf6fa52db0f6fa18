"""The dynamic modulation unit: adapts features to the imaging domain of the scan at hand."""

from __future__ import annotations

import torch
from torch import nn


class DynamicModulation(nn.Module):
    """Scales and shifts of every layer, mixed by how much a scan looks like each known domain.

    What a domain looks like is read off the statistics (mean and spread) of early features, where
    noise, sharpness and slice thickness show. A scan of an unknown domain gets a mixture of those
    it resembles. At the start nothing is modulated.

    Parameters
    ----------
    channels : int
        Channels of the early features.
    width : int
        Channels to modulate.
    layers : int
    domains : int
    """

    def __init__(self, channels: int, width: int, layers: int, domains: int) -> None:
        super().__init__()
        self._layers, self._width = layers, width
        self.recognise = nn.Sequential(
            nn.LayerNorm(2 * channels),
            nn.Linear(2 * channels, 64),
            nn.GELU(),
            nn.Linear(64, domains),
        )
        self.codes = nn.Parameter(torch.zeros(domains, layers * 2 * width))

    def forward(self, early: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return modulations and domain logits.

        Parameters
        ----------
        early : Tensor, shape (b, channels, z, y, x)

        Returns
        -------
        modulations : Tensor, shape (layers, 2, b, 1, width)
            Scale (added to one) and shift per layer.
        logits : Tensor, shape (b, domains)
        """
        flat = early.float().flatten(2)
        described = torch.cat([flat.mean(2), (flat.var(2) + 1e-5).log()], 1)
        logits = self.recognise(described)
        mixed = torch.softmax(logits.float(), 1) @ self.codes
        shaped = mixed.view(len(early), self._layers, 2, self._width)
        return shaped.permute(1, 2, 0, 3)[:, :, :, None], logits
