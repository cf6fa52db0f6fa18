"""Scan a sampled scene: from tissues to the Hounsfield units that a reconstruction would show."""

from __future__ import annotations

import math

import numpy as np
import torch

from .appearance import Appearance
from .codes import Tissue
from .filters import apply_matrix_z, filter_axis, gaussian_kernel, sharpened_kernel
from .painter import Painter
from .random_field import smooth_curve, torch_generator
from .sampling import SampledScene
from .scan_protocol import ScanProtocol
from .slice_profile import coarsen_in_plane, interpolation_matrix, slice_matrix, slice_positions

_VOXEL_BLUR = 0.28
_DENSE_HU = 250.0
_DENSE_ROW_HU_MM = 2.0e4
# A supine trunk attenuates most from side to side, which draws noise out along x.
_GRAIN_STRETCH_YX = (0.75, 1.2)


def render(
    sampled: SampledScene,
    spacing_zyx_mm,
    appearance: Appearance,
    protocol: ScanProtocol,
    rng: np.random.Generator,
) -> torch.Tensor:
    """Render a block of a scene as CT, resampled to the block's own grid.

    Parameters
    ----------
    sampled : SampledScene
    spacing_zyx_mm : float or sequence of float
        Spacing of the block.
    appearance : Appearance
    protocol : ScanProtocol
    rng : numpy.random.Generator
        Drives textures and noise.

    Returns
    -------
    Tensor of float32, shape (z, y, x)
        Hounsfield units; `protocol.fill_hu` where `visible` is False.
    """
    spacing = np.broadcast_to(np.asarray(spacing_zyx_mm, float), (3,))
    generator = torch_generator(rng)
    shape = tuple(sampled.tissue.shape)
    hu = Painter(shape, spacing, appearance, generator).paint(sampled)
    axis = protocol.slice_axis
    metal = sampled.tissue == Tissue.METAL
    if axis:
        hu, metal = hu.transpose(0, axis).contiguous(), metal.transpose(0, axis)
        spacing = spacing.copy()
        spacing[[0, axis]] = spacing[[axis, 0]]
    count = hu.shape[0]
    if protocol.increment_mm > 1.05 * spacing[0]:
        positions = slice_positions(count, spacing[0], protocol.increment_mm, protocol.slice_phase)
        hu = apply_matrix_z(slice_matrix(count, spacing[0], positions, protocol.slice_mm), hu)
        back = interpolation_matrix(count, positions / spacing[0])
    else:
        positions = np.arange(count) * spacing[0]
        if protocol.slice_mm > 1.2 * spacing[0]:
            hu = apply_matrix_z(slice_matrix(count, spacing[0], positions, protocol.slice_mm), hu)
        else:
            hu = filter_axis(hu, gaussian_kernel(_VOXEL_BLUR), 0)
        back = None
    hu = reconstruct(
        hu, spacing, protocol, generator, rng, metal_profile(metal, spacing, positions)
    )
    if back is not None:
        hu = apply_matrix_z(back, hu)
    hu = coarsen_in_plane(hu, spacing, protocol)
    if axis:
        hu = hu.transpose(0, axis).contiguous()
    return store(hu, protocol, visible(shape, spacing_zyx_mm, protocol))


def visible(shape_zyx, spacing_zyx_mm, protocol: ScanProtocol) -> torch.Tensor | None:
    """Which voxels of a block lie within the protocol's field of view; None where all do.

    Truth outside is not to be learnt: mask labels and losses with this.
    """
    if protocol.circle is None and not any(protocol.cut_fractions):
        return None
    seen = torch.ones(tuple(shape_zyx), dtype=torch.bool)
    for k, share in enumerate(protocol.cut_fractions):
        axis, at_end = divmod(k, 2)
        count = round(share * shape_zyx[axis])
        if count:
            seen.narrow(axis, shape_zyx[axis] - count if at_end else 0, count).fill_(False)
    if protocol.circle is not None:
        spacing = np.broadcast_to(np.asarray(spacing_zyx_mm, float), (3,))
        y0, x0, radius = protocol.circle
        y, x = (
            (torch.arange(shape_zyx[k]) - (shape_zyx[k] - 1) / 2) * float(spacing[k])
            for k in (1, 2)
        )
        seen &= ((y[:, None] - y0) ** 2 + (x[None] - x0) ** 2 <= radius**2)[None]
    return seen


