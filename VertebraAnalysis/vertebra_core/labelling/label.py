"""Name the vertebrae of a CT: the network's view of each, then positional logic over all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from ..devices import bfloat16_is_fast
from ..levels import MOBILE_LEVELS
from ..networks.normalisation import normalise_hu
from ..segmentation.segment import VertebraMask
from ..volume import CtVolume, resample_to_working_grid
from .crops import (
    CROP_SHAPE_ZYX,
    CROP_SPACING_MM,
    VertebraSequence,
    crop_origin,
    cut_crop,
    stack_sequences,
)
from .level_statistics import LevelStatistics
from .network import NO_VERTEBRA, SACRUM, SEQUENCE_HEAD, LabellingNetwork
from .positional_logic import Anchor, LevelAssignment, PositionalOptions, assign_levels

IMAGE_OPTIONS = PositionalOptions(
    emission_weight=1.0,
    emission_floor=8.0,
    angle_weight=0.25,
    end_weight=0.0,
    spurious_cost=4.0,
    position_noise_mm=2.5,
)
"""The network knows spurious detections itself, and where a scan ends says nothing here. Its weight
was chosen on phantoms: see `training.calibrate_levels`. Distances and directions count for less
than with keypoints, where they are nearly all there is: they made positional logic leave out the
outermost vertebra of a row that the network had named rightly. Of 200 rows of phantoms held aside
76 % are named rightly throughout, 69 % with the weights for keypoints."""

IMAGE_TEMPERATURE = 3.5
"""Softens the stated probabilities: the network has seen the whole row, so its errors are shared by
neighbours. Near the least log loss on rows of phantoms held aside (`training.calibrate_levels`)
and on pieces of three real scans; these rows are short, hard and turned, on whole phantoms
probabilities are rather too low than too high (`evaluate phantoms`)."""

_SHORT_ROW_TEMPERATURES = {1: 1.0, 2: 2.0}
"""One vertebra shares its error with no other, two with one. Of 375 single vertebrae and 365 pairs
from phantoms held aside, 43 % and 70 % are named rightly; their probabilities lie within 9 and 5
percentage points of that (expected calibration error), with `IMAGE_TEMPERATURE` 26 and 24 below."""

_LOWEST_PROBABILITY = 1e-6
_REACH_MM = CROP_SPACING_MM * (np.array(CROP_SHAPE_ZYX[::-1]) / 2 + 3)


def label_vertebrae(
    ct: CtVolume,
    centres_lps_mm: Sequence[Sequence[float]] | np.ndarray,
    network: LabellingNetwork,
    statistics: LevelStatistics | None = None,
    options: PositionalOptions = IMAGE_OPTIONS,
    device: str = "cpu",
    masks: Sequence[VertebraMask | None] | None = None,
    anchors: Sequence[Anchor] = (),
    mirrored: bool = False,
) -> tuple[LevelAssignment, tuple[str, ...]]:
    """Name the vertebrae of a CT.

    Parameters
    ----------
    ct : CtVolume
        On a working grid (identity direction), 2 mm or finer.
    centres_lps_mm : sequence of points, shape (n, 3)
        Body centres in any order, LPS mm (x, y, z).
    network : LabellingNetwork
        On `device`.
    statistics : LevelStatistics, optional
        The bundled ones by default.
    options : PositionalOptions
    device : str
    masks : sequence of VertebraMask or None, optional
        Segmentation of each vertebra; the network does without where it is None.
    anchors : sequence of Anchor
        Evidence from elsewhere, such as the sacrum.
    mirrored : bool
        Ask the network twice; see `row_log_probabilities`.

    Returns
    -------
    assignment : LevelAssignment
        In the order of the centres.
    network_levels : tuple of str
        What the network alone would call each vertebra.

    Raises
    ------
    ValueError
        If there are not as many masks as centres.
    """
    centres = np.asarray(centres_lps_mm, float).reshape(-1, 3)
    if not len(centres):
        return assign_levels(centres, None, statistics, options), ()
    evidence = level_log_probabilities(ct, centres, network, device, masks, mirrored)
    levels, against = split_evidence(evidence)
    assignment = assign_levels(
        centres, levels, statistics, options, anchors, against, row_temperature(len(centres))
    )
    alone = tuple(MOBILE_LEVELS[i].name for i in levels[:, :SACRUM].argmax(1))
    return assignment, alone


def row_temperature(count: int) -> float:
    """Return what softens the probabilities of a row of so many vertebrae."""
    return _SHORT_ROW_TEMPERATURES.get(count, IMAGE_TEMPERATURE)


def split_evidence(log_probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split what the network says into what positional logic takes.

    Parameters
    ----------
    log_probabilities : ndarray, shape (n, 28)
        As `level_log_probabilities` returns them.

    Returns
    -------
    levels : ndarray, shape (n, 27)
        Of the levels and the sacrum.
    spurious_log_odds : ndarray, shape (n,)
    """
    spurious = log_probabilities[:, NO_VERTEBRA]
    against = spurious - np.log(-np.expm1(np.minimum(spurious, -_LOWEST_PROBABILITY)))
    return log_probabilities[:, :NO_VERTEBRA], against


