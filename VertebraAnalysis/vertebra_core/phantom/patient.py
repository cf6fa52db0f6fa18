"""Draws what kind of patient a phantom is and which part of the body its grid covers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .fracture import Fracture
from .spine_curve import SHARED_DISTANCE_LOG_SD, ColumnSpec, PlacedLevel, draw_levels
from .torso import Habitus

# Fractures favour the mid-thoracic spine and the thoracolumbar junction (Genant et al. 1993;
# Melton et al. 1993).
_FRACTURE_WEIGHT = {
    "T1": 0.3, "T2": 0.3, "T3": 0.5, "T4": 0.7, "T5": 1.0, "T6": 1.4, "T7": 1.7, "T8": 1.7,
    "T9": 1.2, "T10": 1.1, "T11": 1.6, "T12": 2.4, "T13": 2.0, "L1": 2.6, "L2": 1.5, "L3": 1.2,
    "L4": 1.0, "L5": 0.6, "C4": 0.1, "C5": 0.15, "C6": 0.15, "C7": 0.15,
}  # fmt: skip

# Height loss of each grade, as a fraction: Genant grades 1, 2 and 3.
_LOSS_RANGE = {1: (0.20, 0.25), 2: (0.25, 0.40), 3: (0.40, 0.65)}

_MILD_LOSS = 0.05, 0.19
"""Of deformities that are no fracture after Genant: seen, but below grade 1."""

_HALF_BODY_MM = 15.0
"""A body whose centre lies so far from the edge of a field of view is whole."""

_MOST_VIEWS = 200
"""Of the rarest fracture, of C4, a fifth of all fields of view show something."""

# Name, probability, highest level and mm above it, lowest level and mm above it.
_FIELDS_OF_VIEW = (
    ("neck", 0.13, "C1", 45.0, "T3", -10.0),
    ("chest", 0.25, "C6", 15.0, "L1", -20.0),
    ("abdomen", 0.25, "T10", 20.0, "S1", -150.0),
    ("lumbar", 0.13, "T11", 15.0, "S1", -75.0),
    ("thoracolumbar", 0.16, "T4", 10.0, "S1", -50.0),
    ("pelvis", 0.04, "L3", 10.0, "S1", -230.0),
    ("neck and chest", 0.04, "C1", 20.0, "T12", -20.0),
    ("whole spine", 0.02, "C1", 30.0, "S1", -120.0),
)


@dataclass(frozen=True)
class PatientSpec:
    """One synthetic patient.

    Attributes
    ----------
    column : ColumnSpec
    habitus : Habitus
    degeneration : float
        0 (young) to 1: osteophytes.
    trabecular_hu : float
        Mean trabecular density of the thoracolumbar bodies.
    implants : tuple of str
        Names of the levels that carry pedicle screws.
    cemented : tuple of str
        Names of the levels treated with vertebroplasty.
    """

    column: ColumnSpec
    habitus: Habitus
    degeneration: float
    trabecular_hu: float
    implants: tuple[str, ...]
    cemented: tuple[str, ...]


def draw_patient(
    rng: np.random.Generator,
    variant: str | None = None,
    fractured: bool | None = None,
    n_fractures: int | None = None,
    n_mild: int = 0,
) -> PatientSpec:
    """Draw a patient.

    Parameters
    ----------
    rng : numpy.random.Generator
    variant : str, optional
        As in `draw_levels`.
    fractured : bool, optional
        Forces or forbids fractures.
    n_fractures : int, optional
        How many fractures a fractured spine has; drawn where None.
    n_mild : int
        How many more bodies have lost height, but too little for grade 1.

    Raises
    ------
    ValueError
        If more than `findings.MOST_DEFORMED_TOGETHER` bodies are wanted and the spine has fewer.
    """
    levels = draw_levels(rng, variant)
    scale = float(np.clip(np.exp(rng.normal(0, SHARED_DISTANCE_LOG_SD)), 0.78, 1.22))
    age = rng.beta(2.2, 1.4)
    if fractured is None:
        fractured = bool(rng.random() < 0.5)
    fractures = _draw_fractures(levels, n_fractures, rng) if fractured else {}
    scoliosis = float(rng.uniform(0.5, 3.5) if rng.random() < 0.82 else rng.uniform(4, 11))
    mobile = [n for n in levels if n[0] in "TL"]
    implants: tuple[str, ...] = ()
    if rng.random() < 0.04:
        first = int(rng.integers(4, len(mobile) - 2))
        implants = tuple(mobile[first : first + int(rng.integers(2, 5))])
    cemented = tuple(n for n in fractures if rng.random() < 0.06)
    girth = float(np.exp(rng.normal(0.0, 0.07)))
    if n_mild:
        fractures = fractures | _draw_mild([n for n in levels if n not in fractures], n_mild, rng)
    return PatientSpec(
        column=ColumnSpec(levels, scale, scoliosis, fractures),
        habitus=Habitus(scale, float(rng.uniform(4, 45)), girth),
        degeneration=float(age * rng.uniform(0.2, 0.9)),
        trabecular_hu=float(np.clip(rng.normal(230 - 150 * age, 35), -20, 320)),
        implants=implants,
        cemented=cemented,
    )


def _draw_fractures(levels, count: int | None, rng) -> dict[str, Fracture]:
    if count is None:
        count = min(int(rng.geometric(0.38)), 6)
    grades = {1: 0.34, 2: 0.38, 3: 0.28}

    def loss_range() -> tuple[float, float]:
        return _LOSS_RANGE[int(rng.choice(list(grades), p=list(grades.values())))]

    return _deformed(levels, count, loss_range, rng)


def _draw_mild(levels, count: int, rng) -> dict[str, Fracture]:
    return _deformed(levels, count, lambda: _MILD_LOSS, rng)


def _deformed(
    levels, count: int, loss_range: Callable[[], tuple[float, float]], rng
) -> dict[str, Fracture]:
    weights = np.array([_FRACTURE_WEIGHT.get(n, 0.0) for n in levels])
    chosen = rng.choice(len(levels), size=count, replace=False, p=weights / weights.sum())
    deformed = {}
    for i in chosen:
        low, high = loss_range()
        shape = str(rng.choice(["wedge", "biconcave", "crush"], p=[0.55, 0.27, 0.18]))
        deformed[levels[i]] = Fracture.random(shape, float(rng.uniform(low, high)), rng)
    return deformed


def draw_field_of_view(
    column: tuple[PlacedLevel, ...], scale: float, rng: np.random.Generator, kind: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the box (low and high corner, z, y, x mm in the patient's frame) that a grid covers.

    Parameters
    ----------
    column : tuple of PlacedLevel
        Head to foot, in the patient's frame.
    scale : float
        Size of the patient against the median.
    rng : Generator
    kind : str or None
        One of the names of the table above; None draws one.
    """
    if kind is None:
        weights = np.array([f[1] for f in _FIELDS_OF_VIEW])
        kind = _FIELDS_OF_VIEW[rng.choice(len(weights), p=weights / weights.sum())][0]
    _, _, upper, up_mm, lower, down_mm = next(f for f in _FIELDS_OF_VIEW if f[0] == kind)
    by_name = {p.name: p.center_zyx_mm for p in column}

    def height(name: str) -> float:
        while name not in by_name:
            name = f"{name[0]}{int(name[1:]) - 1}"
        return float(by_name[name][0])

    high_z = height(upper) + up_mm * scale + rng.normal(0, 14)
    low_z = height(lower) + down_mm * scale + rng.normal(0, 14)
    inside = [p.center_zyx_mm for p in column if low_z < p.center_zyx_mm[0] < high_z]
    middle = np.mean(inside, axis=0)
    if rng.random() < 0.72:
        half_x = rng.uniform(150, 190) * scale
        low_y = middle[1] - rng.uniform(150, 180) * scale
        high_y = middle[1] + rng.uniform(85, 110)
    else:
        half_x = rng.uniform(62, 100)
        low_y = middle[1] - rng.uniform(60, 110)
        high_y = middle[1] + rng.uniform(55, 85)
    shift = rng.normal(0, 10)
    low = np.array([low_z, low_y, middle[2] - half_x + shift])
    high = np.array([high_z, high_y, middle[2] + half_x + shift])
    return low, high


def draw_view_of_fracture(
    column: tuple[PlacedLevel, ...],
    deformed: Mapping[str, Fracture],
    scale: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw boxes as `draw_field_of_view` does until one shows a whole fractured body.

    Parameters
    ----------
    column : tuple of PlacedLevel
    deformed : mapping
        Level name -> what befell its body; mild deformities do not count.
    scale : float
    rng : numpy.random.Generator
    """
    least_loss = _LOSS_RANGE[1][0]
    broken = {name for name, fracture in deformed.items() if fracture.loss >= least_loss}
    centres = [p.center_zyx_mm for p in column if p.name in broken]
    for _ in range(_MOST_VIEWS):
        low, high = draw_field_of_view(column, scale, rng)
        if any(((c > low + _HALF_BODY_MM) & (c < high - _HALF_BODY_MM)).all() for c in centres):
            break
    return low, high
