"""Vertebral fractures of phantoms: a smooth warp that collapses a body by a stated height loss.

The three shapes are those of Genant et al., J Bone Miner Res 8 (1993) 1137-1148: wedge (anterior
height), biconcave (middle height) and crush (all heights, the posterior one included).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..height_stations import HEIGHT_INSET, SAGITTAL_BAND, columns_of, station_heights

__all__ = ["HEIGHT_INSET", "SHAPES", "Fracture", "heights_from_sdf", "source_points"]

SHAPES = ("wedge", "biconcave", "crush")


@dataclass(frozen=True)
class Fracture:
    """One fractured body.

    Attributes
    ----------
    shape : {"wedge", "biconcave", "crush"}
    loss : float
        Height loss as a fraction of the intact height where it is largest.
    superior_share : float
        Share of the loss that the upper endplate takes.
    bulge : float
        Relative growth of the depth at mid-height.
    ripple : tuple of float
        Amplitude (share of the height), two wave numbers (per depth and width) and two phases of
        the endplates' irregularity.
    """

    shape: str
    loss: float
    superior_share: float
    bulge: float
    ripple: tuple[float, float, float, float, float]

    @staticmethod
    def random(shape: str, loss: float, rng: np.random.Generator) -> Fracture:
        """Draw the details of a fracture of `shape` and `loss`.

        Raises
        ------
        ValueError
            If `shape` is unknown or `loss` is not within 0-0.8.
        """
        if shape not in SHAPES:
            raise ValueError(f"unknown fracture shape {shape!r}")
        if not 0 <= loss <= 0.8:
            raise ValueError("a height loss lies between 0 and 0.8")
        share = rng.uniform(0.4, 0.6) if shape == "biconcave" else rng.uniform(0.45, 1.0)
        ripple = (
            float(rng.uniform(0.0, 0.025)),
            *(float(v) for v in rng.uniform(0.5, 2.0, 2)),
            *(float(v) for v in rng.uniform(0, 2 * np.pi, 2)),
        )
        return Fracture(shape, float(loss), float(share), float(rng.uniform(0, 0.10)), ripple)


def source_points(
    fracture: Fracture,
    z: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
    height_mm: float,
    depth_mm: float,
    width_mm: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Map points of the fractured vertebra to the points of the intact one that came to lie there.

    Parameters
    ----------
    fracture : Fracture
    z, y, x : ndarray of float32
        Coordinates in the body's frame (mm), broadcastable.
    height_mm, depth_mm, width_mm : float
        Size of the intact body.

    Returns
    -------
    z, y, x : ndarray of float32
        Where to sample the intact vertebra. Posterior elements map to themselves.
    """
    z, y, x = np.broadcast_arrays(z, y, x)
    half = np.float32(height_mm / 2)
    # Depth positions refer to the body's own centre line: t = 0 in front, 1 at the posterior wall.
    t = (y / np.float32(depth_mm) + np.float32(0.5)).astype(np.float32)
    loss = fracture.loss * _profile(fracture.shape, t, x / np.float32(width_mm))
    amplitude, ky, kx, py, px = fracture.ripple
    waves = np.sin(2 * np.pi * ky * t + py) * np.sin(2 * np.pi * kx * x / width_mm + px)
    loss = np.clip(loss + amplitude * waves * (loss > 0.02), 0, 0.85).astype(np.float32)
    loss = loss * _in_front_of_pedicles(y - np.float32(depth_mm / 2))

    upper = half - np.float32(2 * fracture.superior_share) * loss * half
    lower = -half + np.float32(2 * (1 - fracture.superior_share)) * loss * half
    stretch = 2 * half / np.maximum(upper - lower, 1e-3)
    inside = (z - lower) * stretch - half
    above, below = half + (z - upper), -half + (z - lower)
    source_z = np.where(z > upper, above, np.where(z < lower, below, inside))

    middle = np.clip(1 - (inside / half) ** 2, 0, 1)
    grow = 1 + np.float32(fracture.bulge) * loss / max(fracture.loss, 1e-3) * middle
    source_y = np.where(y < 0, y / grow, y)
    return source_z.astype(np.float32), source_y.astype(np.float32), x


def _profile(shape: str, t: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Share of the loss at depth `t` (0 front, 1 back) and side `s` (-0.5 to 0.5)."""
    if shape == "wedge":
        return np.clip((0.92 - t) / (0.92 - 0.28), 0, 1)
    if shape == "crush":
        return np.ones_like(t)
    along = np.clip((0.46 - np.abs(t - 0.5)) / (0.46 - 0.10), 0, 1)
    across = 1 - 0.6 * np.clip(2 * np.abs(s), 0, 1) ** 4
    return np.sin(along * np.pi / 2) ** 2 * across


def _in_front_of_pedicles(behind_wall_mm: np.ndarray) -> np.ndarray:
    """1 within the body, falling smoothly to 0 from the posterior wall to 5 mm behind it."""
    u = np.clip(1 - behind_wall_mm / 5.0, 0, 1)
    return (u * u * (3 - 2 * u)).astype(np.float32)


def heights_from_sdf(
    body_sdf: np.ndarray,
    origin_zyx_mm: tuple[float, float, float],
    spacing_mm: float,
    depth_mm: float,
    width_mm: float,
) -> tuple[float, float, float]:
    """Measure Ha, Hm and Hp of a body given as a signed distance field in its own frame.

    Parameters
    ----------
    body_sdf : ndarray, shape (z, y, x)
        Signed distance to the body (mm), negative inside.
    origin_zyx_mm : tuple of float
        Position of voxel [0, 0, 0] in the body's frame.
    spacing_mm : float
    depth_mm, width_mm : float
        Nominal size of the body; the walls themselves are found in the field.

    Returns
    -------
    tuple of float
        Anterior, middle and posterior height in mm (NaN where there is no body).
    """
    y = origin_zyx_mm[1] + spacing_mm * np.arange(body_sdf.shape[1])
    x = origin_zyx_mm[2] + spacing_mm * np.arange(body_sdf.shape[2])
    band = body_sdf[:, :, np.abs(x) <= SAGITTAL_BAND * width_mm]
    measured = station_heights(columns_of(band, origin_zyx_mm[0], spacing_mm), y)
    if measured is None:
        return (float("nan"),) * 3
    anterior, middle, posterior = np.nanmedian(measured.heights_mm, axis=0)
    return float(anterior), float(middle), float(posterior)