def reconstruct(
    slices: torch.Tensor,
    spacing_zyx_mm,
    protocol: ScanProtocol,
    generator: torch.Generator,
    rng: np.random.Generator,
    metal: tuple[torch.Tensor, torch.Tensor] | None,
) -> torch.Tensor:
    """Apply point spread, beam hardening, metal streaks and noise to noiseless slices.

    Parameters
    ----------
    slices : Tensor, shape (slices, y, x)
        HU. Overwritten.
    spacing_zyx_mm : sequence of 3 float
        Of the slices' voxels.
    protocol : ScanProtocol
    generator : torch.Generator
        Of the noise.
    rng : numpy Generator
        Of the streaks.
    metal : tuple of Tensor, or None
        What `metal_profile` returned.
    """
    pitch = [float(spacing_zyx_mm[1]), float(spacing_zyx_mm[2])]
    rows = _dense_rows(slices, pitch[1])
    for axis in (1, 2):
        # Tissues are looked up at voxel centres; coarse voxels see their surroundings too.
        spread = math.hypot(protocol.psf_mm, _VOXEL_BLUR * max(0.0, pitch[axis - 1] - 0.8))
        kernel = sharpened_kernel(spread / pitch[axis - 1], protocol.sharpening)
        slices = filter_axis(slices, kernel, axis)
    if metal is not None:
        slices += protocol.metal_streak_hu * _metal_streaks(
            slices.shape, pitch, metal, generator, rng
        )
    _add_noise(slices, pitch, float(spacing_zyx_mm[0]), protocol, generator)
    _add_rows(slices, pitch, rows, protocol, generator)
    return slices


def store(hu: torch.Tensor, protocol: ScanProtocol, seen: torch.Tensor | None) -> torch.Tensor:
    """Apply calibration error, field of view, range and grey levels, in place; return `hu`."""
    low, high = protocol.clamp_hu
    gain, offset = protocol.gain, protocol.offset_hu + 1000 * (protocol.gain - 1)
    hu.mul_(gain).add_(offset).clamp_(low, high)
    if protocol.levels:
        top = min(high, 3071.0)
        step = (top - low) / protocol.levels
        hu.sub_(low).div_(step).round_().mul_(step).add_(low)
    else:
        hu.round_()
    if seen is not None:
        hu.masked_fill_(~seen, protocol.fill_hu)
    return hu


def metal_profile(metal: torch.Tensor, spacing_zyx_mm, positions_mm):
    """Area of metal (mm2) per slice and its centres (y, x in voxels); None without metal."""
    if not bool(metal.any()):
        return None
    plane = metal.sum(0)
    area = metal.sum((1, 2)).numpy() * float(spacing_zyx_mm[1] * spacing_zyx_mm[2])
    per_slice = np.interp(positions_mm, np.arange(len(area)) * spacing_zyx_mm[0], area)
    y, x = plane.nonzero(as_tuple=True)
    weight = plane[y, x].float()
    middle = float((x * weight).sum() / weight.sum())
    centres = []
    # Implants mostly come in pairs, left and right of the middle.
    for side in (x <= middle, x > middle):
        if bool(side.any()):
            w = weight[side]
            centres.append([float((c[side] * w).sum() / w.sum()) for c in (y, x)])
    return torch.from_numpy(per_slice.astype(np.float32)), torch.tensor(centres)


