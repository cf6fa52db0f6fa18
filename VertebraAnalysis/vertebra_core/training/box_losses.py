"""What the sagittal detector is trained towards: which cells hold a body, and its box there."""

from __future__ import annotations

import torch

from ..localisation.sagittal_network import STRIDE, cell_centers

CENTER_RADIUS_CELLS = 1.1
"""Cells this near to the centre of a box answer for it: about four. Cervical bodies lie two cells
apart."""


def assign_cells(boxes: torch.Tensor, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Say which cells answer for which box.

    Parameters
    ----------
    boxes : Tensor, shape (n, 4)
        Low z, low y, high z, high y in pixels; rows of NaN are no boxes.
    height, width : int
        Cells along z and y.

    Returns
    -------
    owned : Tensor of bool, shape (height, width)
    target : Tensor, shape (4, height, width)
        The box of each owned cell, 0 elsewhere.
    """
    owned = torch.zeros(height, width, dtype=torch.bool)
    target = torch.zeros(4, height, width)
    boxes = boxes[torch.isfinite(boxes).all(1)]
    if not len(boxes):
        return owned, target
    cells = cell_centers(height, width)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    distance = (cells[None] - middle[:, :, None, None]).norm(dim=1)
    nearest, owner = distance.min(0)
    inside = (cells >= boxes[owner][..., :2].permute(2, 0, 1)).all(0)
    inside &= (cells <= boxes[owner][..., 2:].permute(2, 0, 1)).all(0)
    owned = inside & (nearest <= CENTER_RADIUS_CELLS * STRIDE)
    return owned, boxes[owner].permute(2, 0, 1) * owned


def generalised_iou(boxes: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Generalised intersection over union [1]_ of boxes (n, 4) with their true ones, shape (n,).

    References
    ----------
    .. [1] Rezatofighi et al., "Generalized intersection over union", CVPR 2019.
    """
    low, high = torch.maximum(boxes[:, :2], truth[:, :2]), torch.minimum(boxes[:, 2:], truth[:, 2:])
    shared = (high - low).clamp_min(0).prod(1)
    areas = [(b[:, 2:] - b[:, :2]).clamp_min(0).prod(1) for b in (boxes, truth)]
    union = (areas[0] + areas[1] - shared).clamp_min(1e-6)
    low, high = torch.minimum(boxes[:, :2], truth[:, :2]), torch.maximum(boxes[:, 2:], truth[:, 2:])
    around = (high - low).prod(1).clamp_min(1e-6)
    return shared / union - (around - union) / around
