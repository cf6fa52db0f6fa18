"""Segment single vertebrae and their bodies around given centres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from ..errors import Cancelled
from ..localisation.localise import check_working_grid
from ..localisation.sliding_window import Predicate, Progress, run_network
from ..networks.normalisation import normalise_hu_array
from ..parallel import for_each
from ..volume import AIR_HU, CtVolume
from .cleaning import LEAST_PROBABILITY, fill_cavities, fill_gaps, keep_main_parts, occupied_box
from .crops import (
    CROP_SHAPE_ZYX,
    WORKING_SPACING_MM,
    center_prior,
    crop_origin_index,
    extract_crop,
)

CLEAR_VOXELS = 3
"""A vertebra that comes closer to a side of its crop may go on beyond it."""


@dataclass(frozen=True)
class SegmentationOptions:
    """How vertebrae are segmented.

    Attributes
    ----------
    flip_average : bool
        Average with the result for the mirrored crop; doubles the time.
    recentre_mm : float
        Segment again around the body that was found, if it lies further than this from the centre
        given; 0 never does.
    crop_shapes_zyx : tuple of tuple of int
        Sizes of the crop in voxels, smallest first. A larger one is taken where the vertebra comes
        close to the sides of the one before.
    bfloat16 : bool
        Compute in bfloat16, where the device can, instead of float32.
    workers : int
        Vertebrae segmented at once.
    """

    flip_average: bool = False
    recentre_mm: float = 6.0
    crop_shapes_zyx: tuple[tuple[int, int, int], ...] = (CROP_SHAPE_ZYX,)
    bfloat16: bool = True
    workers: int = 1


@dataclass(frozen=True)
class VertebraMask:
    """One segmented vertebra.

    Attributes
    ----------
    center_lps_mm : tuple of float
        Centre it was segmented around, LPS mm, x, y, z.
    origin_index_zyx : tuple of int
        Index of the arrays' first voxel in the 1 mm working grid; may be negative.
    origin_lps_mm : tuple of float
        The same voxel's centre in LPS mm; the axes are the patient's, 1 mm apart.
    vertebra, body : ndarray of float16, shape (z, y, x)
        Probability of the whole vertebra and of its body (never above the vertebra's), in the box
        that the vertebra fills; 0 beyond.
    """

    center_lps_mm: tuple[float, float, float]
    origin_index_zyx: tuple[int, int, int]
    origin_lps_mm: tuple[float, float, float]
    vertebra: np.ndarray
    body: np.ndarray

    def body_center_lps_mm(self) -> tuple[float, float, float] | None:
        """Centre of gravity of the body's probability above one half; None if there is none."""
        inside = self.body > 0.5
        if not inside.any():
            return None
        z, y, x = ndimage.center_of_mass(inside)
        origin = np.asarray(self.origin_lps_mm)
        center = origin + np.array([x, y, z]) * WORKING_SPACING_MM
        return tuple(float(v) for v in center)


def segment(
    ct: CtVolume,
    centres_lps_mm: Sequence[Sequence[float]],
    network: nn.Module,
    options: SegmentationOptions | None = None,
    on_progress: Progress | None = None,
    cancelled: Predicate | None = None,
    device: str = "cpu",
) -> tuple[VertebraMask, ...]:
    """Segment the vertebra around each centre.

    The network segments whatever it is centred on as well as it can; see `plausibility` for what
    is no vertebra.

    Parameters
    ----------
    ct : CtVolume
        On the working grid of 1 mm; it need only cover the vertebrae and what surrounds them.
    centres_lps_mm : sequence of points
        LPS mm, x, y, z.
    network : Module
        Segmentation network: input [b, 2, z, y, x], logits of vertebra and body.
    options : SegmentationOptions, optional
    on_progress : callable, optional
        Called with the fraction done.
    cancelled : callable, optional
        Asked before every vertebra; True ends with `Cancelled`.
    device : str

    Returns
    -------
    tuple of VertebraMask
        One per centre, in their order; probabilities may be zero throughout.

    Raises
    ------
    ValueError
        If the grid is not the working grid.
    Cancelled
    """
    options = options or SegmentationOptions()
    check_working_grid(ct, WORKING_SPACING_MM)
    network.eval()

    def one(centre: Sequence[float]) -> VertebraMask:
        if cancelled is not None and cancelled():
            raise Cancelled()
        return _segment_one(ct, np.asarray(centre, float), network, options, device)

    masks = []
    for mask in for_each(one, list(centres_lps_mm), options.workers):
        masks.append(mask)
        if on_progress is not None:
            on_progress(len(masks) / len(centres_lps_mm))
    return tuple(masks)


def _segment_one(
    ct: CtVolume,
    centre: np.ndarray,
    network: nn.Module,
    options: SegmentationOptions,
    device: str,
) -> VertebraMask:
    mask = _apply(ct, centre, network, options, device)
    if options.recentre_mm > 0:
        found = mask.body_center_lps_mm()
        if found is not None and np.linalg.norm(found - centre) > options.recentre_mm:
            again = _apply(ct, np.asarray(found), network, options, device)
            # The second look may have moved on to a neighbour; keep it if it agrees.
            if again.body_center_lps_mm() is not None and _agree(mask, again):
                mask = replace(again, center_lps_mm=mask.center_lps_mm)
    return mask


def _agree(first: VertebraMask, second: VertebraMask) -> bool:
    a, b = (np.asarray(m.body_center_lps_mm()) for m in (first, second))
    return bool(np.linalg.norm(a - b) < 8.0)


def _apply(
    ct: CtVolume,
    centre: np.ndarray,
    network: nn.Module,
    options: SegmentationOptions,
    device: str,
) -> VertebraMask:
    index = ct.lps_to_index(centre)
    for shape in options.crop_shapes_zyx:
        probability, origin = _probability(ct, index, shape, network, options, device)
        mask = _cleaned(probability, origin, ct, centre)
        if not _reaches_side(mask, origin, shape, ct.hu.shape):
            break
    return mask


def _cleaned(
    probability: np.ndarray, origin: np.ndarray, ct: CtVolume, centre: np.ndarray
) -> VertebraMask:
    """Make one whole vertebra of what the network gives in a crop."""
    vertebra, body = probability
    # What follows costs by the voxel, and a vertebra fills a tenth of its crop.
    box = occupied_box(vertebra, LEAST_PROBABILITY)
    origin = origin + [s.start for s in box]
    vertebra = fill_cavities(keep_main_parts(vertebra[box]))
    body = keep_main_parts(np.minimum(body[box], vertebra), near=ct.lps_to_index(centre) - origin)
    body = fill_gaps(fill_cavities(body, solid=True))
    vertebra = np.maximum(vertebra, body)
    box = occupied_box(vertebra, 0.5)
    origin = origin + [s.start for s in box]
    return VertebraMask(
        tuple(float(v) for v in centre),
        tuple(int(v) for v in origin),
        tuple(float(v) for v in ct.index_to_lps(origin)),
        _half(vertebra[box]),
        _half(body[box]),
    )


def _half(probability: np.ndarray) -> np.ndarray:
    # NumPy rounds to float16 without the processor's help, thirty times slower.
    return torch.from_numpy(np.ascontiguousarray(probability)).half().numpy()


def _probability(
    ct: CtVolume,
    index: np.ndarray,
    shape: tuple[int, int, int],
    network: nn.Module,
    options: SegmentationOptions,
    device: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Probability of vertebra and body, shape (2, z, y, x), in a crop, and the crop's origin."""
    origin = crop_origin_index(index, shape)
    # Outside the volume lies what the resampling puts there: air.
    crop = normalise_hu_array(extract_crop(ct.hu, origin, shape, AIR_HU))
    prior = center_prior(shape, index - origin)
    inputs = torch.stack([torch.from_numpy(crop), prior])[None]
    probability = torch.sigmoid(run_network(network, inputs, device, options.bfloat16))[0]
    if options.flip_average:
        mirrored = torch.sigmoid(run_network(network, inputs.flip(-1), device, options.bfloat16))[0]
        probability = (probability + mirrored.flip(-1)) / 2
    return probability.numpy() * _inside(ct.hu.shape, origin, shape), origin


def _inside(shape, origin, crop_shape) -> np.ndarray:
    """1 where a crop lies within the volume, 0 beyond, shape (z, y, x)."""
    axes = []
    for n, start, size in zip(shape, origin, crop_shape, strict=True):
        position = np.arange(size) + start
        axes.append(((position >= 0) & (position < n)).astype(np.float32))
    z, y, x = axes
    return z[:, None, None] * y[None, :, None] * x[None, None, :]


def _reaches_side(
    mask: VertebraMask, origin: np.ndarray, shape: Sequence[int], volume_shape: Sequence[int]
) -> bool:
    """Tell whether a vertebra comes close to a side of its crop that lies within the volume."""
    voxels = np.argwhere(mask.vertebra > 0.5) + mask.origin_index_zyx
    if not len(voxels):
        return False
    low = voxels.min(0) - origin < CLEAR_VOXELS
    high = origin + shape - voxels.max(0) <= CLEAR_VOXELS
    return bool((low & (origin > 0) | high & (origin + shape < volume_shape)).any())
