"""Put single vertebrae together into one label map on any grid.

Where crops overlap, the more probable vertebra wins, never the later one. Probabilities, not
masks, are interpolated, so that surfaces are as smooth as the output grid allows. A voxel coarser
than the working grid belongs to the body that fills most of it, as readers would outline it; to
the vertebra belongs what its centre lies in, as thin arches would break up otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from torch.nn import functional

from ..errors import Cancelled
from ..localisation.sliding_window import Predicate, Progress
from ..volume import CtVolume, LabelVolume
from .crops import WORKING_SPACING_MM
from .segment import VertebraMask

_BLOCK_VOXELS = 4_000_000
_LEAST_PROBABILITY = 0.05
_POLL_S = 0.2


def merge(
    masks: Sequence[VertebraMask],
    numbers: Sequence[int],
    like: CtVolume | LabelVolume,
    on_progress: Progress | None = None,
    cancelled: Predicate | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Merge vertebrae into label maps on the grid of `like`.

    Memory beyond the result is one byte per output voxel plus some 200 MB.

    Parameters
    ----------
    masks : sequence of VertebraMask
    numbers : sequence of int
        Label of each vertebra, 1-255.
    like : CtVolume or LabelVolume
        Gives the output grid; any direction and spacing.
    on_progress : callable, optional
    cancelled : callable, optional

    Returns
    -------
    labels, bodies : ndarray of uint8, shape (z, y, x)
        The number where a vertebra is more probable than not, and where its body fills most of
        the voxel.

    Raises
    ------
    ValueError
        If the lengths differ or a number does not fit.
    Cancelled
    """
    if len(masks) != len(numbers) or any(not 1 <= n <= 255 for n in numbers):
        raise ValueError("every mask needs one number between 1 and 255")
    shape = like.array.shape
    labels = np.zeros(shape, np.uint8)
    bodies = np.zeros(shape, np.uint8)
    best = np.zeros(shape, np.uint8)
    for done, (mask, number) in enumerate(zip(masks, numbers, strict=True)):
        for box, vertebra, body in _resampled_blocks(mask, like):
            if cancelled is not None and cancelled():
                raise Cancelled()
            quantised = np.rint(vertebra * 255).astype(np.uint8)
            wins = (vertebra > 0.5) & (quantised > best[box])
            best[box][wins] = quantised[wins]
            labels[box][wins] = number
            bodies[box][wins] = np.where(body[wins] > 0.5, number, 0)
        if on_progress is not None:
            on_progress((done + 1) / len(masks))
    return labels, bodies


@contextmanager
def merged_beside(
    masks: Sequence[VertebraMask],
    numbers: Sequence[int],
    like: CtVolume | LabelVolume,
    cancelled: Predicate | None = None,
) -> Iterator[Callable[[Progress], tuple[np.ndarray, np.ndarray]]]:
    """Merge vertebrae in a thread while the block runs; parameters and errors are those of `merge`.

    Yields
    ------
    callable
        Waits for the label maps and returns them, telling the progress it is given how far they
        are.
    """
    shares = [0.0]

    def merged(on_progress: Progress) -> tuple[np.ndarray, np.ndarray]:
        while True:
            try:
                return merging.result(_POLL_S)
            except TimeoutError:
                on_progress(shares[-1])

    # One thread of PyTorch: those beside it have their own.
    with ThreadPoolExecutor(1, "merging", torch.set_num_threads, (1,)) as pool:
        merging = pool.submit(merge, masks, numbers, like, shares.append, cancelled)
        yield merged


def overlap_share(a: VertebraMask, b: VertebraMask) -> float:
    """Voxels that two vertebrae share, as part of the smaller one (0-1)."""
    origins = [
        np.rint(np.asarray(m.origin_lps_mm)[::-1] / WORKING_SPACING_MM).astype(int) for m in (a, b)
    ]
    low = np.maximum(*origins)
    high = np.minimum(origins[0] + a.vertebra.shape, origins[1] + b.vertebra.shape)
    if (high <= low).any():
        return 0.0
    parts = []
    for mask, origin in zip((a, b), origins, strict=True):
        box = tuple(slice(s, e) for s, e in zip(low - origin, high - origin, strict=True))
        parts.append(mask.vertebra[box] > 0.5)
    smaller = min(int((m.vertebra > 0.5).sum()) for m in (a, b))
    return float((parts[0] & parts[1]).sum() / smaller) if smaller else 0.0


