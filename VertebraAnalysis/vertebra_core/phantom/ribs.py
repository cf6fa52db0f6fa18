"""Ribs of a phantom: chains of capsules, jointed to body and transverse process."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .bone_pieces import BonePiece, capsule_pieces
from .codes import Bone
from .grid import Grid
from .torso import CAGE_BACK_MM, SpineLine
from .vertebra_instance import VertebraInstance

# Half-width and half-depth (mm) of the oval that ribs 1-12 follow, how far they fall from back to
# front (mm), and where they end: degrees around the oval, 180 at the sternum.
_RIBS = {
    1: (58, 46, 30, 150), 2: (84, 60, 45, 155), 3: (103, 74, 60, 155), 4: (115, 82, 70, 155),
    5: (122, 88, 80, 152), 6: (128, 92, 88, 150), 7: (132, 95, 95, 148), 8: (135, 97, 95, 140),
    9: (136, 97, 95, 130), 10: (135, 96, 90, 120), 11: (130, 94, 70, 85), 12: (125, 90, 50, 55),
    13: (120, 88, 25, 30),
}  # fmt: skip

_NECK_SHARE = 0.85
"""Thickness of head and neck against the shaft."""

_TIP_MM = 4.0
"""The end of a transverse process: what lies this close to its furthest point."""

_LAST_FACET_IN_FRONT, _LAST_TUBERCLE = 6, 10
"""Ribs 1-6 lie before the transverse process, 7-10 before and above it; the others are free."""

_FREE_LEAN_DEG = (15.0, 60.0)
"""How far backwards from sideways free ribs leave the body: some look like a transverse process."""

_THICKEST_TIP_MM = 12.0
_STEP_MM = 2.0


def rib_pieces(
    instance: VertebraInstance,
    grid: Grid,
    line: SpineLine,
    scale: float,
    rng: np.random.Generator,
    joints: np.random.Generator,
) -> Iterator[BonePiece]:
    """Yield the two ribs of a thoracic vertebra segment by segment.

    A twelfth rib is short or missing in some patients, as in life; T13 carries rudimentary ribs.

    Parameters
    ----------
    instance : VertebraInstance
    grid : Grid
    line : SpineLine
        Of the column.
    scale : float
        Size of the patient.
    rng : numpy.random.Generator
        Draws lengths and thickness.
    joints : numpy.random.Generator
        Draws where the rib meets the vertebra.
    """
    index = int(instance.placed.name[1:])
    length = float(np.exp(rng.normal(0, 0.06)))
    if index >= 12:
        length = rng.uniform(0.35, 1.25)
        if rng.random() < 0.06:
            return
    for side in (-1.0, 1.0):
        own_length = length * np.exp(rng.normal(0, 0.04))
        radius = (4.0 if index in (1, 12, 13) else 4.9) * scale * np.exp(rng.normal(0, 0.08))
        near = _joints(instance, index, side, radius, scale, joints)
        path = _rib_path(near, index, side, line, scale, own_length)
        for k, (a, b) in enumerate(zip(path[:-1], path[1:], strict=True)):
            neck = k < len(near) - 1
            r = radius * (_NECK_SHARE if neck else 1.0)
            yield from capsule_pieces(grid, Bone.RIB, a, b, r, flatten=1.0 if neck else 0.72)


def _joints(instance, index, side, radius, scale, rng) -> np.ndarray:
    """Head, neck, tubercle and angle of a rib (mm, z, y, x), shape (4, 3).

    The head meets the upper back corner of the body (T1 and T11-T13: its upper half), the tubercle
    of the upper ten the transverse process, the angle lies furthest back.
    """
    head = _beside_body(instance, index, side, radius) + rng.normal(0, 0.7, 3)
    tubercle, course = None, np.array([-4, 11, side * 14])
    if index <= _LAST_TUBERCLE:
        tubercle = _before_process(instance, index, side, radius)
    if tubercle is None:
        lean = np.deg2rad(rng.uniform(*_FREE_LEAN_DEG))
        course = 18 * np.array([rng.normal(-0.2, 0.15), np.sin(lean), side * np.cos(lean)])
        tubercle = head + scale * (course + [2 - 0.6 * head[0], 0, 0])
    tubercle = tubercle + rng.normal(0, [1.5, 1.0, 1.5])
    neck = (head + tubercle) / 2 + rng.normal(0, 0.8, 3)
    angle = tubercle + scale * course + rng.normal(0, 2.0, 3)
    local = np.stack([head, neck, tubercle, angle])
    return instance.placed.center_zyx_mm + local @ instance.placed.axes


def _beside_body(instance, index, side, radius) -> np.ndarray:
    """Where the head of a rib touches the back of the body's side."""
    height, depth, width = instance.body_size_mm
    head_up = height * (0.35 if 2 <= index <= 10 else 0.15)
    middle = np.array([head_up, depth * 0.36, 0.0])
    outwards = np.array([0.0, 0.0, side])
    # From within the body: its pedicle and what lies beside it may bulge, too.
    reach = _last_inside_mm(instance, middle, outwards, 0.7 * width)
    if reach < 0.25 * width:
        reach = width / 2
    return middle + (reach + _NECK_SHARE * radius) * outwards


