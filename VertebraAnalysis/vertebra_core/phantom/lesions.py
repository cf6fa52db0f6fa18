"""Lytic and sclerotic lesions of phantom vertebrae, with exact truth.

A lesion is an uneven ellipsoid within one vertebra. Lytic ones hold soft tissue in place of bone,
cortex included; sclerotic ones dense bone. They are part of a scene, so that truth and picture
always agree.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from .codes import BODY_BIT
from .scene import SDF_STEPS_PER_MM, SDF_ZERO, PhantomLesion, PhantomScene

LYTIC, SCLEROTIC = "lytic", "sclerotic"
KINDS = (LYTIC, SCLEROTIC)

MOST_LESIONS = 5

_SEED_STREAM = 7
_REACH = 1.35
_LEAST_DEPTH_MM = 1.5
_TRIES = 40


def draw_lesions(
    scene: PhantomScene, rng: np.random.Generator, count: int | None = None
) -> tuple[PhantomLesion, ...]:
    """Draw lesions within the bodies of a scene.

    Parameters
    ----------
    scene : PhantomScene
    rng : numpy.random.Generator
    count : int, optional
        How many to try; drawn (one to `MOST_LESIONS`, mostly few) when None. Fewer are returned
        where the scene shows too little bone.

    Returns
    -------
    tuple of PhantomLesion
        They do not overlap.
    """
    count = min(int(rng.geometric(0.45)), MOST_LESIONS) if count is None else count
    size = scene.size_mm
    bodies = [
        v
        for v in scene.vertebrae
        if v.depth_mm > 0
        and ((np.asarray(v.center_zyx_mm) > 8) & (np.asarray(v.center_zyx_mm) < size - 8)).all()
    ]
    found: list[PhantomLesion] = []
    for _ in range(count if bodies else 0):
        lesion = _draw_one(scene, bodies[int(rng.integers(len(bodies)))], rng)
        if lesion is not None and not any(_overlap(lesion, other) for other in found):
            found.append(lesion)
    return tuple(found)


def with_lesions(scene: PhantomScene, share: float = 1.0) -> PhantomScene:
    """Return `scene` with lesions that follow from its seed.

    Parameters
    ----------
    scene : PhantomScene
    share : float
        Probability that a scene gets any.
    """
    # A stream of its own: the rest of the scene is the same with and without lesions.
    rng = np.random.default_rng([scene.seed, _SEED_STREAM])
    if rng.random() >= share:
        return scene
    return replace(scene, lesions=draw_lesions(scene, rng))


def lesion_field(
    lesions: tuple[PhantomLesion, ...], points_zyx_mm: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Evaluate lesions at points of the scene.

    Parameters
    ----------
    lesions : tuple of PhantomLesion
    points_zyx_mm : list of three Tensors of one shape

    Returns
    -------
    share : Tensor of float32
        1 inside a lesion, 0 outside, falling over its edge.
    hu : Tensor of float32
        Density of the lesion there.
    """
    shape = points_zyx_mm[0].shape
    share, hu = torch.zeros(shape), torch.zeros(shape)
    for lesion in lesions:
        scaled = [
            (p - c) / r
            for p, c, r in zip(
                points_zyx_mm, lesion.center_zyx_mm, lesion.radii_zyx_mm, strict=True
            )
        ]
        distance = sum(u * u for u in scaled).sqrt()
        near = distance < _REACH
        if not bool(near.any()):
            continue
        waves = sum(
            torch.sin(4.0 * u[near] + phase) for u, phase in zip(scaled, lesion.phases, strict=True)
        )
        edge = (1 + lesion.waviness * waves / 3 - distance[near]) * min(lesion.radii_zyx_mm)
        own = (edge + 0.5).clamp(0, 1)
        stronger = own > share[near]
        hu[near] = torch.where(stronger, torch.full_like(own, lesion.hu), hu[near])
        share[near] = torch.maximum(own, share[near])
    return share, hu


def _draw_one(scene, body, rng: np.random.Generator) -> PhantomLesion | None:
    kind = KINDS[int(rng.random() < 0.5)]
    height = float(np.nanmin([body.height_anterior_mm, body.height_middle_mm]))
    if not np.isfinite(height):
        return None
    largest = max(3.0, 0.42 * min(height, body.depth_mm))
    radius = rng.uniform(2.5, largest)
    radii = radius * rng.uniform(0.8, 1.25, 3)
    extent = np.array([height, body.depth_mm, body.width_mm])
    for _ in range(_TRIES):
        offset = rng.uniform(-0.42, 0.42, 3) * extent
        center = np.asarray(body.center_zyx_mm) + offset @ np.asarray(body.axes_zyx)
        if _deep_in_body(scene, center, body.level):
            hu = rng.uniform(15, 75) if kind == LYTIC else rng.uniform(450, 1100)
            return PhantomLesion(
                kind,
                int(body.level),
                tuple(float(c) for c in center),
                tuple(float(r) for r in radii),
                float(hu),
                float(rng.uniform(0.05, 0.3)),
                tuple(float(p) for p in rng.uniform(0, 2 * np.pi, 3)),
            )
    return None


def _deep_in_body(scene, center_zyx_mm: np.ndarray, level: int) -> bool:
    index = np.rint(center_zyx_mm / scene.spacing_mm).astype(int)
    if (index < 0).any() or (index >= scene.labels.shape).any():
        return False
    depth = (SDF_ZERO - int(scene.bone_sdf[tuple(index)])) / SDF_STEPS_PER_MM
    return int(scene.labels[tuple(index)]) == (level | BODY_BIT) and depth >= _LEAST_DEPTH_MM


def _overlap(a: PhantomLesion, b: PhantomLesion) -> bool:
    apart = np.linalg.norm(np.subtract(a.center_zyx_mm, b.center_zyx_mm))
    return bool(apart < max(a.radii_zyx_mm) + max(b.radii_zyx_mm))