def _metal_streaks(shape, pitch, metal, generator, rng) -> torch.Tensor:
    """Streaks that radiate from metal and change from slice to slice, about unit strength."""
    area, centres = metal
    patterns = []
    y, x = torch.arange(shape[1]).float(), torch.arange(shape[2]).float()
    for cy, cx in centres.tolist():
        dy, dx = ((y - cy) * pitch[0])[:, None], ((x - cx) * pitch[1])[None]
        fade = 14.0 / (14.0 + torch.sqrt(dy * dy + dx * dx))
        turn = (torch.atan2(dy, dx) / (2 * math.pi) + 0.5) * 180
        for _ in range(3):
            ring = smooth_curve(181, rng.uniform(20, 60), rng)
            ring[-1] = ring[0]
            patterns.append(torch.from_numpy(ring)[turn.round().long()] * fade)
    bank = torch.stack(patterns).reshape(len(patterns), -1)
    weights = torch.randn(shape[0], len(patterns), generator=generator) / math.sqrt(3)
    weights *= (area / 60.0).sqrt().clamp_(max=1.6)[:, None]
    return (weights @ bank).reshape(shape)


def _dense_rows(slices: torch.Tensor, pitch_mm: float) -> torch.Tensor:
    """Share of heavy bone or metal on both sides of each row, about 0-1.5, shape (slices, y, 1)."""
    half = slices.shape[2] // 2
    sides = [
        (part - _DENSE_HU).clamp_(0, 2500).sum(2, keepdim=True)
        for part in (slices[..., :half], slices[..., half:])
    ]
    both = (sides[0] * sides[1]).sqrt_() * (2 * pitch_mm / _DENSE_ROW_HU_MM)
    kernel = gaussian_kernel(4.0)
    both = filter_axis(both, kernel, 1) if both.shape[1] > 12 else both
    return both.clamp_(max=1.5)


def _add_rows(slices, pitch, rows, protocol, generator) -> None:
    """Streaks from side to side and darkening where dense bone lies in the beam."""
    count, height, width = slices.shape
    nodes = max(3, math.ceil(width * pitch[1] / 60) + 1)
    noise = torch.randn(count, height, nodes, generator=generator)
    noise = filter_axis(noise, gaussian_kernel(0.7 / pitch[0]), 1) * 1.5
    noise *= protocol.streak_hu * (0.05 + rows)
    noise -= protocol.beam_hardening_hu * rows
    where = torch.linspace(0, nodes - 1, width)
    low = where.long().clamp(max=nodes - 2)
    spread = torch.zeros(nodes, width)
    column = torch.arange(width)
    spread[low, column] = 1 - (where - low)
    spread[low + 1, column] = where - low
    slices += (noise.reshape(-1, nodes) @ spread).reshape(slices.shape)
    if protocol.cupping_hu:
        bend = torch.randn(3, generator=generator) * protocol.cupping_hu
        y = torch.linspace(-1, 1, height)[:, None]
        x = torch.linspace(-1, 1, width)[None]
        slices += bend[0] * y + bend[1] * x + bend[2] * (y * y + x * x - 0.7)


def _add_noise(slices, pitch, step_mm, protocol, generator) -> None:
    noise = torch.randn(slices.shape, generator=generator)
    energy = 1.0
    for axis in (1, 2):
        stretch = _GRAIN_STRETCH_YX[axis - 1]
        kernel = _noise_kernel(stretch * protocol.noise_grain_mm / pitch[axis - 1])
        noise = filter_axis(noise, kernel, axis)
        energy *= float(kernel[0] ** 2 + 2 * (kernel[1:] ** 2).sum())
    # Thick slices gather more photons, which low-dose protocols give back in part; coarse grids
    # average over their voxels (measured on chest CT: 20 HU at 1 mm, 9 at 1.5 mm, 7 at 2 mm).
    coarse = max(1.0, *pitch) * max(1.0, step_mm / max(protocol.increment_mm, 1.0)) ** 0.5
    dose = (1.5 / protocol.slice_mm) ** 0.3 / coarse
    slices.add_(noise, alpha=protocol.noise_hu * dose / math.sqrt(energy))


def _noise_kernel(sigma_voxels: float) -> torch.Tensor:
    """Half kernel of reconstructed noise: the ramp filter leaves little at low frequencies."""
    narrow, wide = gaussian_kernel(sigma_voxels), gaussian_kernel(min(2.2 * sigma_voxels, 2.5))
    if len(wide) < len(narrow):
        return narrow
    kernel = -0.4 * wide
    kernel[: len(narrow)] += narrow
    return kernel
