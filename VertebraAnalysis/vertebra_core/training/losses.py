"""Losses: heat maps, offsets, votes, and masks with soft targets.

Predictions are probabilities unless a name says logits; every loss returns a scalar.
"""

from __future__ import annotations

import torch
from torch.nn import functional


def adaptive_wing(
    predicted: torch.Tensor,
    target: torch.Tensor,
    omega: float = 10.0,
    theta: float = 0.5,
    epsilon: float = 3.0,
    alpha: float = 2.1,
) -> torch.Tensor:
    """Adaptive wing loss per element [1]_; the defaults are VertFault's.

    References
    ----------
    .. [1] Wang, Bo, Li, "Adaptive wing loss for robust face alignment via heatmap regression",
       ICCV 2019.
    """
    power = alpha - target
    ratio = theta / epsilon
    slope = omega / (1 + ratio**power) * power * ratio ** (power - 1) / epsilon
    shift = theta * slope - omega * torch.log1p(ratio**power)
    difference = (target - predicted).abs()
    # The gradient of x**p at 0 is infinite for p < 1 only; p is at least 1.1 here.
    near = omega * torch.log1p((difference / epsilon).clamp_min(1e-8) ** power)
    return torch.where(difference < theta, near, slope * difference - shift)


def heat_loss(
    predicted: torch.Tensor, target: torch.Tensor, extra: float = 10.0, floor: float = 500.0
) -> torch.Tensor:
    """Adaptive wing loss summed over the block, per voxel of heat.

    Dividing by the voxels that carry heat instead of all voxels keeps background from drowning
    the few that matter; `floor` bounds the weight of background in blocks without any vertebra.
    Voxels of at least 0.2 count 1 + `extra` times (the weighted loss map of the adaptive wing
    paper); without, an uncertain network finds it cheapest to show no heat at all.
    """
    carrying = (target > 0.05).sum().clamp_min(floor)
    weight = 1 + extra * (target >= 0.2)
    return (weight * adaptive_wing(predicted, target)).sum() / carrying


def masked_smooth_l1(
    predicted: torch.Tensor, target: torch.Tensor, mask: torch.Tensor, beta: float = 1.0
) -> torch.Tensor:
    """Smooth L1, summed over channels (axis 1), averaged over the voxels of `mask` [b, z, y, x]."""
    per_voxel = functional.smooth_l1_loss(predicted, target, beta=beta, reduction="none").sum(1)
    return (per_voxel * mask).sum() / (mask.sum() + 50.0)


def chamfer_votes(
    votes_mm: torch.Tensor, weights: torch.Tensor, centers_mm: torch.Tensor, cap_mm: float = 20.0
) -> torch.Tensor:
    """Chamfer distance between weighted votes and true centres, mm.

    VertFault thresholds the vote map to get candidate centres, which has no gradient; here the
    votes themselves are the candidates, weighted by the heat they start from. Distances are not
    squared: the squares' gradient was some eight times that of all other losses together, and
    drowned what tells one vertebra from the next.

    Parameters
    ----------
    votes_mm : Tensor, shape (n, 3)
    weights : Tensor, shape (n,)
    centers_mm : Tensor, shape (m, 3)
    cap_mm : float
        Larger distances count as this: a vote for a neighbour is wrong, however far it lies.
    """
    if not len(votes_mm) or not len(centers_mm):
        return votes_mm.sum() * 0.0
    # A smooth minimum at zero distance, where the gradient of the norm has none.
    offsets = votes_mm[:, None] - centers_mm[None]
    distance = (offsets.square().sum(-1) + 1e-2).sqrt().clamp_max(cap_mm)
    to_center = (distance.min(1).values * weights).sum() / weights.sum().clamp_min(1e-3)
    return to_center + distance.min(0).values.mean()


def soft_dice(
    probability: torch.Tensor,
    target: torch.Tensor,
    mask: torch.Tensor | None = None,
    smooth: float = 100.0,
) -> torch.Tensor:
    """One minus the soft Dice, averaged over batch and channels; inputs [b, c, z, y, x].

    `smooth` (voxels) makes an empty target a task too: any foreground then costs.
    """
    if mask is not None:
        probability, target = probability * mask, target * mask
    axes = (2, 3, 4)
    overlap = (probability * target).sum(axes)
    total = probability.square().sum(axes) + target.square().sum(axes)
    return (1 - (2 * overlap + smooth) / (total + smooth)).mean()


def binary_cross_entropy(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Weighted mean binary cross-entropy; soft targets are allowed."""
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if weight is None:
        return loss.mean()
    weight = weight.expand_as(loss)
    return (loss * weight).sum() / weight.sum().clamp_min(1.0)


def focal(
    logits: torch.Tensor,
    target: torch.Tensor,
    gamma: float = 2.0,
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """Focal loss for two classes (Lin et al., ICCV 2017); soft targets are allowed."""
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    loss = loss * (torch.sigmoid(logits) - target).abs() ** gamma
    if weight is None:
        return loss.mean()
    weight = weight.expand_as(loss)
    return (loss * weight).sum() / weight.sum().clamp_min(1.0)


def boundary_weight(
    target: torch.Tensor, extra: float = 4.0, reach_voxels: int = 2
) -> torch.Tensor:
    """Weights of 1, and 1 + `extra` within `reach_voxels` of the surface of a soft mask.

    The heights that grades rest on live or die on the surface, a few percent of all voxels.
    """
    # Bits spread along one axis after the other: fifty times as fast as pooling on a processor.
    inside = target > 0.5
    near = _spread(inside, reach_voxels) & _spread(~inside, reach_voxels)
    return 1 + extra * near.to(target.dtype)


def _spread(mask: torch.Tensor, reach_voxels: int) -> torch.Tensor:
    """Dilate masks [b, c, z, y, x] by a cube."""
    for axis in (2, 3, 4):
        size, wide = mask.shape[axis], mask.clone()
        for step in range(1, min(reach_voxels, size - 1) + 1):
            wide.narrow(axis, step, size - step).bitwise_or_(mask.narrow(axis, 0, size - step))
            wide.narrow(axis, 0, size - step).bitwise_or_(mask.narrow(axis, step, size - step))
        mask = wide
    return mask
