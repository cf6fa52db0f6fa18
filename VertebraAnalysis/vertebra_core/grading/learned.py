"""The learned opinion on a body: the grade head applied to a crop along the body's own axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..devices import bfloat16_is_fast
from ..networks.normalisation import normalise_hu
from ..volume import AIR_HU, CtVolume
from .body_frame import BodyFrame
from .genant import GRADE_THRESHOLDS
from .network import CROP_SHAPE_ZYX, CROP_SHIFT_Y_MM, GRADES, SHAPES, stated_height_loss

LOSS_WEIGHT = 0.7
"""Share of the stated height loss in the log-probabilities of grades 1-3."""

LOSS_SD_FACTOR = 1.8
"""The head is surer of a height loss than it may be: on 227 fractured bodies of phantoms that no
training has seen its errors have a standard deviation of 0.034, and it states 0.019."""

_LEAST_SHARE = 1e-3


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
    """Make the network's input of a body; parameters are those of `body_samples`.

    Returns
    -------
    Tensor of float32, shape (3, 48, 48, 48)
        Input of `network.GradeNetwork`.
    """
    hu, masks = body_samples(ct, body, vertebra, origin_lps_mm, frame)
    return torch.cat([normalise_hu(hu)[None], masks])


def body_samples(
    ct: CtVolume,
    body: np.ndarray,
    vertebra: np.ndarray,
    origin_lps_mm: tuple[float, float, float],
    frame: BodyFrame,
) -> tuple[torch.Tensor, torch.Tensor]:
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
    hu : Tensor of float32, shape (48, 48, 48)
    masks : Tensor of float32, shape (2, 48, 48, 48)
        Probability of the body and of the vertebra.
    """
    lines = [np.arange(n) - (n - 1) / 2 for n in CROP_SHAPE_ZYX]
    points = frame.grid(lines[0], lines[1] + CROP_SHIFT_Y_MM, lines[2])
    first = ct.lps_to_index(np.asarray(origin_lps_mm, float))
    per_voxel = np.asarray(ct.spacing_xyz_mm[::-1])
    index = [p / s + f for p, s, f in zip(points, per_voxel, first, strict=True)]
    low = [int(np.clip(i.min(), 0, n - 1)) for i, n in zip(index, ct.hu.shape, strict=True)]
    high = [int(np.clip(i.max() + 2, 1, n)) for i, n in zip(index, ct.hu.shape, strict=True)]
    near = ct.hu[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].astype(np.float32)
    index = [i - a for i, a in zip(index, low, strict=True)]
    hu = AIR_HU + _interpolated(near[None] - AIR_HU, index)[0]
    return hu, _interpolated(np.stack([body, vertebra]).astype(np.float32), points)


def _interpolated(channels: np.ndarray, index_zyx: Sequence[np.ndarray]) -> torch.Tensor:
    """Interpolate (c, z, y, x) linearly at three arrays of indices, 0 outside; (c, ...)."""
    # Half a voxel beyond the faces is -1 and 1 (align_corners=False).
    sizes = channels.shape[1:]
    places = [(2 * i + 1) / n - 1 for i, n in zip(index_zyx, sizes, strict=True)]
    grid = torch.from_numpy(np.stack(places[::-1], -1).astype(np.float32))[None]
    return functional.grid_sample(torch.from_numpy(channels)[None], grid, align_corners=False)[0]


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
    with torch.no_grad(), torch.autocast(kind, torch.bfloat16, enabled=bfloat16_is_fast(device)):
        output = network(torch.stack(list(crops)).to(device), numbers).float().cpu()
    grades = grade_probabilities(output).tolist()
    shapes = torch.softmax(output[:, SHAPES], 1).tolist()
    return tuple(LearnedGrade(tuple(g), tuple(s)) for g, s in zip(grades, shapes, strict=True))


def grade_probabilities(output: torch.Tensor) -> torch.Tensor:
    """Probabilities of grades 0-3: whether fractured by the grades alone, how much by the loss too.

    Parameters
    ----------
    output : Tensor, shape (b, 10)
        Of `network.GradeNetwork`.

    Returns
    -------
    Tensor, shape (b, 4)
    """
    logits = output[:, GRADES]
    grades = torch.softmax(logits, 1)
    among = (1 - LOSS_WEIGHT) * torch.log_softmax(logits[:, 1:], 1)
    mean, sd = stated_height_loss(output)
    among = among + LOSS_WEIGHT * log_shares_by_loss(mean, LOSS_SD_FACTOR * sd)
    fractured = torch.softmax(among, 1) * (1 - grades[:, :1])
    return torch.cat([grades[:, :1], fractured], 1)


def log_shares_by_loss(mean: torch.Tensor, sd: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of grades 1-3 of fractured bodies by their height losses.

    Parameters
    ----------
    mean, sd : Tensor, shape (b,)
        The losses and their standard deviations, as fractions.

    Returns
    -------
    Tensor, shape (b, 3)
    """
    below = [torch.special.ndtr((t - mean) / sd) for t in GRADE_THRESHOLDS[1:]]
    edges = torch.stack([torch.zeros_like(mean), *below, torch.ones_like(mean)], 1)
    return torch.log(edges.diff(dim=1).clamp(min=_LEAST_SHARE))
