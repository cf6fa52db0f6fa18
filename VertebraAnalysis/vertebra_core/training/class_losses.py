"""Losses for grades and masks of unlike frequency: VertFault's, and those it proposes next.

Logits are [n, k] or [b, 1, z, y, x]; every loss returns a scalar.
"""

from __future__ import annotations

import torch
from torch.nn import functional

CLASS_LOSSES = ("focal", "cross_entropy", "weighted_cross_entropy", "unified_focal")
"""Losses that grades may be trained with."""

DELTA, GAMMA, BALANCE = 0.6, 0.5, 0.5
"""Of the unified focal loss: weight of false negatives, focus, and share of its first part."""

_SMOOTH = 1e-6


def inverse_frequency_weights(counts: torch.Tensor) -> torch.Tensor:
    """Return weights proportional to 1 / count that sum to one; classes without samples get 0."""
    counts = counts.float()
    weights = torch.where(counts > 0, 1 / counts.clamp_min(_SMOOTH), torch.zeros_like(counts))
    return weights / weights.sum().clamp_min(_SMOOTH)


def class_loss(
    name: str, logits: torch.Tensor, classes: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Apply the loss called `name` to logits and classes.

    Parameters
    ----------
    name : str
        One of `CLASS_LOSSES`.
    logits : Tensor, shape (n, k)
    classes : Tensor of int64, shape (n,)
    weights : Tensor, shape (k,)
        See `inverse_frequency_weights`; unweighted cross-entropy does not look at them. They are
        scaled to a mean of one, so that all losses are of one order.

    Raises
    ------
    ValueError
        If there is no such loss.
    """
    weights = weights.to(logits.device) * len(weights)
    if name == "cross_entropy":
        return functional.cross_entropy(logits, classes)
    if name == "weighted_cross_entropy":
        return functional.cross_entropy(logits, classes, weights)
    if name == "focal":
        return weighted_focal(logits, classes, weights)
    if name == "unified_focal":
        hot = functional.one_hot(classes, logits.shape[1]).float()
        return unified_focal(torch.softmax(logits, 1), hot)
    raise ValueError(f"there is no loss {name!r}; there are {', '.join(CLASS_LOSSES)}")


def weighted_focal(
    logits: torch.Tensor, classes: torch.Tensor, weights: torch.Tensor, gamma: float = 2.0
) -> torch.Tensor:
    """Focal loss with class weights [1]_, as VertFault trains its networks.

    References
    ----------
    .. [1] Lin et al., "Focal loss for dense object detection", ICCV 2017.
    """
    own = functional.log_softmax(logits, 1).gather(1, classes[:, None])[:, 0]
    return (-weights[classes] * (1 - own.exp()) ** gamma * own).mean()


def unified_focal(
    probabilities: torch.Tensor,
    truth: torch.Tensor,
    delta: float = DELTA,
    gamma: float = GAMMA,
    balance: float = BALANCE,
) -> torch.Tensor:
    """Unified focal loss [1]_ of probabilities and one-hot truth, both [n, k].

    The first part is a focal cross-entropy, the second a focal Tversky loss per class over all
    samples; classes without a sample are left out of the second.

    References
    ----------
    .. [1] Yeung et al., "Unified focal loss: generalising Dice and cross entropy-based losses to
       handle class imbalanced medical image segmentation", Comput Med Imaging Graph 95 (2022).
    """
    own = (probabilities * truth).sum(1).clamp(_SMOOTH, 1)
    # The power of a number that reaches 0 has no finite gradient there.
    focal = (delta * (1 - own + _SMOOTH) ** (1 - gamma) * -own.log()).mean()
    hit = (probabilities * truth).sum(0)
    missed = ((1 - probabilities) * truth).sum(0)
    false = (probabilities * (1 - truth)).sum(0)
    tversky = (hit + _SMOOTH) / (hit + delta * missed + (1 - delta) * false + _SMOOTH)
    there = truth.sum(0) > 0
    loss = (1 - tversky + _SMOOTH) ** gamma * there
    return balance * focal + (1 - balance) * loss.sum() / there.sum().clamp_min(1)


def unified_focal_mask(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Unified focal loss of a mask's logits against soft truth, over foreground and background."""
    p, t = torch.sigmoid(logits).reshape(-1), truth.reshape(-1)
    return unified_focal(torch.stack([1 - p, p], 1), torch.stack([1 - t, t], 1))


def two_class_dice(logits: torch.Tensor, truth: torch.Tensor, smooth: float = 1.0) -> torch.Tensor:
    """VertFault's Dice loss: foreground and background alike, each with its own overlap."""
    p = torch.sigmoid(logits)
    front = ((p * truth).sum() + smooth) / ((p + truth).sum() + smooth)
    back = (((1 - p) * (1 - truth)).sum() + smooth) / ((2 - p - truth).sum() + smooth)
    return 1 - front - back


def known_binary_cross_entropy(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy where the truth is known; NaN marks what is not."""
    known = torch.isfinite(truth)
    if not bool(known.any()):
        return logits.sum() * 0
    return functional.binary_cross_entropy_with_logits(logits[known], truth[known])
