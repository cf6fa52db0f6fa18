"""The learned opinion on a body: the grade head applied to a crop along the body's own axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from ..devices import bfloat16_is_fast
from ..networks.normalisation import normalise_hu
from ..volume import AIR_HU, CtVolume
from .body_frame import BodyFrame
from .network import CROP_SHAPE_ZYX, CROP_SHIFT_Y_MM, GRADES, SHAPES


@dataclass(frozen=True)
class LearnedGrade:
    """Probabilities of grades 0-3 and of normal, wedge, biconcave and crush."""

    grade_probabilities: tuple[float, float, float, float]
    shape_probabilities: tuple[float, float, float, float]


def body_crop(
    ct: CtVolume,
    body: np.ndarray,
    vertebra: np.ndarray,
    origin_lps_mm: tuple[float, float, float],
    frame: BodyFrame,
) -> torch.Tensor:
    """Sample CT and masks along the axes of a body.

    Parameters
    ----------
    ct : CtVolume
        On a grid of identity direction.
    body, vertebra : ndarray, shape (z, y, x)
        Probabilities on an upright 1 mm grid.
    origin_lps_mm : tuple of float
        LPS position of their first voxel.
    frame : BodyFrame
        In mm from that voxel.

    Returns
    -------
    Tensor of float32, shape (3, 48, 48, 48)
        Input of `network.GradeNetwork`.
    """
    lines = [np.arange(n) - (n - 1) / 2 for n in CROP_SHAPE_ZYX]
    points = frame.grid(lines[0], lines[1] + CROP_SHIFT_Y_MM, lines[2])
    flat = points.reshape(3, -1)
    index = ct.lps_to_index(flat[::-1].T + np.asarray(origin_lps_mm)).T
    hu = ndimage.map_coordinates(ct.hu, index, order=1, mode="constant", cval=AIR_HU)
    masks = [
        ndimage.map_coordinates(m.astype(np.float32), flat, order=1, mode="constant", cval=0.0)
        for m in (body, vertebra)
    ]
    image = normalise_hu(torch.from_numpy(hu.astype(np.float32)))
    channels = [image, *(torch.from_numpy(m) for m in masks)]
    return torch.stack([c.reshape(CROP_SHAPE_ZYX) for c in channels])


def learned_grades(
    crops: Sequence[torch.Tensor],
    losses: np.ndarray,
    network: nn.Module,
    device: str = "cpu",
) -> tuple[LearnedGrade, ...]:
    """Grade bodies by the network.

    Parameters
    ----------
    crops : sequence of Tensor
        From `body_crop`.
    losses : ndarray, shape (n, 3)
        Height losses by morphometry: wedge, biconcave, crush.
    network : Module
        A `GradeNetwork` on `device`.
    device : str
    """
    if not len(crops):
        return ()
    network.eval()
    kind = torch.device(device).type
    numbers = torch.from_numpy(np.asarray(losses, np.float32)).to(device)
    with torch.no_grad(), torch.autocast(kind, torch.bfloat16, enabled=bfloat16_is_fast(kind)):
        logits = network(torch.stack(list(crops)).to(device), numbers).float().cpu()
    grades, shapes = (torch.softmax(logits[:, part], 1).tolist() for part in (GRADES, SHAPES))
    return tuple(LearnedGrade(tuple(g), tuple(s)) for g, s in zip(grades, shapes, strict=True))
