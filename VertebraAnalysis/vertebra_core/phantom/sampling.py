"""Cut a block out of a phantom scene at any place, spacing and orientation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from .codes import BODY_BIT, CODE_MASK, Tissue
from .lesions import lesion_field
from .process_warp import ProcessWarp
from .random_field import SmoothField, torch_generator
from .scene import SDF_STEPS_PER_MM, SDF_ZERO, PhantomScene

OUTSIDE_SDF_MM = 16.0
ELASTIC_CELL_MM = 30.0
"""Distance over which the bending of a sample may change."""
TISSUE_JITTER_VOXELS = 0.35
"""Half width of the jitter of tissue look-ups, in scene voxels: breaks up staircases, which the
point spread function of the scanner then smooths into partial volume."""


@dataclass(frozen=True)
class SampledScene:
    """A block of a scene on the scanner's grid, before any intensity.

    Attributes
    ----------
    labels : Tensor of uint8, shape (z, y, x)
        As `PhantomScene.labels` (nearest neighbour).
    bone_sdf : Tensor of float32, shape (z, y, x)
        Signed distance to the nearest bone in mm of this grid, negative inside.
    tissue : Tensor of uint8, shape (z, y, x)
        `codes.Tissue`.
    trabecular_hu : Tensor of float32, shape (128,)
        Density the scene states per vertebra number; NaN where it states none.
    lesion_share, lesion_hu : Tensor of float32, shape (z, y, x), or None
        Part of a voxel that lesions take and their density; None where the scene has none.
    """

    labels: torch.Tensor
    bone_sdf: torch.Tensor
    tissue: torch.Tensor
    trabecular_hu: torch.Tensor
    lesion_share: torch.Tensor | None = None
    lesion_hu: torch.Tensor | None = None

    def vertebra(self, number: int) -> torch.Tensor:
        """Mask of one vertebra (VerSe number), bool, shape (z, y, x)."""
        return ((self.labels & CODE_MASK) == number) & (self.bone_sdf <= 0)

    def body(self, number: int) -> torch.Tensor:
        """Mask of the body of one vertebra (VerSe number), bool, shape (z, y, x)."""
        return (self.labels == (number | BODY_BIT)) & (self.bone_sdf <= 0)


def sample_scene(
    scene: PhantomScene,
    center_zyx_mm,
    spacing_mm,
    shape_zyx: tuple[int, int, int],
    matrix: np.ndarray | None = None,
    elastic_mm: float = 0.0,
    rng: np.random.Generator | None = None,
    warp: ProcessWarp | None = None,
) -> SampledScene:
    """Sample `scene` on a grid; outside the scene lies air.

    Parameters
    ----------
    scene : PhantomScene
        Its arrays may be memory-mapped; only the block that is needed is read.
    center_zyx_mm : sequence of float
        Point of the scene that the centre of the grid falls on, mm in the scene's frame.
    spacing_mm : float or sequence of float
        Spacing of the grid, one value or z, y, x.
    shape_zyx : tuple of int
        Size of the grid.
    matrix : ndarray, shape (3, 3), optional
        Maps an offset from the centre of the grid (z, y, x, mm) to an offset in the scene:
        rotation, scale, flip. Entries above one make the anatomy appear smaller.
    elastic_mm : float
        Standard deviation per axis of a smooth displacement (cells of 30 mm).
    rng : numpy.random.Generator, optional
        Drives the displacement and the jitter of tissue boundaries; without it there is no jitter.
    warp : ProcessWarp, optional
        Bends the processes of a vertebra.

    Raises
    ------
    ValueError
        When `elastic_mm` is asked for without `rng`, or `matrix` is singular.
    """
    if elastic_mm > 0 and rng is None:
        raise ValueError("an elastic displacement needs a random generator")
    spacing = np.broadcast_to(np.asarray(spacing_mm, float), (3,))
    linear = np.eye(3) if matrix is None else np.asarray(matrix, float)
    scale = abs(float(np.linalg.det(linear))) ** (1 / 3)
    if scale < 1e-6:
        raise ValueError("the sampling matrix is singular")
    generator = None if rng is None else torch_generator(rng)
    points = _points(scene, center_zyx_mm, spacing, shape_zyx, linear)
    if elastic_mm > 0:
        for axis in range(3):
            field = SmoothField(shape_zyx, spacing, ELASTIC_CELL_MM, generator).evaluate()
            points[axis] = points[axis].add(field, alpha=elastic_mm / scene.spacing_mm)
    if warp is not None:
        points = warp.displaced(points, scene.spacing_mm)
    block, low = _needed_block(points, scene.labels.shape)
    if block is None:
        return _all_air(scene, shape_zyx)
    points = [p.expand(shape_zyx) - start for p, start in zip(points, low, strict=True)]
    labels, sdf, tissue = (
        torch.from_numpy(np.array(a[block])) for a in (scene.labels, scene.bone_sdf, scene.tissue)
    )
    index, outside = _nearest_index(points, labels.shape)
    picked_labels = torch.take(labels, index)
    if generator is not None:
        index, outside_tissue = _nearest_index(_jittered(points, generator), labels.shape)
    else:
        outside_tissue = outside
    picked_tissue = torch.take(tissue, index)
    if outside is not None:
        picked_labels[outside] = 0
    if outside_tissue is not None:
        picked_tissue[outside_tissue] = int(Tissue.AIR)
    distance = _trilinear(sdf, points)
    if scale != 1.0:
        distance.div_(scale)
    lesions: tuple[torch.Tensor | None, torch.Tensor | None] = (None, None)
    if scene.lesions:
        mm = [(p + start) * scene.spacing_mm for p, start in zip(points, low, strict=True)]
        lesions = lesion_field(scene.lesions, mm)
    return SampledScene(picked_labels, distance, picked_tissue, _stated_density(scene), *lesions)


def _points(scene, center_zyx_mm, spacing, shape, linear) -> list[torch.Tensor]:
    """Coordinates in scene voxels of every grid point, one (broadcastable) tensor per axis."""
    to_voxels = (linear * spacing[None, :]) / scene.spacing_mm
    center = np.asarray(center_zyx_mm, float) / scene.spacing_mm
    offsets = [
        (torch.arange(n, dtype=torch.float32) - (n - 1) / 2).view(
            [-1 if k == j else 1 for j in range(3)]
        )
        for k, n in enumerate(shape)
    ]
    points = []
    for row, start in zip(to_voxels, center, strict=True):
        terms = [o * float(c) for o, c in zip(offsets, row, strict=True) if abs(c) > 1e-9]
        total = terms[0] + float(start)
        for term in terms[1:]:
            total = total + term
        points.append(total)
    return points


def _needed_block(points, shape):
    low, slices = [], []
    for p, n in zip(points, shape, strict=True):
        start = max(0, int(np.floor(float(p.min()))) - 1)
        stop = min(n, int(np.ceil(float(p.max()))) + 2)
        if stop - start < 1:
            return None, None
        # Two samples per axis at least, or grid coordinates have no scale.
        if stop - start < 2:
            start, stop = max(0, stop - 2), min(n, max(stop, 2))
        low.append(start)
        slices.append(slice(start, stop))
    return tuple(slices), low


def _all_air(scene: PhantomScene, shape) -> SampledScene:
    return SampledScene(
        torch.zeros(shape, dtype=torch.uint8),
        torch.full(shape, OUTSIDE_SDF_MM),
        torch.full(shape, int(Tissue.AIR), dtype=torch.uint8),
        _stated_density(scene),
    )


def _nearest_index(points, shape) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Flat index of the nearest voxel of a block, and where points lie outside it (or None)."""
    index, outside = None, None
    for p, n in zip(points, shape, strict=True):
        # 0.5 is added and truncated, which for points inside the block is rounding, but faster.
        whole = (p + 0.5).floor_()
        if float(whole.min()) < 0 or float(whole.max()) > n - 1:
            beyond = (whole < 0) | (whole > n - 1)
            outside = beyond if outside is None else outside | beyond
            whole.clamp_(0, n - 1)
        whole = whole.to(torch.int64)
        index = whole if index is None else index.mul_(n).add_(whole)
    return index, outside


