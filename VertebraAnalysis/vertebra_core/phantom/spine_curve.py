"""The column of a phantom: which levels it has, where their bodies lie and how they are turned.

Positions are millimetres in the patient's frame, index order z (to the head), y (to the back),
x (to the left); the origin is the body centre of the last thoracic vertebra.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..levels import Region, level_named
from .discs import DiscHeights
from .fracture import Fracture

# Median distance (mm), spread of its logarithm, median sagittal angle (degrees, positive where the
# lower body lies further back) and its spread for neighbouring body centres: expert keypoints of
# 1655 CT scans of the VID data set (ImFusion, CC BY-SA 4.0). The angle's spread holds both
# differences of posture that a whole spine shares and jitter of single levels.
_SEGMENTS: dict[tuple[str, str], tuple[float, float, float, float]] = {
    ("C1", "C2"): (17.3, 0.10, 12.0, 9.0),
    ("C2", "C3"): (22.0, 0.09, 6.2, 10.0),
    ("C3", "C4"): (17.9, 0.08, 12.0, 10.0),
    ("C4", "C5"): (17.3, 0.08, 15.0, 9.0),
    ("C5", "C6"): (16.8, 0.08, 16.0, 9.0),
    ("C6", "C7"): (17.6, 0.08, 21.8, 9.0),
    ("C7", "T1"): (19.8, 0.08, 27.0, 9.0),
    ("T1", "T2"): (20.9, 0.07, 27.6, 8.0),
    ("T2", "T3"): (21.1, 0.07, 26.5, 7.0),
    ("T3", "T4"): (21.1, 0.06, 21.8, 6.0),
    ("T4", "T5"): (21.7, 0.06, 16.8, 6.0),
    ("T5", "T6"): (22.1, 0.06, 10.4, 6.0),
    ("T6", "T7"): (22.6, 0.06, 2.9, 6.5),
    ("T7", "T8"): (23.4, 0.06, -4.0, 7.0),
    ("T8", "T9"): (24.0, 0.06, -9.5, 7.5),
    ("T9", "T10"): (25.3, 0.06, -12.3, 7.5),
    ("T10", "T11"): (27.2, 0.06, -13.3, 7.0),
    ("T11", "T12"): (29.6, 0.06, -14.0, 7.0),
    ("T12", "T13"): (30.9, 0.06, -14.1, 7.0),
    ("T12", "L1"): (32.3, 0.06, -14.2, 6.5),
    ("T11", "L1"): (31.0, 0.06, -14.1, 7.0),
    ("T13", "L1"): (32.6, 0.06, -14.3, 6.5),
    ("L1", "L2"): (34.4, 0.06, -15.5, 6.4),
    ("L2", "L3"): (35.8, 0.06, -12.8, 6.2),
    ("L3", "L4"): (36.4, 0.06, -6.1, 7.0),
    ("L4", "L5"): (36.2, 0.06, 6.6, 9.0),
    ("L5", "L6"): (36.0, 0.06, 20.0, 9.0),
    ("L5", "S1"): (33.0, 0.06, 24.0, 9.0),
    ("L6", "S1"): (32.0, 0.06, 32.0, 9.0),
    ("L4", "S1"): (33.0, 0.06, 20.0, 9.0),
}

# Share of the distance between body centres that bone takes; the rest is the disc. Discs: cervical
# 5 mm, thoracic 4-5 mm, lumbar 9-11 mm (Gilad and Nissan 1986; Fletcher et al. 2015).
_BONE_SHARE = {Region.CERVICAL: 0.73, Region.THORACIC: 0.81, Region.LUMBAR: 0.75}

_LARGEST_BONE_SHARE = 0.92

_AXIS_HEIGHT = 1.6
"""The body of C2, up to the base of the dens, against that of C3 (Panjabi et al. 1991)."""

SHARED_DISTANCE_LOG_SD = 0.085
"""Between-patient spread of the logarithm of all distances."""


@dataclass(frozen=True)
class ColumnSpec:
    """What kind of column to draw.

    Attributes
    ----------
    levels : tuple of str
        Names from head to foot, ``"S1"`` last.
    scale : float
        Size of the patient against the population median.
    scoliosis_deg : float
        Standard deviation of the coronal angle along the column.
    fractures : dict
        Level name -> `Fracture`.
    """

    levels: tuple[str, ...]
    scale: float
    scoliosis_deg: float
    fractures: dict[str, Fracture]


@dataclass(frozen=True)
class PlacedLevel:
    """One level of the column: where its body lies, its axes and the intact body height."""

    name: str
    center_zyx_mm: np.ndarray
    axes: np.ndarray
    intact_height_mm: float
    fracture: Fracture | None


def draw_levels(rng: np.random.Generator, variant: str | None = None) -> tuple[str, ...]:
    """Draw the levels of a column, head to foot.

    Parameters
    ----------
    rng : Generator
    variant : {None, "usual", "T13", "L6", "no_T12", "no_L5"}
        With None the usual column has a probability of 0.86; the rest is shared by the variants,
        which is more than in patients (about 10 %) so that few phantoms show all of them.
    """
    if variant is None:
        variant = rng.choice(
            ["usual", "T13", "L6", "no_T12", "no_L5"], p=[0.86, 0.04, 0.05, 0.03, 0.02]
        )
    cervical = [f"C{i}" for i in range(1, 8)]
    thoracic = [f"T{i}" for i in range(1, 12 if variant == "no_T12" else 13)]
    lumbar = [f"L{i}" for i in range(1, 5 if variant == "no_L5" else 6)]
    if variant == "T13":
        thoracic.append("T13")
    if variant == "L6":
        lumbar.append("L6")
    return tuple(cervical + thoracic + lumbar + ["S1"])


def smooth_noise(rng: np.random.Generator, n: int, length: float) -> np.ndarray:
    """Draw a unit-variance Gaussian process of `n` steps with correlation length `length` steps."""
    i = np.arange(n)
    cov = np.exp(-0.5 * ((i[:, None] - i[None]) / length) ** 2) + 1e-6 * np.eye(n)
    return np.linalg.cholesky(cov) @ rng.standard_normal(n)


def place_column(
    spec: ColumnSpec, rng: np.random.Generator, discs: DiscHeights | None = None
) -> tuple[PlacedLevel, ...]:
    """Place every level of a column.

    Parameters
    ----------
    spec : ColumnSpec
    rng : numpy.random.Generator
    discs : DiscHeights, optional
        None takes the usual heights.

    Returns
    -------
    tuple of PlacedLevel
        Head to foot. ``axes`` rows are the body's up, back and left unit vectors (z, y, x order).
    """
    names = spec.levels
    n = len(names)
    table = np.array([_SEGMENTS[pair] for pair in zip(names[:-1], names[1:], strict=True)])
    jitter = table[:, 1] * 0.6 * rng.standard_normal(n - 1)
    lengths = table[:, 0] * spec.scale * np.exp(jitter)
    sagittal = table[:, 2] + table[:, 3] * (
        0.85 * smooth_noise(rng, n - 1, 4.0) + 0.3 * rng.standard_normal(n - 1)
    )
    coronal = spec.scoliosis_deg * smooth_noise(rng, n - 1, 4.0)
    coronal -= np.mean(coronal)
    heights = _intact_heights(names, lengths, rng, discs.build if discs else np.ones(n))
    if discs:
        lengths = _worn(lengths, heights, discs.left)
    lengths, sagittal = _collapse(spec, names, lengths, sagittal, heights)

    a, b = np.deg2rad(sagittal), np.deg2rad(coronal)
    steps = np.stack([-np.cos(a) * np.cos(b), np.sin(a) * np.cos(b), np.sin(b)], axis=1)
    centres = np.concatenate([np.zeros((1, 3)), np.cumsum(steps * lengths[:, None], axis=0)])
    reference = max(i for i, name in enumerate(names) if name.startswith("T"))
    centres -= centres[reference]

    axial = np.deg2rad(spec.scoliosis_deg * 0.8) * smooth_noise(rng, n, 4.0)
    tilt = np.deg2rad(1.5) * rng.standard_normal((n, 2))
    placed = []
    for i, name in enumerate(names):
        up = -(steps[max(i - 1, 0)] + steps[min(i, n - 2)])
        axes = _axes(up, axial[i], tilt[i])
        fracture = spec.fractures.get(name)
        placed.append(PlacedLevel(name, centres[i], axes, float(heights[i]), fracture))
    # The endplate of S1 slopes more than the line from L5 does: it faces forward by half of the
    # lumbosacral disc's wedge as well.
    slope = a[-1] + np.deg2rad(rng.normal(10, 5))
    up = np.array([np.cos(slope), -np.sin(slope), -np.sin(b[-1])])
    placed[-1] = replace(placed[-1], axes=_axes(up, axial[-1], tilt[-1]))
    return tuple(placed)


def disc_frame(upper: PlacedLevel, lower: PlacedLevel) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle between two bodies (z, y, x, mm) and the mean of their axes (rows)."""
    axes = upper.axes + lower.axes
    middle = (upper.center_zyx_mm + lower.center_zyx_mm) / 2
    return middle, axes / np.linalg.norm(axes, axis=1, keepdims=True)


