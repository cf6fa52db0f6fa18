"""A whole phantom CT at a real scanner's spacing, with truth on the same grid."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..volume import CtVolume
from .appearance import Appearance
from .codes import BODY_BIT, CODE_MASK, Tissue
from .filters import apply_matrix_z
from .painter import Painter
from .random_field import torch_generator
from .sampling import SampledScene, sample_scene
from .scan_protocol import ScanProtocol
from .scanner import metal_profile, reconstruct, store, visible
from .scene import PhantomScene
from .slice_profile import slice_matrix

LAST_VERTEBRA_CODE = 28
_FINE_STEP_MM = 1.0
_SLAB_VOXELS = 12_000_000


@dataclass(frozen=True)
class _Layout:
    """Grid of the scan, its finer grid along z, and where both lie in the scene."""

    shape: tuple[int, int, int]
    spacing_zyx_mm: np.ndarray
    low_zyx_mm: np.ndarray
    fine_step_mm: float
    fine_count: int
    fine_low_z_mm: float


def scan(
    scene: PhantomScene,
    spacing_xyz_mm,
    rng: np.random.Generator,
    field_of_view: tuple | None = None,
    protocol: ScanProtocol | None = None,
    appearance: Appearance | None = None,
) -> tuple[CtVolume, np.ndarray, np.ndarray]:
    """Scan a scene.

    Parameters
    ----------
    scene : PhantomScene
    spacing_xyz_mm : sequence of float
        Pixel size and slice increment; overrides the protocol's increment.
    rng : numpy.random.Generator
    field_of_view : tuple of two (3,) sequences, optional
        Low and high corner of the scanned box, mm in the scene's frame, z, y, x; the whole scene
        without it. What lies beyond the scene is air.
    protocol : ScanProtocol, optional
        Without it one is drawn; its slices are made no thinner than the increment.
    appearance : Appearance, optional
        Without it one is drawn that keeps the trabecular densities the scene states, so that the
        scene's truth holds for the scan.

    Returns
    -------
    ct : CtVolume
        int16 HU; identity direction; LPS mm such that the scene's origin is (0, 0, 0).
    labels : ndarray of uint8, shape (z, y, x)
        VerSe numbers; 0 outside vertebrae and outside the field of view.
    bodies : ndarray of uint8, shape (z, y, x)
        The same for vertebral bodies alone.

    Raises
    ------
    ValueError
        When the spacing is not positive or the field of view is empty.
    """
    spacing = np.asarray(spacing_xyz_mm, float)[::-1]
    if spacing.shape != (3,) or not (spacing > 0).all():
        raise ValueError(f"spacing must be three positive numbers, not {spacing_xyz_mm}")
    if appearance is None:
        appearance = replace(Appearance.random(rng), trabecular_hu=None)
    protocol = protocol or ScanProtocol.random_whole(rng)
    protocol = replace(
        protocol,
        increment_mm=float(spacing[0]),
        slice_mm=max(protocol.slice_mm, float(spacing[0])),
        slice_axis=0,
    )
    layout = _layout(scene, spacing, field_of_view, protocol.slice_mm)
    generator = torch_generator(rng)
    slices, metal = _paint_slices(scene, layout, protocol, appearance, generator, rng)
    hu = reconstruct(slices, spacing, protocol, generator, rng, metal)
    seen = visible(layout.shape, spacing, protocol)
    hu = store(hu, protocol, seen).clamp_(-32768, 32767).to(torch.int16)
    labels, bodies = _truth(scene, layout)
    if seen is not None:
        labels[~seen.numpy()] = 0
        bodies[~seen.numpy()] = 0
    ct = CtVolume(
        hu.numpy(),
        tuple(float(v) for v in spacing[::-1]),
        tuple(float(v) for v in layout.low_zyx_mm[::-1]),
    )
    return ct, labels, bodies


def _layout(scene, spacing, field_of_view, slice_mm) -> _Layout:
    low, high = np.zeros(3), scene.size_mm
    if field_of_view is not None:
        low, high = (np.asarray(corner, float) for corner in field_of_view)
    shape = np.floor((high - low) / spacing + 1e-6).astype(int) + 1
    if (high <= low).any():
        raise ValueError("the field of view is empty")
    parts = max(1, math.ceil(spacing[0] / _FINE_STEP_MM - 1e-9))
    step = float(spacing[0]) / parts
    # The first and the last slice reach beyond their own positions.
    margin = math.ceil(slice_mm / step)
    count = int((shape[0] - 1) * parts + 1 + 2 * margin)
    return _Layout(
        tuple(int(n) for n in shape), spacing, low, step, count, float(low[0]) - margin * step
    )


def _paint_slices(scene, layout, protocol, appearance, generator, rng):
    """Paint the scene slab by slab and average it into slices: memory stays with the slices."""
    count, height, width = layout.shape
    fine = np.array([layout.fine_step_mm, *layout.spacing_zyx_mm[1:]])
    painter = Painter((layout.fine_count, height, width), fine, appearance, generator)
    positions = layout.low_zyx_mm[0] - layout.fine_low_z_mm
    positions = positions + np.arange(count) * layout.spacing_zyx_mm[0]
    averaging = slice_matrix(layout.fine_count, layout.fine_step_mm, positions, protocol.slice_mm)
    slices = torch.zeros(layout.shape)
    metal = []
    step = max(1, _SLAB_VOXELS // (height * width))
    for start in range(0, layout.fine_count, step):
        depth = min(step, layout.fine_count - start)
        block = _sample(scene, layout, fine, layout.fine_low_z_mm + start * fine[0], depth, rng)
        metal.append(block.tissue == Tissue.METAL)
        part = averaging[:, start : start + depth]
        reached = (part > 1e-7).any(1).nonzero()[:, 0]
        if len(reached):
            first, last = int(reached[0]), int(reached[-1]) + 1
            slices[first:last] += apply_matrix_z(part[first:last], painter.paint(block, start))
    return slices, metal_profile(torch.cat(metal), fine, positions)


def _sample(scene, layout, spacing, low_z_mm, depth, rng=None) -> SampledScene:
    shape = (depth, *layout.shape[1:])
    low = np.array([low_z_mm, *layout.low_zyx_mm[1:]])
    center = low + (np.asarray(shape) - 1) / 2 * spacing
    return sample_scene(scene, center, spacing, shape, rng=rng)


def _truth(scene, layout) -> tuple[np.ndarray, np.ndarray]:
    """Vertebrae and bodies at the scan's own voxel centres."""
    labels = np.zeros(layout.shape, np.uint8)
    bodies = np.zeros(layout.shape, np.uint8)
    step = max(1, _SLAB_VOXELS // (layout.shape[1] * layout.shape[2]))
    for start in range(0, layout.shape[0], step):
        depth = min(step, layout.shape[0] - start)
        low_z = layout.low_zyx_mm[0] + start * layout.spacing_zyx_mm[0]
        block = _sample(scene, layout, layout.spacing_zyx_mm, low_z, depth)
        code = block.labels & CODE_MASK
        inside = (block.bone_sdf <= 0) & (code <= LAST_VERTEBRA_CODE)
        part = torch.where(inside, code, 0)
        labels[start : start + depth] = part.numpy()
        bodies[start : start + depth] = torch.where(block.labels >= BODY_BIT, part, 0).numpy()
    return labels, bodies
