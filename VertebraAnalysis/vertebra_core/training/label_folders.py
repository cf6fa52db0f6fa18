"""Samples from labelled scans: folders of CT and label map, or a VerSe download as it comes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from ..localisation import outputs as localisation_outputs
from ..localisation.targets import heat_sigma_mm
from ..phantom.random_field import SmoothField, torch_generator
from ..segmentation import crops
from .bank import random_matrix
from .labelled_scans import LabelledScan, LabelledScans
from .localisation_samples import SACRUM_NUMBER, pack_localisation, vertebra_codes
from .segmentation_samples import NEGATIVE_SHARE, draw_jitter, pack_segmentation
from .sources import Sample

_OUTSIDE_HU = -1024.0
_ELASTIC_CELL_MM = 30.0


class LabelledSegmentationSource:
    """Crops around vertebrae of labelled scans; samples as `PhantomSegmentationSource` has them.

    Parameters
    ----------
    folders : sequence of Path
    cache : Path
    validation : bool
    shape_zyx : tuple of int
    """

    def __init__(
        self,
        folders: Sequence[Path],
        cache: Path,
        validation: bool = False,
        shape_zyx: tuple[int, int, int] = crops.CROP_SHAPE_ZYX,
    ) -> None:
        self._scans = LabelledScans(folders, cache, crops.WORKING_SPACING_MM, validation)
        self._shape = tuple(shape_zyx)

    def names(self) -> list[str]:
        """Return the names of the scans."""
        return self._scans.names()

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a crop from the scan `name`."""
        scan, spacing = self._scans.load(name), self._scans.spacing_mm
        number, target, distance_mm = _choose(scan, rng, spacing)
        matrix = random_matrix(rng, 8.0, (0.87, 1.15))
        jitter = draw_jitter(rng, distance_mm)
        shift = np.asarray(crops.CROP_SHIFT_ZYX_MM) + jitter + rng.uniform(-0.5, 0.5, 3)
        grid = _grid(scan, target + matrix @ shift / spacing, matrix, self._shape, spacing, rng)
        hu, seen = _sample_hu(scan, grid)
        vertebra = _sample_mask(scan.labels, number, grid)
        body = None
        # C1 has no body; a body map says nothing about it.
        if number == 0 or number == 1:
            body = torch.zeros_like(vertebra)
        elif scan.bodies is not None:
            body = torch.minimum(_sample_mask(scan.bodies, number, grid), vertebra)
        center = (np.asarray(self._shape) - 1) / 2 + (jitter - shift) / spacing
        return pack_segmentation(hu, vertebra, body, seen, center)


class LabelledLocalisationSource:
    """Blocks of labelled scans; samples as `PhantomLocalisationSource` has them.

    Parameters
    ----------
    folders : sequence of Path
    cache : Path
    validation : bool
    shape_zyx : tuple of int
    """

    def __init__(
        self,
        folders: Sequence[Path],
        cache: Path,
        validation: bool = False,
        shape_zyx: tuple[int, int, int] = (96, 96, 96),
    ) -> None:
        spacing = localisation_outputs.WORKING_SPACING_MM
        self._scans = LabelledScans(folders, cache, spacing, validation)
        self._shape = tuple(shape_zyx)

    def names(self) -> list[str]:
        """Return the names of the scans."""
        return self._scans.names()

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a block from the scan `name`."""
        scan, spacing = self._scans.load(name), self._scans.spacing_mm
        middle = rng.uniform(0, 1, 3) * (np.asarray(scan.hu.shape) - 1)
        if len(scan.numbers) and rng.random() < 0.8:
            middle = scan.centers_zyx[rng.integers(len(scan.numbers))]
            middle = middle + rng.uniform(-60, 60, 3) / spacing
        middle = np.clip(middle, 0, np.asarray(scan.hu.shape) - 1)
        matrix = random_matrix(rng, 8.0, (0.87, 1.15))
        grid = _grid(scan, middle, matrix, self._shape, spacing, rng)
        hu, seen = _sample_hu(scan, grid)
        instances = _nearest(scan.labels, grid).to(torch.uint8)
        instances = instances * vertebra_codes(instances)
        local = (scan.centers_zyx - middle) @ np.linalg.inv(matrix).T
        centers = local + (np.asarray(self._shape) - 1) / 2
        sigma = heat_sigma_mm(local * spacing)
        return pack_localisation(hu, instances, seen, centers, scan.numbers, sigma)


def _choose(
    scan: LabelledScan, rng: np.random.Generator, spacing_mm: float
) -> tuple[int, np.ndarray, float]:
    """Choose what a crop is centred on: VerSe number (0 off the spine), voxel, distance (mm)."""
    size = np.asarray(scan.hu.shape)
    centers = scan.centers_zyx
    inside = [
        i
        for i, c in enumerate(centers)
        if ((c >= 0) & (c <= size - 1)).all() and scan.numbers[i] != SACRUM_NUMBER
    ]
    if inside and rng.random() >= NEGATIVE_SHARE:
        i = inside[int(rng.integers(len(inside)))]
        gaps = np.linalg.norm(np.delete(centers, i, 0) - centers[i], axis=1) * spacing_mm
        return int(scan.numbers[i]), centers[i], float(gaps.min(initial=30.0))
    point = size / 2
    for _ in range(200):
        point = rng.uniform(0, 1, 3) * (size - 1)
        index = tuple(np.rint(point).astype(int))
        # Far from everything labelled, as vertebrae may be left unlabelled next to the others.
        far = not len(centers) or (
            np.linalg.norm((centers - point)[:, 1:], axis=1).min() * spacing_mm > 45.0
        )
        if far and scan.labels[index] == 0 and scan.hu[index] > -200:
            break
    return 0, point, 30.0


def _grid(
    scan: LabelledScan,
    middle_zyx: np.ndarray,
    matrix: np.ndarray,
    shape: tuple[int, int, int],
    spacing_mm: float,
    rng: np.random.Generator,
) -> list[torch.Tensor]:
    """Voxel coordinates (z, y, x) of every sample of a block, with an elastic displacement."""
    elastic_mm = rng.uniform(0, 2.0) if rng.random() < 0.4 else 0.0
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
            field = SmoothField(shape, (spacing_mm,) * 3, _ELASTIC_CELL_MM, generator).evaluate()
            total = total + field * (elastic_mm / spacing_mm)
        points.append(total.expand(shape))
    return points


def _sample_hu(scan: LabelledScan, points: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    block, moved = _needed(scan.hu, points)
    seen = torch.ones(points[0].shape, dtype=torch.bool)
    for p, n in zip(points, scan.hu.shape, strict=True):
        seen &= (p >= 0) & (p <= n - 1)
    hu = _interpolate(block - _OUTSIDE_HU, moved) + _OUTSIDE_HU
    return torch.where(seen, hu, torch.full_like(hu, _OUTSIDE_HU)), seen


def _sample_mask(labels: np.ndarray, number: int, points: list[torch.Tensor]) -> torch.Tensor:
    """Share of each sample inside one label: the mask interpolated, so surfaces are sub-voxel."""
    if number == 0:
        return torch.zeros(points[0].shape)
    block, moved = _needed(labels, points)
    return _interpolate((block == number).float(), moved)


def _nearest(labels: np.ndarray, points: list[torch.Tensor]) -> torch.Tensor:
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
