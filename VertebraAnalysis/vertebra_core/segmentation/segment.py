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
from ..volume import AIR_HU, CtVolume
from .crops import (
    CROP_SHAPE_ZYX,
    WORKING_SPACING_MM,
    center_prior,
    crop_origin_index,
    extract_crop,
)

SMALL_PART = 0.03
"""Parts smaller than this share of the largest are dropped. Thick slices may part an arch from its
body, so the largest part alone would lose true bone."""


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
    crop_shape_zyx : tuple of int
        Size of the crop in voxels.
    """

    flip_average: bool = False
    recentre_mm: float = 6.0
    crop_shape_zyx: tuple[int, int, int] = CROP_SHAPE_ZYX


@dataclass(frozen=True)
class VertebraMask:
    """One segmented vertebra.

    Attributes
    ----------
    center_lps_mm : tuple of float
        Centre it was segmented around, LPS mm, x, y, z.
    origin_index_zyx : tuple of int
        Index of the crop's first voxel in the 1 mm working grid; may be negative.
    origin_lps_mm : tuple of float
        The same voxel's centre in LPS mm; the crop's axes are the patient's, 1 mm apart.
    vertebra, body : ndarray of float16, shape (z, y, x)
        Probability of the whole vertebra and of its body (never above the vertebra's).
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
    masks = []
    for done, centre in enumerate(centres_lps_mm):
        if cancelled is not None and cancelled():
            raise Cancelled()
        masks.append(_segment_one(ct, np.asarray(centre, float), network, options, device))
        if on_progress is not None:
            on_progress((done + 1) / len(centres_lps_mm))
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
    shape = options.crop_shape_zyx
    origin = crop_origin_index(index, shape)
    # Outside the volume lies what the resampling puts there: air.
    crop = normalise_hu_array(extract_crop(ct.hu, origin, shape, AIR_HU))
    prior = center_prior(shape, index - origin)
    inputs = torch.stack([torch.from_numpy(crop), prior])[None]
    probability = torch.sigmoid(run_network(network, inputs, device))
    if options.flip_average:
        mirrored = torch.sigmoid(run_network(network, inputs.flip(-1), device)).flip(-1)
        probability = (probability + mirrored) / 2
    vertebra, body = probability[0].numpy()
    seen = _inside(ct.hu.shape, origin, shape)
    vertebra = fill_cavities(keep_main_parts(vertebra * seen))
    body = keep_main_parts(np.minimum(body, vertebra), near=index - origin)
    body = fill_cavities(body, solid=True)
    vertebra = np.maximum(vertebra, body)
    return VertebraMask(
        tuple(float(v) for v in centre),
        tuple(int(v) for v in origin),
        tuple(float(v) for v in ct.index_to_lps(origin)),
        vertebra.astype(np.float16),
        body.astype(np.float16),
    )


def _inside(shape, origin, crop_shape) -> np.ndarray:
    """1 where a crop lies within the volume, 0 beyond, shape (z, y, x)."""
    axes = []
    for n, start, size in zip(shape, origin, crop_shape, strict=True):
        position = np.arange(size) + start
        axes.append(((position >= 0) & (position < n)).astype(np.float32))
    z, y, x = axes
    return z[:, None, None] * y[None, :, None] * x[None, None, :]


def keep_main_parts(probability: np.ndarray, near: np.ndarray | None = None) -> np.ndarray:
    """Zero the probability in and around stray parts.

    Parameters
    ----------
    probability : ndarray, shape (z, y, x)
    near : ndarray, shape (3,), optional
        Keep only the part closest to this voxel index among the large ones (a body is one piece).

    Returns
    -------
    ndarray, shape (z, y, x)
        `probability` where it belongs to the parts kept: the largest above one half, and those of
        at least `SMALL_PART` its size.
    """
    parts, count = ndimage.label(probability > 0.5)
    if count == 0:
        return probability
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    if near is None:
        kept = sizes >= SMALL_PART * sizes.max()
    else:
        kept = np.zeros(count + 1, bool)
        large = np.nonzero(sizes >= 0.3 * sizes.max())[0]
        centers = np.array(ndimage.center_of_mass(parts > 0, parts, large))
        kept[large[np.argmin(np.square(centers - near).sum(1))]] = True
    kept[0] = False
    if kept[1:].all():
        return probability
    # Below one half, voxels go with the nearest part, so that kept surfaces stay sub-voxel.
    nearest = ndimage.distance_transform_edt(
        parts == 0, return_distances=False, return_indices=True
    )
    return np.where(kept[parts[tuple(nearest)]], probability, 0).astype(probability.dtype)


def fill_cavities(probability: np.ndarray, solid: bool = False) -> np.ndarray:
    """Fill what bone encloses: sclerotic islands, cement and cysts are part of the vertebra.

    Parameters
    ----------
    probability : ndarray, shape (z, y, x)
    solid : bool
        The structure has no opening at all, as a vertebral body: holes of sagittal slices are
        filled as well, and what lies in holes of both axial and coronal ones. Axial ones alone do
        not count: there the rim of a biconcave body closes around the disc that has sunk into it.

    Returns
    -------
    ndarray, shape (z, y, x)
        `probability`, 1 in cavities.
    """
    inside = probability > 0.5
    filled = ndimage.binary_fill_holes(inside)
    if solid:
        box = ndimage.find_objects(inside.astype(np.uint8))
        part = filled[box[0]] if box else filled
        axial, coronal, sagittal = (_holes_of_planes(part, axis) for axis in range(3))
        part |= sagittal | (axial & coronal)
    cavities = filled & ~inside
    return (
        np.where(cavities, 1, probability).astype(probability.dtype)
        if cavities.any()
        else (probability)
    )


def _holes_of_planes(inside: np.ndarray, axis: int) -> np.ndarray:
    """Voxels in the holes of the slices across `axis`, each slice for itself."""
    holes = np.zeros_like(inside)
    planes = zip(np.moveaxis(holes, axis, 0), np.moveaxis(inside, axis, 0), strict=True)
    for hole, plane in planes:
        hole |= ndimage.binary_fill_holes(plane) & ~plane
    return holes
