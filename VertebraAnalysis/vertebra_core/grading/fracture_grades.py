"""Apply a fracture network to a CT: a grade, broken walls and a mask for every centre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..devices import bfloat16_is_fast
from ..networks.normalisation import AIR, normalise_hu_array
from ..segmentation.crops import extract_crop
from ..volume import CtVolume
from .fracture_networks import GRADE, MASK, WALL, WALLS


@dataclass(frozen=True)
class FractureOpinion:
    """What a fracture network says about one vertebra.

    Attributes
    ----------
    grade_probabilities : tuple of float
        Of Genant grades 0-3.
    wall_probabilities : dict of float
        Name of a wall (see `fracture_networks.WALLS`) -> probability that it broke; empty where
        the network does not tell.
    mask : ndarray of float16, shape (z, y, x), or None
        Probability of the vertebra on the crop's part of the CT's grid; None where the network does
        not segment.
    origin_index_zyx : tuple of int
        Index of the crop's first voxel in the CT; may be negative.
    """

    grade_probabilities: tuple[float, float, float, float]
    wall_probabilities: dict[str, float]
    mask: np.ndarray | None
    origin_index_zyx: tuple[int, int, int]

    @property
    def grade(self) -> int:
        """Most probable grade."""
        return int(np.argmax(self.grade_probabilities))


def fracture_opinions(
    ct: CtVolume,
    centres_lps_mm: Sequence[Sequence[float]],
    network: nn.Module,
    device: str = "cpu",
) -> tuple[FractureOpinion, ...]:
    """Ask a fracture network about the vertebra at each centre.

    Parameters
    ----------
    ct : CtVolume
        On the working grid of 1 mm (identity direction).
    centres_lps_mm : sequence of points
        Body centres, LPS mm, x, y, z.
    network : Module
        `FracNet`, `FracSegNet` or `FracResNet` on `device`. It says how large its crops are and of
        which spacing.
    device : str
    """
    network.eval()
    kind, bfloat16 = torch.device(device).type, bfloat16_is_fast(device)
    image = normalise_hu_array(ct.hu)
    span = [round(n * network.crop_spacing_mm) for n in network.crop_shape]
    opinions = []
    for center in centres_lps_mm:
        index = ct.lps_to_index(np.asarray(center, float))
        origin = np.floor(index - (np.asarray(span) - 1) / 2 + 0.5).astype(int)
        crop = torch.from_numpy(extract_crop(image, origin, span, AIR))[None, None]
        crop = _resized(crop, network.crop_shape)
        with torch.no_grad(), torch.autocast(kind, torch.bfloat16, enabled=bfloat16):
            output = network(crop.to(device))
        output = {k: v.float().cpu() for k, v in output.items()}
        if MASK in output:
            output[MASK] = _resized(output[MASK], span)
        opinions.append(_opinion(output, origin))
    return tuple(opinions)


def _resized(block: torch.Tensor, shape_zyx: Sequence[int]) -> torch.Tensor:
    """Bring [1, 1, z, y, x] to another number of voxels over the same space."""
    if tuple(block.shape[2:]) == tuple(shape_zyx):
        return block
    return functional.interpolate(block, tuple(shape_zyx), mode="trilinear", align_corners=False)


def _opinion(output: dict[str, torch.Tensor], origin: np.ndarray) -> FractureOpinion:
    walls = torch.sigmoid(output[WALL][0]).tolist() if WALL in output else []
    mask = None
    if MASK in output:
        mask = torch.sigmoid(output[MASK][0, 0]).to(torch.float16).numpy()
    return FractureOpinion(
        tuple(torch.softmax(output[GRADE][0], 0).tolist()),
        dict(zip(WALLS, walls, strict=True)) if walls else {},
        mask,
        tuple(int(i) for i in origin),
    )
