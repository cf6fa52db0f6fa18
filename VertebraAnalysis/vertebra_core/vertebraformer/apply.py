"""Apply VertebraFormer to a whole CT: vertebrae with levels, and candidates of lesions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from ..errors import Cancelled
from ..localisation.heat_peaks import peaks_from_heat
from ..localisation.localise import check_working_grid
from ..localisation.sliding_window import Predicate, Progress, blend_weights, window_starts
from ..networks.normalisation import AIR, normalise_hu_array
from ..volume import CtVolume
from .outputs import (
    COARSE,
    LESION_KINDS,
    LESIONS,
    N_LEVELS,
    NUMBERING,
    SEGMENTATION,
    WORKING_SPACING_MM,
)

LESION_THRESHOLD = 0.3
LEAST_BODY_ML = 1.0
"""Smaller pieces of body are no vertebra: the smallest cervical bodies hold 2 ml."""

MOST_BODIES = 40
"""More pieces are never vertebrae; the largest are kept."""

_BONE = float(normalise_hu_array(np.float32(120.0)))
_LEAST_BONE_VOXELS = 100
_SEPARATION_MM = 10.0
_OTHER_LEVEL_MM = 1000.0
_AT_ONCE = 50_000


@dataclass(frozen=True)
class LesionCandidate:
    """Where a lesion may lie.

    Attributes
    ----------
    kind : str
        ``"lytic"`` or ``"sclerotic"``.
    position_lps_mm : tuple of float
    confidence : float
        0-1.
    """

    kind: str
    position_lps_mm: tuple[float, float, float]
    confidence: float


@dataclass(frozen=True)
class FormerResult:
    """What VertebraFormer finds in a CT.

    Attributes
    ----------
    centres_lps_mm : ndarray, shape (n, 3)
        Body centres, head to foot.
    level_log_probabilities : ndarray, shape (n, 26)
        Of each, by `Level.order`.
    owner : ndarray of int16, shape (z, y, x)
        Index into the centres of the vertebra each voxel of the 2 mm grid belongs to, -1 for none.
    body : ndarray of bool, shape (z, y, x)
        Where bodies are.
    lesions : tuple of LesionCandidate
        Most confident first.
    """

    centres_lps_mm: np.ndarray
    level_log_probabilities: np.ndarray
    owner: np.ndarray
    body: np.ndarray
    lesions: tuple[LesionCandidate, ...]


def apply_vertebraformer(
    ct: CtVolume,
    network: nn.Module,
    on_progress: Progress | None = None,
    cancelled: Predicate | None = None,
    device: str = "cpu",
    overlap: int | None = None,
) -> FormerResult:
    """Run the network over a CT on the 2 mm grid and read vertebrae and lesions off its output.

    Bodies that hang together are one vertebra, which all its voxels name together. The remaining
    bone goes to the nearest vertebra of the level it says it is. The windows are as large as the
    blocks the network was trained on and share `overlap` voxels, a quarter of their shortest side
    by default.

    Raises
    ------
    ValueError
        If the grid is not the working grid.
    Cancelled
        When `cancelled` returns True.
    """
    check_working_grid(ct, WORKING_SPACING_MM)
    overlap = min(network.window) // 4 if overlap is None else overlap
    fine, coarse = _windows(
        normalise_hu_array(ct.hu), network, network.window, overlap, device, on_progress, cancelled
    )
    size = ct.hu.shape
    inside, body = (fine[k][tuple(slice(0, n) for n in size)].numpy() > 0 for k in (0, 1))
    body = body & inside
    levels = torch.log_softmax(coarse[:N_LEVELS], 0)
    centers, evidence, parts = _bodies(body, levels)
    owner = _owners(inside, parts, centers, evidence, levels)
    lps = ct.index_to_lps(centers) if len(centers) else np.zeros((0, 3))
    order = np.argsort(-lps[:, 2], kind="stable")
    rank = np.full(len(order) + 1, -1, np.int16)
    rank[order] = np.arange(len(order))
    return FormerResult(
        lps[order], evidence[order], rank[owner], body, _lesions(coarse[N_LEVELS:], ct)
    )


def _windows(image, network, window_zyx, overlap, device, on_progress, cancelled):
    """Blend the windows' outputs: masks on the fine grid; levels and lesions on the coarse one."""
    shape = [max(n + n % COARSE, w) for n, w in zip(image.shape, window_zyx, strict=True)]
    padded = np.full(shape, AIR, np.float32)
    padded[tuple(slice(0, n) for n in image.shape)] = image
    starts = [
        [s - s % COARSE for s in window_starts(n, w, overlap)]
        for n, w in zip(shape, window_zyx, strict=True)
    ]
    corners = [(z, y, x) for z in starts[0] for y in starts[1] for x in starts[2]]
    fine = torch.zeros(2, *shape)
    coarse = torch.zeros(N_LEVELS + len(LESION_KINDS), *(n // COARSE for n in shape))
    weights = blend_weights(window_zyx), blend_weights([n // COARSE for n in window_zyx])
    sums = torch.zeros(fine.shape[1:]), torch.zeros(coarse.shape[1:])
    network.eval()
    kind = torch.device(device).type
    for done, corner in enumerate(corners):
        if cancelled is not None and cancelled():
            raise Cancelled()
        box = tuple(slice(c, c + w) for c, w in zip(corner, window_zyx, strict=True))
        block = padded[box]
        if np.count_nonzero(block > _BONE) >= _LEAST_BONE_VOXELS:
            x = torch.from_numpy(block.copy())[None, None].to(device)
            with torch.inference_mode(), torch.autocast(kind, torch.bfloat16):
                output = {k: v.float().cpu()[0] for k, v in network(x).items()}
            small = tuple(slice(b.start // COARSE, b.stop // COARSE) for b in box)
            both = torch.cat([output[NUMBERING], output[LESIONS]])
            for total, added, weight, where, sum_ in (
                (fine, output[SEGMENTATION], weights[0], box, sums[0]),
                (coarse, both, weights[1], small, sums[1]),
            ):
                total[(slice(None), *where)] += added * weight
                sum_[where] += weight
        if on_progress is not None:
            on_progress((done + 1) / len(corners))
    for total, sum_ in ((fine, sums[0]), (coarse, sums[1])):
        total /= sum_.clamp_min(1e-6)
    fine[:, sums[0] == 0] = -10.0
    coarse[N_LEVELS:, sums[1] == 0] = -10.0
    return fine, coarse


def _bodies(body: np.ndarray, levels: torch.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres (index z, y, x) of connected bodies, their level evidence, and the parts' numbers."""
    parts, count = ndimage.label(body)
    numbers = np.arange(1, count + 1)
    volumes = np.bincount(parts.ravel(), minlength=count + 1)[1:] * WORKING_SPACING_MM**3 / 1000
    numbers = numbers[np.argsort(-volumes, kind="stable")]
    numbers = numbers[np.sort(-volumes) <= -LEAST_BODY_ML][:MOST_BODIES]
    if not len(numbers):
        return np.zeros((0, 3)), np.zeros((0, N_LEVELS)), np.zeros(body.shape, np.int32)
    centers = np.array(ndimage.center_of_mass(body, parts, numbers)).reshape(-1, 3)
    renumbered = np.zeros(count + 1, np.int32)
    renumbered[numbers] = np.arange(1, len(numbers) + 1)
    parts = renumbered[parts]
    evidence = np.zeros((len(numbers), N_LEVELS))
    for k in range(len(numbers)):
        where = np.unique(np.argwhere(parts == k + 1) // COARSE, axis=0)
        voxels = levels[:, where[:, 0], where[:, 1], where[:, 2]].exp().mean(1)
        evidence[k] = np.log(np.maximum(voxels.numpy(), 1e-6))
    return centers, evidence, parts


def _owners(inside, parts, centers, evidence, levels) -> np.ndarray:
    """Index of the vertebra each voxel belongs to; the last index, one too many, is none."""
    owner = np.full(inside.shape, len(centers))
    if not len(centers):
        return owner
    owner[parts > 0] = parts[parts > 0] - 1
    everything = np.argwhere(inside & (parts == 0))
    says = levels.argmax(0).numpy()
    own = evidence.argmax(1)
    for start in range(0, len(everything), _AT_ONCE):
        rest = everything[start : start + _AT_ONCE]
        said = says[tuple((rest // COARSE).T)]
        apart = np.linalg.norm(rest[:, None] - centers[None], axis=2) * WORKING_SPACING_MM
        cost = apart + _OTHER_LEVEL_MM * (said[:, None] != own[None])
        owner[tuple(rest.T)] = cost.argmin(1)
    return owner


def _lesions(logits: torch.Tensor, ct: CtVolume) -> tuple[LesionCandidate, ...]:
    spacing = WORKING_SPACING_MM * COARSE
    found = []
    for kind, heat in zip(LESION_KINDS, torch.sigmoid(logits).numpy(), strict=True):
        for peak in peaks_from_heat(heat, spacing, LESION_THRESHOLD, _SEPARATION_MM):
            index = (np.asarray(peak.position_zyx) + 0.5) * COARSE - 0.5
            position: Sequence[float] = ct.index_to_lps(index)
            place = tuple(float(v) for v in position)
            found.append(LesionCandidate(kind, place, float(peak.heat)))
    return tuple(sorted(found, key=lambda c: -c.confidence))
