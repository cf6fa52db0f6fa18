"""What VertebraFormer is trained towards on its coarse grid: levels, centres and lesions."""

from __future__ import annotations

import torch
from torch.nn import functional

from ..levels import MOBILE_LEVELS
from ..phantom.codes import CODE_MASK
from ..vertebraformer.outputs import COARSE, LESION_KINDS, WORKING_SPACING_MM

UNKNOWN = -100
"""Level of voxels outside vertebrae."""

LESION_SIGMA_MM = 6.0


def coarse_levels(codes: torch.Tensor) -> torch.Tensor:
    """Level (`Level.order`) per voxel of the coarse grid, -100 outside vertebrae, int64."""
    table = torch.full((256,), UNKNOWN, dtype=torch.int64)
    for level in MOBILE_LEVELS:
        table[level.number] = level.order
    numbers = (codes & CODE_MASK).long()
    # A coarse voxel spans two fine ones: the larger number stands for it where only one is bone.
    small = functional.max_pool3d(numbers[None, None].float(), COARSE)[0, 0].long()
    return table[small]


def center_offsets(
    levels: torch.Tensor, centers: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Offsets from the voxels of vertebrae to the centres of their bodies.

    Parameters
    ----------
    levels : Tensor of int64, shape (z, y, x)
        From `coarse_levels`.
    centers : Tensor, shape (26, 3)
        Body centres by `Level.order`, z, y, x in voxels of the input; rows of NaN are none.

    Returns
    -------
    offset_mm : Tensor, shape (3, z, y, x)
        0 where there is none.
    known : Tensor of bool, shape (z, y, x)
    """
    known = (levels != UNKNOWN) & torch.isfinite(centers).all(1)[levels.clamp(min=0)]
    to_center = centers.nan_to_num()[levels.clamp(min=0)].permute(3, 0, 1, 2)
    own = torch.meshgrid(*(coarse_places(n) for n in levels.shape), indexing="ij")
    return (to_center - torch.stack(own)) * WORKING_SPACING_MM * known, known


def coarse_places(n: int) -> torch.Tensor:
    """Return where the middles of `n` coarse voxels lie, in voxels of the input, shape (n,)."""
    return (torch.arange(n).float() + 0.5) * COARSE - 0.5


def lesion_heat(lesions: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
    """Gaussians around lesions on the coarse grid, shape (kinds, z, y, x).

    Parameters
    ----------
    lesions : Tensor, shape (n, 4)
        z, y, x in voxels of the input and the index of the kind; rows of NaN are none.
    visible : Tensor of bool, shape (z, y, x)
        False outside the field of view, where there is nothing to find.
    """
    coarse = tuple(n // COARSE for n in visible.shape)
    heat = torch.zeros(len(LESION_KINDS), *coarse)
    sigma = LESION_SIGMA_MM / WORKING_SPACING_MM
    axes = [coarse_places(n) for n in coarse]
    for z, y, x, kind in lesions[torch.isfinite(lesions).all(1)].tolist():
        profiles = [
            torch.exp(-((axis - c) ** 2) / (2 * sigma**2))
            for axis, c in zip(axes, (z, y, x), strict=True)
        ]
        bump = profiles[0][:, None, None] * profiles[1][None, :, None] * profiles[2][None, None]
        heat[int(kind)] = torch.maximum(heat[int(kind)], bump)
    return heat * functional.max_pool3d(visible[None, None].float(), COARSE)[0]
