"""Name vertebrae one by one by their masks, then by positional logic over the row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..devices import bfloat16_is_fast
from ..levels import MOBILE_LEVELS
from ..segmentation.crops import WORKING_SPACING_MM, crop_origin_index, extract_crop
from ..segmentation.segment import VertebraMask
from ..settings import LARGE_CROP_ZYX
from .level_statistics import LevelStatistics
from .positional_logic import LevelAssignment, PositionalOptions, assign_levels
from .single_network import MASK_SHAPE_ZYX

SINGLE_OPTIONS = PositionalOptions()
"""Vertebrae are judged each by itself, so that their errors are independent, as is assumed."""

_LOWEST_PROBABILITY = 1e-6
_AT_ONCE = 8


def label_single_vertebrae(
    masks: Sequence[VertebraMask],
    centres_lps_mm: Sequence[Sequence[float]] | np.ndarray,
    network: nn.Module,
    statistics: LevelStatistics | None = None,
    options: PositionalOptions = SINGLE_OPTIONS,
    device: str = "cpu",
) -> tuple[LevelAssignment, tuple[str, ...]]:
    """Name vertebrae by their masks.

    Parameters
    ----------
    masks : sequence of VertebraMask
    centres_lps_mm : sequence of points, shape (n, 3)
        Body centres in the order of the masks, LPS mm (x, y, z).
    network : Module
        `SingleVertebraNetwork` on `device`.
    statistics : LevelStatistics, optional
        The bundled ones by default.
    options : PositionalOptions
    device : str

    Returns
    -------
    assignment : LevelAssignment
        After positional logic.
    network_levels : tuple of str
        Before it: the most probable level of each mask.

    Raises
    ------
    ValueError
        If there are not as many masks as centres.
    """
    centres = np.asarray(centres_lps_mm, float).reshape(-1, 3)
    if len(masks) != len(centres):
        raise ValueError(f"{len(masks)} masks for {len(centres)} centres")
    if not len(centres):
        return assign_levels(centres, None, statistics, options), ()
    evidence = mask_log_probabilities(masks, network, device)
    assignment = assign_levels(centres, evidence, statistics, options)
    return assignment, tuple(MOBILE_LEVELS[i].name for i in evidence.argmax(1))


def mask_log_probabilities(
    masks: Sequence[VertebraMask], network: nn.Module, device: str = "cpu"
) -> np.ndarray:
    """Return natural logarithms of level probabilities, shape (n, 26), column is `Level.order`."""
    network.eval()
    kind = torch.device(device).type
    inputs = torch.stack([resized_mask(mask) for mask in masks])[:, None]
    logits = []
    with torch.no_grad(), torch.autocast(kind, torch.bfloat16, enabled=bfloat16_is_fast(device)):
        for part in inputs.split(_AT_ONCE):
            logits.append(network(part.to(device)).float().cpu())
    scaled = torch.cat(logits) / float(network.temperature)
    found = torch.log_softmax(scaled, 1).numpy().astype(float)
    return np.maximum(found, np.log(_LOWEST_PROBABILITY))


def resized_mask(mask: VertebraMask) -> torch.Tensor:
    """Bring a vertebra to the network's mask of 0 and 1, at the scale and place it is trained on.

    Returns
    -------
    Tensor of float32, shape `MASK_SHAPE_ZYX`
        The large crop around the vertebra's centre.
    """
    index = (np.asarray(mask.center_lps_mm) - mask.origin_lps_mm)[::-1] / WORKING_SPACING_MM
    origin = crop_origin_index(index, LARGE_CROP_ZYX)
    crop = extract_crop(mask.vertebra, origin, LARGE_CROP_ZYX, 0.0)
    volume = torch.from_numpy(crop)[None, None]
    small = functional.interpolate(volume, MASK_SHAPE_ZYX, mode="trilinear", align_corners=False)
    return (small[0, 0] > 0.5).float()