def find_duplicates(
    masks: Sequence[VertebraMask], scores: Sequence[float], share: float = 0.5
) -> list[int]:
    """Indices of vertebrae that were segmented before: they share more than `share` of the
    smaller mask with one of a higher score."""
    order = sorted(range(len(masks)), key=lambda i: -scores[i])
    kept: list[int] = []
    duplicates = []
    for i in order:
        if any(overlap_share(masks[i], masks[j]) > share for j in kept):
            duplicates.append(i)
        else:
            kept.append(i)
    return sorted(duplicates)


def _resampled_blocks(mask: VertebraMask, like: CtVolume | LabelVolume):
    """Yield (box in the output, vertebra, body) for the part of the grid the vertebra reaches."""
    occupied = mask.vertebra > _LEAST_PROBABILITY
    if not occupied.any():
        return
    inner = []
    for axis in range(3):
        hit = np.nonzero(occupied.any(tuple(k for k in range(3) if k != axis)))[0]
        inner.append((max(0, hit[0] - 1), min(occupied.shape[axis] - 1, hit[-1] + 1)))
    part = tuple(slice(low, high + 1) for low, high in inner)
    probability = torch.from_numpy(
        np.stack([mask.vertebra[part], mask.body[part]]).astype(np.float32)
    )[None]
    origin = np.asarray(mask.origin_lps_mm) + (
        np.array([low for low, _ in inner])[::-1] * WORKING_SPACING_MM
    )
    size = np.array(probability.shape[2:])
    to_crop, shift = _index_map(like, origin)
    box = _output_box(like, origin, size)
    if box is None:
        return
    counts = np.maximum(np.rint(np.linalg.norm(to_crop, axis=0)).astype(int), 1)
    rows = max(1, _BLOCK_VOXELS // max(1, _area(box)))
    for z in range(box[0].start, box[0].stop, rows):
        block = (slice(z, min(z + rows, box[0].stop)), box[1], box[2])
        vertebra, body = _sample(probability, size, to_crop, shift, block)
        if (counts > 1).any():
            body = _averaged(probability[:, 1:], size, to_crop, shift, block, counts)[0]
        yield block, vertebra, body


def _index_map(
    like: CtVolume | LabelVolume, origin_lps_mm: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and shift taking output indices (z, y, x) to crop voxels (z, y, x)."""
    direction = np.asarray(like.direction, float).reshape(3, 3)
    per_index = direction * np.asarray(like.spacing_xyz_mm)[None, :] / WORKING_SPACING_MM
    shift = (np.asarray(like.origin_lps_mm) - origin_lps_mm) / WORKING_SPACING_MM
    return per_index[::-1, ::-1], shift[::-1]


def _output_box(like: CtVolume | LabelVolume, origin_lps_mm: np.ndarray, size_zyx: np.ndarray):
    corners = np.stack(np.meshgrid(*[(-1, n) for n in size_zyx[::-1]]), -1).reshape(8, 3)
    index = like.lps_to_index(origin_lps_mm + corners * WORKING_SPACING_MM)
    low = np.maximum(np.floor(index.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(index.max(0)).astype(int) + 1, like.array.shape)
    if (high <= low).any():
        return None
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def _area(box) -> int:
    return (box[1].stop - box[1].start) * (box[2].stop - box[2].start)


def _averaged(
    probability: torch.Tensor,
    size: np.ndarray,
    matrix: np.ndarray,
    shift: np.ndarray,
    block,
    counts: np.ndarray,
) -> np.ndarray:
    """Mean over each output voxel of `block`, of `counts` (z, y, x) places in it; see `_sample`."""
    total: np.ndarray | float = 0.0
    for place in np.ndindex(*counts):
        within = (np.array(place) + 0.5) / counts - 0.5
        total = total + _sample(probability, size, matrix, shift + matrix @ within, block)
    return total / np.prod(counts)


def _sample(
    probability: torch.Tensor, size: np.ndarray, matrix: np.ndarray, shift: np.ndarray, block
) -> np.ndarray:
    """Interpolate [1, c, z, y, x] at the output voxels of `block`; 0 outside the crop."""
    axes = [torch.arange(s.start, s.stop, dtype=torch.float64) for s in block]
    coordinates = []
    for row, start, n in zip(matrix, shift, size, strict=True):
        # Half a voxel beyond the faces is -1 and 1 (align_corners=False).
        scale = 2.0 / n
        z, y, x = (
            (axis * float(row[k] * scale)).view([-1 if j == k else 1 for j in range(3)])
            for k, axis in enumerate(axes)
        )
        total = z + y + x + ((float(start) + 0.5) * scale - 1)
        coordinates.append(total.float())
    shape = tuple(len(a) for a in axes)
    grid = torch.stack([c.expand(shape) for c in coordinates[::-1]], -1)[None]
    sampled = functional.grid_sample(
        probability, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    return sampled[0].numpy()
