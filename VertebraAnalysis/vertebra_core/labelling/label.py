"""Name the vertebrae of a CT: the network's view of each, then positional logic over all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ..levels import MOBILE_LEVELS
from ..volume import CtVolume
from .context import CONTEXT_SPACING_MM, chain_geometry, context_crops
from .level_statistics import LevelStatistics
from .positional_logic import LevelAssignment, PositionalOptions, assign_levels

OPTIONS = PositionalOptions(emission_weight=0.6, emission_floor=6.0)
"""The network sees whole sequences, so its errors are shared by neighbours: its evidence counts
less than that of independent observations would."""

_DOUBT = 0.03
"""Share of a level's probability that is spread over all levels: no evidence is final."""


def level_log_probabilities(
    ct: CtVolume, centres_lps_mm: np.ndarray, network: nn.Module, device: str = "cpu"
) -> np.ndarray:
    """Ask the network for the levels of a row of vertebrae.

    Parameters
    ----------
    ct : CtVolume
        On the 2 mm working grid.
    centres_lps_mm : ndarray, shape (n, 3)
        Body centres, LPS mm (x, y, z), head to foot.
    network : Module
        A `LevelNetwork`.
    device : str

    Returns
    -------
    ndarray of float64, shape (n, 26)
        Natural logarithms; column is `Level.order`.
    """
    centres = np.asarray(centres_lps_mm, float).reshape(-1, 3)
    crops = context_crops(ct.hu, ct.lps_to_index(centres)).to(device)
    geometry = torch.from_numpy(chain_geometry(centres[:, ::-1])).to(device)
    network.eval()
    kind = torch.device(device).type
    with torch.no_grad(), torch.autocast(kind, torch.bfloat16, enabled=kind != "mps"):
        logits = network(crops, geometry)[0].float()
    probability = torch.softmax(logits, 1).cpu().numpy().astype(float)
    return np.log((1 - _DOUBT) * probability + _DOUBT / probability.shape[1])


def label_vertebrae(
    ct: CtVolume,
    centres_lps_mm: Sequence[Sequence[float]],
    network: nn.Module,
    statistics: LevelStatistics | None = None,
    options: PositionalOptions = OPTIONS,
    device: str = "cpu",
) -> tuple[LevelAssignment, tuple[str, ...]]:
    """Name the vertebrae of a CT.

    Parameters
    ----------
    ct : CtVolume
        On the 2 mm working grid.
    centres_lps_mm : sequence of points
        Body centres, LPS mm (x, y, z), head to foot.
    network : Module
        A `LevelNetwork`.
    statistics : LevelStatistics, optional
    options : PositionalOptions
    device : str

    Returns
    -------
    assignment : LevelAssignment
    network_levels : tuple of str
        What the network alone would call each vertebra.

    Raises
    ------
    ValueError
        If `ct` is not on the working grid.
    """
    if not np.allclose(ct.spacing_xyz_mm, CONTEXT_SPACING_MM, rtol=1e-3):
        raise ValueError(f"the volume must be on the working grid of {CONTEXT_SPACING_MM} mm")
    centres = np.asarray(centres_lps_mm, float).reshape(-1, 3)
    evidence = level_log_probabilities(ct, centres, network, device)
    alone = tuple(MOBILE_LEVELS[i].name for i in evidence.argmax(1))
    return assign_levels(centres, evidence, statistics, options), alone
