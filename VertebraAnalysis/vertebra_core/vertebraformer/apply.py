"""Apply VertebraFormer to a whole CT: vertebrae with levels, and candidates of lesions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..devices import bfloat16_is_fast
from ..errors import Cancelled
from ..localisation.heat_peaks import peaks_from_heat
from ..localisation.localise import check_working_grid
from ..localisation.sliding_window import Predicate, Progress, blend_weights, window_starts
from ..networks.normalisation import AIR, BONE, normalise_hu_array
from ..volume import CtVolume
from .instances import part_into_vertebrae
from .outputs import (
    COARSE,
    LESION_KINDS,
    LESIONS,
    N_LEVELS,
    NUMBERING,
    OFFSETS,
    SEGMENTATION,
    WORKING_SPACING_MM,
)

LESION_THRESHOLD = 0.3
_LEAST_BONE_VOXELS = 100
_SEPARATION_MM = 10.0


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

    Which vertebra a voxel belongs to is told by votes, see `instances`. The windows are as large as
    the blocks the network was trained on and share `overlap` voxels, a quarter of their shortest
    side by default.

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
    levels, offsets, lesions = coarse.split([N_LEVELS, 3, len(LESION_KINDS)])
    parts = part_into_vertebrae(fine, levels, offsets)
    size = tuple(slice(0, n) for n in ct.hu.shape)
    centers = parts.centers
    lps = ct.index_to_lps(centers) if len(centers) else np.zeros((0, 3))
    order = np.argsort(-lps[:, 2], kind="stable")
    rank = np.full(len(order) + 1, -1, np.int16)
    rank[order] = np.arange(len(order))
    body = (fine[1] > 0).numpy() & (parts.owner >= 0)
    return FormerResult(
        lps[order],
        parts.evidence[order],
        rank[parts.owner][size],
        body[size],
        _lesions(lesions, ct),
    )


def _windows(image, network, window_zyx, overlap, device, on_progress, cancelled):
    """Blend the windows' outputs: masks on the fine grid, all others on the coarse one."""
    shape = [max(n + n % COARSE, w) for n, w in zip(image.shape, window_zyx, strict=True)]
    padded = np.full(shape, AIR, np.float32)
    padded[tuple(slice(0, n) for n in image.shape)] = image
    starts = [
        [s - s % COARSE for s in window_starts(n, w, overlap)]
        for n, w in zip(shape, window_zyx, strict=True)
    ]
    corners = [(z, y, x) for z in starts[0] for y in starts[1] for x in starts[2]]
    fine = torch.zeros(2, *shape)
    channels = N_LEVELS + 3 + len(LESION_KINDS)
    coarse = torch.zeros(channels, *(n // COARSE for n in shape))
    weights = blend_weights(window_zyx), blend_weights([n // COARSE for n in window_zyx])
    sums = torch.zeros(fine.shape[1:]), torch.zeros(coarse.shape[1:])
    network.eval()
    kind, bfloat16 = torch.device(device).type, bfloat16_is_fast(device)
    for done, corner in enumerate(corners):
        if cancelled is not None and cancelled():
            raise Cancelled()
        box = tuple(slice(c, c + w) for c, w in zip(corner, window_zyx, strict=True))
        block = padded[box]
        if np.count_nonzero(block > BONE) >= _LEAST_BONE_VOXELS:
            x = torch.from_numpy(block.copy())[None, None].to(device)
            with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=bfloat16):
                output = {k: v.float().cpu()[0] for k, v in network(x).items()}
            small = tuple(slice(b.start // COARSE, b.stop // COARSE) for b in box)
            all_coarse = torch.cat([output[k] for k in (NUMBERING, OFFSETS, LESIONS)])
            for total, added, weight, where, sum_ in (
                (fine, output[SEGMENTATION], weights[0], box, sums[0]),
                (coarse, all_coarse, weights[1], small, sums[1]),
            ):
                total[(slice(None), *where)] += added * weight
                sum_[where] += weight
        if on_progress is not None:
            on_progress((done + 1) / len(corners))
    for total, sum_ in ((fine, sums[0]), (coarse, sums[1])):
        total /= sum_.clamp_min(1e-6)
    fine[:, sums[0] == 0] = -10.0
    coarse[-len(LESION_KINDS) :, sums[1] == 0] = -10.0
    return fine, coarse


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
