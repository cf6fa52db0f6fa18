"""The dynamic modulation unit: adapts features to the imaging domain of the scan at hand."""

from __future__ import annotations

import torch
from torch import nn

CAPS = (0.05, 0.2, 0.8)
"""Normalised intensity (20, 80 and 320 HU) from which a detail counts no more: under the lowest
noise is what is left, under the others edges of soft tissue and of bone come in."""

_FLOOR = 1e-3
_MIDDLE, _SPREAD = -3.0, 1.5

N_DETAILS = 7


def scan_texture(folded: torch.Tensor) -> torch.Tensor:
    """Describe noise, sharpness and slice thickness of blocks, whatever they show.

    Differences between the voxels of every 2x2x2 cell along z, y and x, alone and together (Haar
    details), by their mean absolute size under each of `CAPS`.

    Parameters
    ----------
    folded : Tensor, shape (b, 8, z, y, x)
        Normalised CT, folded by `networks.blocks.space_to_depth`.

    Returns
    -------
    Tensor of float32, shape (b, 21)
        Logarithms, about centred and scaled.
    """
    with torch.autocast(folded.device.type, enabled=False):
        cells = folded.float().flatten(2)
        mean_or_step = torch.tensor([[0.5, 0.5], [-1.0, 1.0]], device=folded.device)
        along = torch.kron(torch.kron(mean_or_step, mean_or_step), mean_or_step)
        details = (along[1:] @ cells).abs()
        means = torch.cat([details.clamp(max=cap).mean(2) for cap in CAPS], 1)
        return ((means + _FLOOR).log() - _MIDDLE) / _SPREAD


class DynamicModulation(nn.Module):
    """Scales and shifts of every layer, mixed by how much a scan looks like each known domain.

    What a domain looks like is read off the texture of the scan itself; statistics of learnt
    features told domains no better than chance, as they are normalised. A scan of an unknown domain
    gets a mixture of those it resembles. At the start nothing is modulated.

    Parameters
    ----------
    width : int
        Channels to modulate.
    layers : int
    domains : int
    """

    def __init__(self, width: int, layers: int, domains: int) -> None:
        super().__init__()
        self._layers, self._width = layers, width
        self.recognise = nn.Sequential(
            nn.Linear(N_DETAILS * len(CAPS), 64), nn.GELU(), nn.Linear(64, domains)
        )
        self.codes = nn.Parameter(torch.zeros(domains, layers * 2 * width))

    def forward(self, folded: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return modulations and domain logits.

        Parameters
        ----------
        folded : Tensor, shape (b, 8, z, y, x)
            See `scan_texture`.

        Returns
        -------
        modulations : Tensor, shape (layers, 2, b, 1, width)
            Scale (added to one) and shift per layer.
        logits : Tensor, shape (b, domains)
        """
        logits = self.recognise(scan_texture(folded))
        mixed = torch.softmax(logits.float(), 1) @ self.codes
        shaped = mixed.view(len(folded), self._layers, 2, self._width)
        return shaped.permute(1, 2, 0, 3)[:, :, :, None], logits
