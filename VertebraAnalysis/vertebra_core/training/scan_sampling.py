"""Blocks sampled from a labelled scan, turned, scaled and bent."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from ..phantom.random_field import SmoothField, torch_generator
from ..phantom.sampling import ELASTIC_CELL_MM
from ..volume import AIR_HU
from .labelled_scans import LabelledScan


def sample_grid(
    middle_zyx: np.ndarray,
    matrix: np.ndarray,
    shape: tuple[int, int, int],
    spacing_mm: float,
    rng: np.random.Generator,
    elastic_share: float = 0.4,
) -> list[torch.Tensor]:
    """Place a block in a scan.

    Parameters
    ----------
    middle_zyx : ndarray, shape (3,)
        Middle of the block, voxels of the scan.
    matrix : ndarray, shape (3, 3)
        Maps offsets (z, y, x) in the block to offsets in the scan.
    shape : tuple of int
    spacing_mm : float
        Of scan and block alike.
    rng : numpy.random.Generator
    elastic_share : float
        Share of blocks that are bent besides, by up to 2 mm.

    Returns
    -------
    list of Tensor
        Voxel coordinates z, y and x of every sample of the block.
    """
    elastic_mm = rng.uniform(0, 2.0) if rng.random() < elastic_share else 0.0
    generator = torch_generator(rng)
    axes = [
        (torch.arange(n, dtype=torch.float32) - (n - 1) / 2).view(
            [-1 if j == k else 1 for j in range(3)]
        )
        for k, n in enumerate(shape)
    ]
    points = []
    for row, start in zip(matrix, middle_zyx, strict=True):
        total = sum(axis * float(c) for axis, c in zip(axes, row, strict=True)) + float(start)
        if elastic_mm > 0:
            field = SmoothField(shape, (spacing_mm,) * 3, ELASTIC_CELL_MM, generator).evaluate()
            total = total + field * (elastic_mm / spacing_mm)
        points.append(total.expand(shape))
    return points


def sample_hu(scan: LabelledScan, points: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """HU at some points, and where the scan reaches; air beyond it."""
    block, moved = _needed(scan.hu, points)
    seen = torch.ones(points[0].shape, dtype=torch.bool)
    for p, n in zip(points, scan.hu.shape, strict=True):
        seen &= (p >= 0) & (p <= n - 1)
    hu = _interpolate(block - AIR_HU, moved) + AIR_HU
    return torch.where(seen, hu, torch.full_like(hu, AIR_HU)), seen


def sample_mask(labels: np.ndarray, number: int, points: list[torch.Tensor]) -> torch.Tensor:
    """Share of each sample inside one label: the mask interpolated, so surfaces are sub-voxel."""
    if number == 0:
        return torch.zeros(points[0].shape)
    block, moved = _needed(labels, points)
    return _interpolate((block == number).float(), moved)


def sample_labels(labels: np.ndarray, points: list[torch.Tensor]) -> torch.Tensor:
    """Labels of the voxels nearest to some points, 0 beyond the scan."""
    block, moved = _needed(labels, points)
    return _interpolate(block, moved, "nearest").round()


def _needed(
    array: np.ndarray, points: list[torch.Tensor]
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The part of a memory-mapped array that `points` reach, and the points within it."""
    box, moved = [], []
    for p, n in zip(points, array.shape, strict=True):
        low = min(max(0, int(p.min()) - 1), n - 1)
        high = max(min(n, int(p.max()) + 3), low + 1)
        box.append(slice(low, high))
        moved.append(p - low)
    return torch.from_numpy(np.asarray(array[tuple(box)], np.float32)), moved


def _interpolate(
    block: torch.Tensor, points: list[torch.Tensor], mode: str = "bilinear"
) -> torch.Tensor:
    """Interpolate a block at voxel coordinates; 0 beyond half a voxel outside it."""
    grid = torch.stack([(2 * points[k] + 1) / block.shape[k] - 1 for k in (2, 1, 0)], -1)[None]
    return functional.grid_sample(
        block[None, None], grid, mode=mode, padding_mode="zeros", align_corners=False
    )[0, 0]