def level_log_probabilities(
    ct: CtVolume,
    centres_lps_mm: np.ndarray,
    network: LabellingNetwork,
    device: str = "cpu",
    masks: Sequence[VertebraMask | None] | None = None,
    mirrored: bool = False,
) -> np.ndarray:
    """Ask the network for the levels of a row of vertebrae.

    Parameters
    ----------
    ct, centres_lps_mm, network, device, masks, mirrored
        As for `label_vertebrae`; at least one centre.

    Returns
    -------
    ndarray of float64, shape (n, 28)
        Natural logarithms; column is `Level.order`, 26 for the sacrum, 27 for no vertebra.

    Raises
    ------
    ValueError
        If there is not one mask (or None) for each centre.
    """
    masks = [None] * len(centres_lps_mm) if masks is None else list(masks)
    if len(masks) != len(centres_lps_mm):
        raise ValueError(f"{len(masks)} masks for {len(centres_lps_mm)} centres")
    order = np.argsort(-centres_lps_mm[:, 2], kind="stable")
    ordered = centres_lps_mm[order]
    box = ordered.min(0) - _REACH_MM, ordered.max(0) + _REACH_MM
    coarse = resample_to_working_grid(ct, CROP_SPACING_MM, box)
    image = normalise_hu(torch.from_numpy(coarse.hu))
    crops = []
    for center, i in zip(coarse.lps_to_index(ordered), order, strict=True):
        origin = crop_origin(center)
        ct_crop = cut_crop(image, origin)
        mask = masks[i]
        mask_crop = (
            torch.zeros_like(ct_crop)
            if mask is None
            else _mask_crop(mask, coarse.index_to_lps(origin))
        )
        crops.append(torch.stack([ct_crop, mask_crop]))
    positions = torch.from_numpy(ordered[:, ::-1].astype(np.float32))
    row = stack_sequences([(torch.stack(crops), positions)])
    log_probability = row_log_probabilities(network, row, device, mirrored).numpy().astype(float)
    result = np.empty_like(log_probability)
    result[order] = np.maximum(log_probability, np.log(_LOWEST_PROBABILITY))
    return result


def row_log_probabilities(
    network: LabellingNetwork, row: VertebraSequence, device: str = "cpu", mirrored: bool = False
) -> torch.Tensor:
    """Ask the network for the levels of one row of crops.

    Parameters
    ----------
    network : LabellingNetwork
        On `device`.
    row : VertebraSequence
        Batch of one.
    device : str
    mirrored : bool
        Ask once more with left and right exchanged, which changes no level, and take the geometric
        mean: what the network makes of chance differs.

    Returns
    -------
    Tensor of float32, shape (n, 28)
        Natural logarithms; on the processor.
    """
    views = (row, _mirror_image(row)) if mirrored else (row,)
    kind = torch.device(device).type
    network.eval()
    total = torch.zeros(())
    with torch.no_grad(), torch.autocast(kind, torch.bfloat16, enabled=bfloat16_is_fast(device)):
        for view in views:
            logits = network(*(tensor.to(device) for tensor in view))[0, :, SEQUENCE_HEAD].float()
            total = total + torch.log_softmax(logits.cpu() / float(network.temperature), 1)
    return torch.log_softmax(total / len(views), 1)


def _mirror_image(row: VertebraSequence) -> VertebraSequence:
    to_the_left = torch.tensor([1.0, 1.0, -1.0])
    return VertebraSequence(row.crops.flip(-1), row.positions_mm * to_the_left, row.valid)


def _mask_crop(mask: VertebraMask, first_lps_mm: np.ndarray) -> torch.Tensor:
    """Probability of the vertebra on the grid of a crop whose first voxel lies at a point."""
    probability = torch.from_numpy(np.ascontiguousarray(mask.vertebra)).float()
    size = int(CROP_SPACING_MM)
    smooth = functional.avg_pool3d(probability[None, None], size, 1, size // 2)
    start = (np.asarray(first_lps_mm) - np.asarray(mask.origin_lps_mm))[::-1]
    axes = [
        (float(s) + CROP_SPACING_MM * torch.arange(n)) * (2.0 / (m - 1)) - 1.0
        for s, n, m in zip(start, CROP_SHAPE_ZYX, probability.shape, strict=True)
    ]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    grid = torch.stack([x, y, z], -1).float()
    return functional.grid_sample(smooth, grid[None], align_corners=True)[0, 0]
