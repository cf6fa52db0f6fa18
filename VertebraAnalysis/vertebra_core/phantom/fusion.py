"""Vertebrae grown together: fused bodies, bridges before or around discs, sacralisation.

Bone is added between neighbours; each of its voxels belongs to the nearer vertebra, as in expert
masks, where fused vertebrae part in the plane of the former disc.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .findings import FUSED_SHARE
from .grid import Grid, capsule_distance
from .spine_curve import PlacedLevel, disc_frame
from .vertebra_instance import VertebraInstance

KINDS = ("block", "rim", "front", "sacral")
"""A whole disc ossified (congenital or after surgery); its rim (ankylosing spondylitis); a flowing
bridge before the bodies (diffuse idiopathic skeletal hyperostosis); the last lumbar vertebra's
transverse process joined to the sacrum (Castellvi III)."""

_KIND_SHARES = (0.3, 0.2, 0.25, 0.25)
_RUN_LENGTH = {"block": (1, 1), "rim": (3, 8), "front": (4, 7)}
_RIM_SHARE = 0.8
_BRIDGE_START_SHARE = 0.22


@dataclass(frozen=True)
class Fusion:
    """What is grown together in one spine.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    upper_levels : tuple of str
        Each of these is joined to the vertebra below it; empty for ``"sacral"``.
    sides : tuple of float
        Of ``"sacral"``: -1 for right, 1 for left.
    thickness_mm : float
        Of bridges, and radius of the joint with the sacrum.
    """

    kind: str
    upper_levels: tuple[str, ...] = ()
    sides: tuple[float, ...] = ()
    thickness_mm: float = 4.0


def draw_fusion(
    levels: tuple[str, ...], rng: np.random.Generator, share: float = FUSED_SHARE
) -> Fusion | None:
    """Draw whether and how vertebrae of a spine are fused.

    Parameters
    ----------
    levels : tuple of str
        Head to foot, ``"S1"`` last.
    rng : numpy.random.Generator
    share : float
        Probability that any are.
    """
    if rng.random() >= share:
        return None
    kind = str(rng.choice(KINDS, p=_KIND_SHARES))
    if kind == "sacral":
        sides = ((-1.0,), (1.0,), (-1.0, 1.0))[int(rng.integers(3))]
        return Fusion(kind, sides=sides, thickness_mm=float(rng.uniform(6, 10)))
    lowest_first = "C2" if kind == "block" else "T4"
    possible = levels[levels.index(lowest_first) : -2]
    shortest, longest = _RUN_LENGTH[kind]
    length = min(int(rng.integers(shortest, longest + 1)), len(possible))
    start = int(rng.integers(len(possible) - length + 1))
    thickness = float(rng.uniform(2.5, 6.0))
    return Fusion(kind, tuple(possible[start : start + length]), thickness_mm=thickness)


def fusion_pieces(
    grid: Grid, fusion: Fusion, instances: list[VertebraInstance], sacrum: PlacedLevel
) -> Iterator[tuple[tuple[slice, slice, slice], np.ndarray]]:
    """Yield the bone that joins vertebrae as (box, signed distance in mm)."""
    for upper, lower in zip(instances, instances[1:], strict=False):
        if upper.placed.name in fusion.upper_levels:
            piece = _disc_bridge(grid, fusion, upper, lower)
            if piece is not None:
                yield piece
    for side in fusion.sides:
        piece = _sacral_bridge(grid, fusion, instances[-1], sacrum, side)
        if piece is not None:
            yield piece


def _disc_bridge(grid: Grid, fusion: Fusion, upper: VertebraInstance, lower: VertebraInstance):
    a, b = upper.placed.center_zyx_mm, lower.placed.center_zyx_mm
    _, depth, width = (
        (p + q) / 2 for p, q in zip(upper.body_size_mm, lower.body_size_mm, strict=True)
    )
    middle, axes = disc_frame(upper.placed, lower.placed)
    half = float(np.linalg.norm(a - b)) / 2
    reach = half + max(depth, width) / 2 + fusion.thickness_mm + 2
    box = grid.box(middle - reach, middle + reach)
    if box is None:
        return None
    z, y, x = grid.local(box, middle, axes)
    if fusion.kind == "front":
        # Hyperostosis keeps to the right of the thoracic aorta.
        x = x + np.float32(0.12 * width)
        outer = _oval(y, x, depth / 2 + fusion.thickness_mm, width / 2 + fusion.thickness_mm)
        ring = np.maximum(outer, -_oval(y, x, depth / 2 - 1.5, width / 2 - 1.5))
        ring = np.maximum(ring, y + np.float32(_BRIDGE_START_SHARE * depth))
        return box, np.maximum(ring, np.abs(z) - np.float32(half))
    outer = _oval(y, x, 0.47 * depth, 0.47 * width)
    if fusion.kind == "rim":
        outer = _oval(y, x, depth / 2 + 0.3 * fusion.thickness_mm, width / 2 + 0.5)
        outer = np.maximum(outer, -_oval(y, x, _RIM_SHARE * depth / 2, _RIM_SHARE * width / 2))
        # The canal's side of the disc seldom ossifies as far.
        outer = np.maximum(outer, y - np.float32(0.46 * depth))
    return box, np.maximum(outer, np.abs(z) - np.float32(0.55 * half))


def _oval(y, x, half_depth_mm: float, half_width_mm: float) -> np.ndarray:
    q = np.sqrt((y / np.float32(half_depth_mm)) ** 2 + (x / np.float32(half_width_mm)) ** 2)
    return (q - 1) * np.float32(min(half_depth_mm, half_width_mm))


def _sacral_bridge(
    grid: Grid, fusion: Fusion, last: VertebraInstance, sacrum: PlacedLevel, side: float
):
    _, depth, width = last.body_size_mm
    start = np.array([0.0, 0.42 * depth, side * (width / 2 + 8)])
    end = np.array([-6.0, 0.42 * depth, side * (width / 2 + 12)])
    a = last.placed.center_zyx_mm + start @ last.placed.axes
    b = sacrum.center_zyx_mm + end @ sacrum.axes
    reach = fusion.thickness_mm + 2
    box = grid.box(np.minimum(a, b) - reach, np.maximum(a, b) + reach)
    if box is None:
        return None
    return box, capsule_distance(*grid.axes(box), a, b, fusion.thickness_mm)