def _last_inside_mm(instance, start, towards, longest_mm: float) -> float:
    """How far bone reaches along a ray; 0 where there is none."""
    steps = np.arange(0, longest_mm, 0.5)
    inside = instance.distances(*(start + steps[:, None] * towards).T)[0] <= 0
    return float(steps[inside][-1]) if inside.any() else 0.0


def _before_process(instance, index, side, radius) -> np.ndarray | None:
    """Where a rib touches the end of the transverse process; None where that is too short."""
    _, depth, width = instance.body_size_mm
    z = np.arange(-26, 27, _STEP_MM)[:, None, None]
    y = np.arange(0.1 * depth, depth / 2 + 40, _STEP_MM)[None, :, None]
    x = side * np.arange(width / 2 + 4, width / 2 + 40, _STEP_MM)[None, None, :]
    z, y, x = np.broadcast_arrays(z, y, x)
    inside = instance.distances(z, y, x)[0] < 0
    if not inside.any():
        return None
    points = np.stack([z[inside], y[inside], x[inside]], -1)
    beyond = np.abs(points[:, 2])
    tip = points[beyond > beyond.max() - _TIP_MM].mean(0)
    towards = np.array([0.1, -1.0, 0.0] if index <= _LAST_FACET_IN_FRONT else [0.6, -0.8, 0.0])
    towards /= np.linalg.norm(towards)
    reach = _last_inside_mm(instance, tip, towards, _THICKEST_TIP_MM)
    return tip + (reach + _NECK_SHARE * radius) * towards


def _rib_path(near, index, side, line, scale, length) -> np.ndarray:
    """Points of a rib from its head to its end (z, y, x, mm); `near` leads up to its angle."""
    half_w, half_d, fall, end_deg = _RIBS[index]
    half_w, half_d, fall = half_w * scale, half_d * scale, fall * scale
    tip = near[-1]
    _, xc = line.at(tip[0])
    start = float(np.arcsin(np.clip(abs(tip[2] - xc) / half_w, 0.05, 0.95)))
    stop = start + (np.deg2rad(end_deg) - start) * min(length, 1.15)
    theta = np.linspace(start, max(stop, start + 0.15), max(4, int(14 * (stop - start) / 2)))
    progress = (theta - start) / (np.pi - start)
    z = tip[0] - fall * (progress * 1.25 - 0.25 * np.sin(progress * np.pi))
    y_tip, _ = line.at(tip[0])
    back = CAGE_BACK_MM * scale + 5
    y = y_tip + back - half_d + half_d * np.cos(theta)
    # Slide the oval so that it begins at the rib's tubercle, and let the shift fade along it.
    fade = np.clip(1 - progress * 2.5, 0, 1)
    y = y + (tip[1] - y[0]) * fade
    x = xc + side * half_w * np.sin(theta)
    x = x + (tip[2] - x[0]) * fade
    return np.concatenate([near[:-1], np.stack([z, y, x], axis=1)])
