"""How a phantom is scanned: kernel, dose, slices, artefacts, field of view, storage.

Noise is stated for 1 mm voxels. Clinical body CT shows 8-30 HU there (soft to standard kernels);
sharp kernels and low doses reach beyond, and the random draw follows in its tails.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

COARSE_SHARE = 0.15
"""Share of training scans that were resampled to coarse voxels, as some public data sets are."""

_COARSE_MM = (1.4, 3.2)

THICK_SHARE = 0.22
"""Share of training scans whose slices are thick whatever was drawn: low discs vanish between dense
endplates there, and bodies must be told apart by what lies beside them."""

_THICK_MM = (2.5, 5.5)


@dataclass(frozen=True)
class ScanProtocol:
    """One scan.

    Attributes
    ----------
    psf_mm : float
        Standard deviation of the in-plane point spread function.
    sharpening : float
        Strength of edge enhancement (0: none), see `filters.sharpened_kernel`.
    noise_hu : float
        Standard deviation of noise at 1 mm voxels of a 1.5 mm slice.
    noise_grain_mm : float
        Correlation (standard deviation of the Gaussian) of the noise in plane.
    streak_hu : float
        Extra noise drawn out from side to side where shoulders or pelvis lie in the beam.
    slice_mm, increment_mm : float
        Slice thickness and distance between slices.
    slice_phase : float
        Where the first slice lies within one increment (0-1).
    pixel_mm : float
        Pixel size of a scan that was resampled to coarser pixels afterwards; 0: it was not.
    slice_axis : int
        Axis of the grid that slices are stacked along; 0 except for reformatted scans.
    offset_hu, gain : float
        Calibration error: ``hu * gain + offset`` (of HU + 1000).
    clamp_hu : tuple of float
        Range that is stored.
    levels : int
        Number of stored grey levels over `clamp_hu`; 0 stores whole HU.
    beam_hardening_hu : float
        Darkening between dense bones from side to side.
    cupping_hu : float
        Smooth density error across the field.
    metal_streak_hu : float
        Strength of streaks around metal.
    cut_fractions : tuple of float
        Share of the grid outside the scan at z low, z high, y low, y high, x low, x high.
    circle : tuple of float or None
        Reconstructed circle: centre y and x (mm from the grid's centre) and radius (mm).
    fill_hu : float
        Value stored outside the scan.
    """

    psf_mm: float = 0.6
    sharpening: float = 0.0
    noise_hu: float = 14.0
    noise_grain_mm: float = 0.45
    streak_hu: float = 8.0
    slice_mm: float = 1.5
    increment_mm: float = 1.0
    slice_phase: float = 0.0
    pixel_mm: float = 0.0
    slice_axis: int = 0
    offset_hu: float = 0.0
    gain: float = 1.0
    clamp_hu: tuple[float, float] = (-1024.0, 3071.0)
    levels: int = 0
    beam_hardening_hu: float = 15.0
    cupping_hu: float = 3.0
    metal_streak_hu: float = 250.0
    cut_fractions: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    circle: tuple[float, float, float] | None = None
    fill_hu: float = -1024.0

    @staticmethod
    def random(rng: np.random.Generator) -> ScanProtocol:
        """Draw a protocol for a training block of any place and size."""
        protocol = ScanProtocol.random_whole(rng)
        if rng.random() < COARSE_SHARE:
            protocol = _resampled(protocol, float(rng.uniform(*_COARSE_MM)))
        if rng.random() < THICK_SHARE:
            # Thick slices may have been resampled to small cubes, which do not tell of them.
            thick = float(rng.uniform(*_THICK_MM))
            protocol = replace(protocol, slice_mm=thick, increment_mm=thick)
        return replace(
            protocol,
            slice_axis=0 if rng.random() < 0.93 else int(rng.integers(1, 3)),
            cut_fractions=_draw_cuts(rng) if rng.random() < 0.10 else (0.0,) * 6,
            circle=_draw_block_circle(rng) if rng.random() < 0.05 else None,
        )

    @staticmethod
    def random_whole(rng: np.random.Generator) -> ScanProtocol:
        """Draw a protocol for a whole scan: axial slices, nothing cut."""
        kernel = rng.choice(3, p=[0.40, 0.40, 0.20])
        psf = (rng.uniform(0.6, 0.95), rng.uniform(0.42, 0.7), rng.uniform(0.3, 0.5))[kernel]
        sharpening = (0.0, rng.uniform(0, 0.35), rng.uniform(0.2, 1.0))[kernel]
        noise = (11.0, 15.0, 24.0)[kernel] * np.exp(0.4 * rng.standard_normal())
        if rng.random() < 0.06:
            noise *= rng.uniform(1.5, 3.0)
        slice_mm = _draw_slice(rng)
        increment = slice_mm * (1.0 if rng.random() < 0.5 else rng.uniform(0.5, 1.0))
        return ScanProtocol(
            psf_mm=float(psf),
            sharpening=float(sharpening),
            noise_hu=float(np.clip(noise, 3, 110)),
            noise_grain_mm=float(psf * rng.uniform(0.6, 0.95)),
            streak_hu=float(noise * rng.uniform(0.1, 0.9)),
            slice_mm=slice_mm,
            increment_mm=float(increment),
            slice_phase=float(rng.random()),
            offset_hu=float(rng.normal(0, 4)),
            gain=float(rng.normal(1, 0.015)),
            clamp_hu=_draw_clamp(rng),
            levels=int(rng.choice([0, 256, 1024], p=[0.97, 0.015, 0.015])),
            beam_hardening_hu=float(abs(rng.normal(0, 18))),
            cupping_hu=float(abs(rng.normal(0, 4))),
            metal_streak_hu=float(rng.uniform(60, 500)),
            fill_hu=float(
                rng.choice([-1024, -1000, -2000, -3024, 0], p=[0.6, 0.2, 0.08, 0.09, 0.03])
            ),
        )


def _resampled(protocol: ScanProtocol, voxel_mm: float) -> ScanProtocol:
    """Return a protocol whose scan was resampled to cubes; thicker slices stay thick."""
    slice_mm = max(protocol.slice_mm, voxel_mm)
    return replace(protocol, pixel_mm=voxel_mm, slice_mm=slice_mm, increment_mm=voxel_mm)


def _draw_slice(rng: np.random.Generator) -> float:
    kind = rng.choice(3, p=[0.5, 0.33, 0.17])
    return float((rng.uniform(0.6, 1.5), rng.uniform(1.5, 3.2), rng.uniform(3.2, 5.0))[kind])


def _draw_clamp(rng: np.random.Generator) -> tuple[float, float]:
    low = float(rng.choice([-1024, -1000, -2000], p=[0.7, 0.25, 0.05]))
    if rng.random() < 0.05:
        return float(rng.uniform(-1000, -250)), float(rng.uniform(600, 2000))
    return low, float(rng.choice([3071, 2000, 32767], p=[0.75, 0.1, 0.15]))


def _draw_cuts(rng: np.random.Generator) -> tuple[float, ...]:
    return tuple(float(rng.uniform(0, 0.4)) if rng.random() < 0.25 else 0.0 for _ in range(6))


def _draw_block_circle(rng: np.random.Generator) -> tuple[float, float, float]:
    """A circle of 160-500 mm whose edge passes near the block."""
    radius = rng.uniform(80, 250)
    angle = rng.uniform(0, 2 * np.pi)
    distance = radius - rng.uniform(0, 50)
    return float(distance * np.sin(angle)), float(distance * np.cos(angle)), float(radius)
