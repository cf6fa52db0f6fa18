"""Which way is up in a vertebral body, told by the normals of its surface."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .body_field import BodyField

_TILT_LIMIT_DEG = 50.0
_NORMAL_SPREAD_DEG = 14.0
_NEAR_LEVEL, _MARGIN_VOXELS = 0.45, 6
_TRUSTED_RESIDUAL_MM = 0.5
"""Endplates this far from smooth count as much as the walls; better ones count more."""


def unit(v: np.ndarray) -> np.ndarray:
    """Return `v` at length 1."""
    return v / max(float(np.linalg.norm(v)), 1e-9)


def surface_normals(field: BodyField) -> tuple[np.ndarray, np.ndarray]:
    """Outward normals (n, 3) of the surface and their weights."""
    spacing = np.asarray(field.spacing_zyx_mm)
    # Farther off the level is flat and has no slope.
    place = ndimage.find_objects((field.level < _NEAR_LEVEL).astype(np.uint8))[0]
    near = tuple(slice(max(0, s.start - _MARGIN_VOXELS), s.stop + _MARGIN_VOXELS) for s in place)
    smooth = ndimage.gaussian_filter(field.level[near], 1.2 / spacing)
    slopes = np.stack([g / s for g, s in zip(np.gradient(smooth), spacing, strict=True)], -1)
    size = np.linalg.norm(slopes, axis=-1)
    surface = size > 0.25 * size.max()
    normals, weights = slopes[surface] / size[surface][:, None], size[surface]
    step = len(normals) // 2500 + 1
    return normals[::step], weights[::step]


def combined_up(
    from_ends: np.ndarray, residual_mm: float, normals: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Weigh what the endplates and what the walls say about up.

    The walls of a body run along its axis even where a fracture has broken its endplates in.
    """
    cosines = normals @ from_ends
    side = np.abs(cosines) < np.sin(np.deg2rad(25))
    if side.sum() < 50:
        return from_ends
    moment = (normals[side] * weights[side, None]).T @ normals[side]
    from_walls = np.linalg.eigh(moment)[1][:, 0]
    from_walls = from_walls * np.sign(from_walls @ from_ends)
    trust = 1 / (1 + (residual_mm / _TRUSTED_RESIDUAL_MM) ** 2)
    return unit(trust * from_ends + (1 - trust) * from_walls)


def vote_for_up(normals: np.ndarray, weights: np.ndarray, hint: np.ndarray) -> np.ndarray:
    """Choose the direction that most surface faces from above and from below."""
    candidates = _cap(hint, np.deg2rad(_TILT_LIMIT_DEG), np.deg2rad(5))
    cosines = (normals @ candidates.T).astype(np.float32)
    narrow = 1 - float(np.cos(np.deg2rad(_NORMAL_SPREAD_DEG)))
    shares = weights.astype(np.float32)
    above = shares @ np.exp((cosines - 1) / narrow)
    below = shares @ np.exp((-cosines - 1) / narrow)
    # A mild preference for the hint keeps walls from winning in tall narrow bodies.
    preference = np.exp((candidates @ hint - 1) / (2 * (1 - np.cos(np.deg2rad(45)))))
    return candidates[int(np.argmax(np.sqrt(above * below) * preference))]


def _cap(axis: np.ndarray, reach_rad: float, step_rad: float) -> np.ndarray:
    """Unit vectors about `axis`, evenly spread."""
    side = unit(np.cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))]))
    other = np.cross(axis, side)
    found = [axis]
    for ring in np.arange(step_rad, reach_rad + 1e-6, step_rad):
        turns = np.arange(0, 2 * np.pi, step_rad / np.sin(ring))
        found.extend(
            np.cos(ring) * axis + np.sin(ring) * (np.cos(t) * side + np.sin(t) * other)
            for t in turns
        )
    return np.array(found)