def _intact_heights(names, lengths, rng, build) -> np.ndarray:
    n = len(names)
    heights = np.empty(n)
    narrowing = np.exp(0.05 * rng.standard_normal())
    for i, name in enumerate(names):
        region = level_named(name).region
        share = 1 - (1 - _BONE_SHARE.get(region, 0.75)) * build[i]
        share *= narrowing * np.exp(0.02 * rng.standard_normal())
        near = lengths[max(i - 1, 0) : i + 1]
        if name in ("C1", "C2"):
            near = lengths[2:3]
        tall = _AXIS_HEIGHT if name == "C2" else 1.0
        heights[i] = np.mean(near) * min(share, _LARGEST_BONE_SHARE) * tall
    return heights


def _worn(lengths, heights, left) -> np.ndarray:
    """Bring the neighbours of worn discs closer; the pair of C1 and C2 has none."""
    disc = np.maximum(lengths - (heights[:-1] + heights[1:]) / 2, 0)
    disc[0] = 0
    return lengths - disc * (1 - np.asarray(left))


def _collapse(spec, names, lengths, sagittal, heights):
    """Bring neighbours of fractured bodies closer and let wedges bend the column forward."""
    lengths, sagittal = lengths.copy(), sagittal.copy()
    for i, name in enumerate(names):
        fracture = spec.fractures.get(name)
        if fracture is None or not 0 < i < len(names) - 1:
            continue
        mean_loss = fracture.loss * (0.5 if fracture.shape == "wedge" else 0.85)
        lost_mm = 0.8 * mean_loss * heights[i]
        lengths[i - 1] -= lost_mm / 2
        lengths[i] -= lost_mm / 2
        if fracture.shape == "wedge":
            bend = np.rad2deg(np.arctan(fracture.loss * 0.55))
            sagittal[:i] += 0.5 * bend
            sagittal[i:] -= 0.25 * bend
    return lengths, sagittal


def _axes(up: np.ndarray, axial_rad: float, tilt_rad: np.ndarray) -> np.ndarray:
    up = up / np.linalg.norm(up) + np.array([0.0, tilt_rad[0], tilt_rad[1]])
    up /= np.linalg.norm(up)
    back = np.array([0.0, np.cos(axial_rad), np.sin(axial_rad)])
    back -= up * (back @ up)
    back /= np.linalg.norm(back)
    # z, y, x order is a left-handed naming of the axes; left = direction of +x.
    left = np.cross(back, up)
    left *= np.sign(left[2]) or 1.0
    return np.stack([up, back, left])