def _jittered(points, generator) -> list[torch.Tensor]:
    noise = torch.rand(points[0].shape, generator=generator)
    noise.sub_(0.5).mul_(2 * TISSUE_JITTER_VOXELS)
    # One draw serves all axes: shifted copies of white noise are independent voxel by voxel.
    return [
        p + noise.roll(shift, dims)
        for p, shift, dims in zip(points, (0, 1, 1), (0, 1, 2), strict=True)
    ]


def _trilinear(sdf: torch.Tensor, points) -> torch.Tensor:
    outside = OUTSIDE_SDF_MM * SDF_STEPS_PER_MM
    block = sdf.to(torch.float32).sub_(SDF_ZERO + outside)
    grid = torch.stack(
        [points[k] * (2.0 / (n - 1)) - 1.0 for k, n in ((a, block.shape[a]) for a in (2, 1, 0))], -1
    )
    sampled = functional.grid_sample(
        block[None, None], grid[None], mode="bilinear", padding_mode="zeros", align_corners=True
    )[0, 0]
    return sampled.add_(outside).div_(SDF_STEPS_PER_MM)


def _stated_density(scene: PhantomScene) -> torch.Tensor:
    table = torch.full((128,), float("nan"))
    for vertebra in scene.vertebrae:
        table[vertebra.level] = vertebra.trabecular_hu
    return table
