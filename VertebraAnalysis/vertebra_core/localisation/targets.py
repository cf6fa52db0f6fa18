"""What LocNet is trained towards: heat, offsets and foreground of a block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

SIGMA_PER_SPACING = 0.18
SIGMA_RANGE_MM = (2.8, 5.0)
"""The heat's Gaussian shrinks with the distance to the nearest neighbour: VertFault found that a
common size makes the heat of crowded cervical vertebrae overlap (neck: 15 mm apart, lumbar: 35)."""

OFFSET_HEAT = 0.05
"""Offsets are learnt inside vertebrae and wherever the heat exceeds this."""


@dataclass(frozen=True)
class LocalisationTargets:
    """Targets of one block, all float32 on its grid.

    Attributes
    ----------
    heat : Tensor, shape (z, y, x)
        Largest of the Gaussians around the body centres, 0-1.
    offset_mm : Tensor, shape (3, z, y, x)
        From each voxel to the centre of its own vertebra, or of the nearest one, z, y, x.
    offset_weight : Tensor, shape (z, y, x)
        1 where the offset is to be learnt.
    foreground : Tensor, shape (z, y, x)
        1 inside vertebrae.
    """

    heat: torch.Tensor
    offset_mm: torch.Tensor
    offset_weight: torch.Tensor
    foreground: torch.Tensor


def heat_sigma_mm(centers_mm: np.ndarray) -> np.ndarray:
    """Standard deviation of each centre's heat from its distance to the nearest other centre.

    Parameters
    ----------
    centers_mm : ndarray, shape (n, 3)

    Returns
    -------
    ndarray, shape (n,)
    """
    centers_mm = np.asarray(centers_mm, float).reshape(-1, 3)
    if len(centers_mm) < 2:
        return np.full(len(centers_mm), SIGMA_RANGE_MM[1])
    distance = np.linalg.norm(centers_mm[:, None] - centers_mm[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return np.clip(SIGMA_PER_SPACING * distance.min(1), *SIGMA_RANGE_MM)


def localisation_targets(
    instances: torch.Tensor,
    centers_zyx: np.ndarray,
    numbers: np.ndarray,
    sigma_mm: np.ndarray,
    spacing_mm: float,
    visible: torch.Tensor | None = None,
) -> LocalisationTargets:
    """Make the targets of a block.

    Parameters
    ----------
    instances : Tensor of uint8, shape (z, y, x)
        VerSe number of the vertebra a voxel belongs to, 0 elsewhere.
    centers_zyx : ndarray, shape (n, 3)
        Body centres in voxels of the block; they may lie outside it.
    numbers : ndarray of int, shape (n,)
        VerSe numbers of the centres.
    sigma_mm : ndarray, shape (n,)
    spacing_mm : float
    visible : Tensor of bool, shape (z, y, x), optional
        False outside the field of view, where nothing is to be found.
    """
    shape = instances.shape
    heat = torch.zeros(shape)
    owner = instances.clone()
    table = torch.zeros(256, 3)
    for center, number, sigma in zip(centers_zyx, numbers, sigma_mm, strict=True):
        table[int(number)] = torch.as_tensor(center, dtype=torch.float32)
        _add_gaussian(heat, owner, instances, center, int(number), sigma / spacing_mm)
    seen = torch.ones(shape, dtype=torch.bool) if visible is None else visible
    known = torch.zeros(256, dtype=torch.bool)
    known[torch.as_tensor(np.asarray(numbers, int))] = True
    inside = (instances > 0) & seen
    weight = (inside | ((heat > OFFSET_HEAT) & seen)) & known[owner.long()]
    heat *= seen
    offset = table[owner.long()].permute(3, 0, 1, 2)
    axes = [
        torch.arange(n, dtype=torch.float32).view([-1 if k == j else 1 for j in range(3)])
        for k, n in enumerate(shape)
    ]
    offset = torch.stack([offset[k] - axes[k] for k in range(3)]) * spacing_mm
    return LocalisationTargets(heat, offset * weight, weight.float(), inside.float())


def _add_gaussian(heat, owner, instances, center, number: int, sigma: float) -> None:
    reach = 4 * sigma
    box, profiles = [], []
    for c, n in zip(center, heat.shape, strict=True):
        low, high = max(0, int(np.ceil(c - reach))), min(n, int(np.floor(c + reach)) + 1)
        if low >= high:
            return
        box.append(slice(low, high))
        position = torch.arange(low, high, dtype=torch.float32)
        profiles.append(torch.exp(-((position - float(c)) ** 2) / (2 * sigma**2)))
    box = tuple(box)
    bump = profiles[0][:, None, None] * profiles[1][None, :, None] * profiles[2][None, None, :]
    stronger = bump > heat[box]
    heat[box] = torch.where(stronger, bump, heat[box])
    free = stronger & (instances[box] == 0)
    owner[box] = torch.where(free, torch.full_like(owner[box], number), owner[box])
