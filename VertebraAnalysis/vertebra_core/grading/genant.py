"""Height losses and Genant grades from measured heights.

A wedge is told from the anterior against the body's own posterior height, a biconcave deformity
from the middle height, a crush from the posterior height against the rest of the spine; all three
against what the level is expected to have. Where the posterior wall has lost height as well, it is
no reference any more, and anterior and middle losses are taken against the spine too. Grades after
Genant et al., J Bone Miner Res 8 (1993) 1137-1148.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, hypot, sqrt

import numpy as np

from ..analysis import HeightLoss, HeightReference
from .measured_body import MeasuredBody
from .norms import OUTSIDE_GENANT_FACTOR, LevelNorm, level_norm
from .posterior_reference import NEIGHBOURS, posterior_references

GRADE_THRESHOLDS = (0.20, 0.25, 0.40)
"""Loss from which grades 1, 2 and 3 begin [Genant 1993]."""

READER_SD = 0.064
"""Standard deviation of a height loss between readers: limits of agreement of +-12.5 %, about what
studies of readers report, are 1.96 of it. No grade is given a finer certainty than readers have
among themselves."""

SURFACE_SD_MM = 0.35
"""Error of a height that is the same in all slices of a body: where a surface is put. A choice,
about the error of heights on phantoms of 1 mm (0.3-0.4 mm)."""

CRUSH_NOTICED = 0.10
"""Posterior loss from which the spine begins to replace the posterior wall as the reference."""

DEFORMED_POSTERIOR_SD = 0.08
"""Spread of the posterior loss among wedged and hollow bodies, against which its estimate from the
rest of the spine is shrunk. A choice: few fractures sink the posterior wall by more than twice
this."""


@dataclass(frozen=True)
class Morphometry:
    """What the heights of one body say.

    Attributes
    ----------
    loss : HeightLoss
        Wedge and biconcave against the level's ratios, crush against the spine.
    reference : HeightReference
    effective_loss : float
        The loss that is graded.
    loss_sd : float
        Its standard deviation from measurement alone.
    grade : int
    shape : str
    grade_probabilities : tuple of float
    shape_probabilities : tuple of float
        Normal, wedge, biconcave, crush.
    borderline : bool
    """

    loss: HeightLoss
    reference: HeightReference
    effective_loss: float
    loss_sd: float
    grade: int
    shape: str
    grade_probabilities: tuple[float, float, float, float]
    shape_probabilities: tuple[float, float, float, float]
    borderline: bool


def grade_of_loss(loss: float) -> int:
    """Genant grade of a height loss given as a fraction."""
    return int(np.searchsorted(GRADE_THRESHOLDS, loss, side="right"))


def grade_probabilities(loss: float, loss_sd: float) -> tuple[float, float, float, float]:
    """Probabilities of grades 0-3 of a loss known with a Gaussian error."""
    below = [_gaussian_below((t - loss) / loss_sd) for t in GRADE_THRESHOLDS]
    edges = [0.0, *below, 1.0]
    return tuple(b - a for a, b in zip(edges, edges[1:], strict=False))


def median_grade(probabilities: Sequence[float]) -> int:
    """Grade with as much probability above as below it: right for narrow grades, unlike a mode."""
    return int(np.searchsorted(np.cumsum(probabilities), 0.5 * sum(probabilities), side="left"))


def error_band(level: str, loss_sd: float) -> float:
    """Distance from a threshold below which a loss is borderline: its error, wider outside T4-L4.

    Parameters
    ----------
    level : str
    loss_sd : float
        Standard deviation of the loss from measurement alone.
    """
    factor = 1.0 if level_norm(level).within_genant_range else OUTSIDE_GENANT_FACTOR
    return max(loss_sd * factor, 0.01)


def borderline_reason(level: str, morphometry: Morphometry) -> str:
    """Say in a sentence which threshold a borderline loss is near."""
    loss, single = morphometry.effective_loss, morphometry.loss
    largest = max(single.wedge, single.biconcave, single.crush)
    # Else the loss would contradict those that are stated beside it.
    added = " with the posterior loss added" if round(100 * loss) > round(100 * largest) else ""
    near = min(range(3), key=lambda i: abs(loss - GRADE_THRESHOLDS[i]))
    band = error_band(level, morphometry.loss_sd)
    return (
        f"A height loss of {100 * loss:.0f} %{added} (error {100 * band:.0f} %) lies near the "
        f"threshold of grade {near + 1}, {100 * GRADE_THRESHOLDS[near]:.0f} %."
    )


def assess_spine(bodies: Sequence[MeasuredBody]) -> tuple[Morphometry, ...]:
    """Grade the bodies of one spine, any order, each against the others.

    Raises
    ------
    KeyError
        If a level has no norm (C1, C2, S1).
    """
    references = posterior_references(bodies)
    return tuple(_assess(b, *r) for b, r in zip(bodies, references, strict=True))


def _assess(body: MeasuredBody, crush_mm: float, crush_sd_mm: float, source: str) -> Morphometry:
    norm, h, spread = level_norm(body.level), body.heights_mm, body.spread_mm
    ratio_a, ratio_m = h.anterior / h.posterior, h.middle / h.posterior
    loss = HeightLoss(
        wedge=1 - ratio_a / norm.wedge_ratio,
        biconcave=1 - ratio_m / norm.biconcave_ratio,
        crush=1 - h.posterior / crush_mm,
    )
    systematic = hypot(SURFACE_SD_MM, 0.12 * body.voxel_mm)
    sd = {k: hypot(getattr(spread, k) / 2, systematic) for k in ("anterior", "middle", "posterior")}
    from_posterior = sd["posterior"] / h.posterior
    noise = {
        "wedge": (1 - loss.wedge) * hypot(sd["anterior"] / h.anterior, from_posterior),
        "biconcave": (1 - loss.biconcave) * hypot(sd["middle"] / h.middle, from_posterior),
        "crush": hypot(sd["posterior"], crush_sd_mm) / crush_mm,
    }
    compared = source == NEIGHBOURS
    weight = _posterior_weight(loss, noise, norm, crush_sd_mm / crush_mm) if compared else 0.0
    lost = weight * max(loss.crush, 0.0)
    total = {
        "wedge": 1 - (1 - loss.wedge) * (1 - lost),
        "biconcave": 1 - (1 - loss.biconcave) * (1 - lost),
        "crush": loss.crush if compared else 0.0,
    }
    largest = max(total, key=total.__getitem__)
    effective = float(total[largest])
    loss_sd = float(noise[largest])
    if largest != "crush" and lost > 0:
        own = getattr(loss, largest)
        loss_sd = hypot(loss_sd * (1 - lost), noise["crush"] * (1 - own) * weight)
    grade = grade_of_loss(effective)
    shape = _shape(total, largest) if grade else "normal"
    certainty = hypot(loss_sd, READER_SD)
    probabilities = grade_probabilities(effective, certainty)
    band = error_band(body.level, loss_sd)
    borderline = any(abs(effective - t) <= band for t in GRADE_THRESHOLDS)
    return Morphometry(
        loss=loss,
        reference=HeightReference(norm.wedge_ratio, norm.biconcave_ratio, crush_mm, source),
        effective_loss=effective,
        loss_sd=loss_sd,
        grade=grade,
        shape=shape,
        grade_probabilities=probabilities,
        shape_probabilities=_shape_probabilities(total, probabilities[0]),
        borderline=borderline,
    )


def _posterior_weight(
    loss: HeightLoss, noise: dict[str, float], norm: LevelNorm, reference_sd: float
) -> float:
    """Share of the posterior loss against the spine that counts, 0 where there is no sign of any.

    What the spine suggests is known to some 6 % only. It counts as far as it exceeds that; where
    the body is plainly deformed otherwise, so that a loss behind is likely, its best estimate
    counts.
    """
    sunk = max(loss.crush, 0.0)
    beyond_doubt = float(np.clip((sunk - 0.5 * CRUSH_NOTICED) / norm.crush_sd, 0, 1))
    deformed = max(
        loss.wedge / hypot(norm.wedge_sd, noise["wedge"]),
        loss.biconcave / hypot(norm.biconcave_sd, noise["biconcave"]),
    )
    likely = float(np.clip((deformed - 2) / 2, 0, 1))
    shrinkage = DEFORMED_POSTERIOR_SD**2 / (DEFORMED_POSTERIOR_SD**2 + reference_sd**2)
    return max(beyond_doubt, likely * shrinkage)


def _shape(total: dict[str, float], largest: str) -> str:
    # A crush takes all three heights; a wedge that has also sunk behind keeps its name until the
    # posterior loss alone would be a fracture.
    if total["crush"] >= GRADE_THRESHOLDS[0]:
        return "crush"
    return largest


def _shape_probabilities(
    total: dict[str, float], normal: float
) -> tuple[float, float, float, float]:
    """Share the probability of a fracture among the shapes by how large each loss is."""
    scores = np.array([total["wedge"], total["biconcave"], max(total["crush"], 0.0)])
    if total["crush"] >= GRADE_THRESHOLDS[0]:
        scores[2] = max(scores[2], scores.max() + 0.05)
    shares = np.exp((scores - scores.max()) / 0.05)
    shares = shares / shares.sum() * (1 - normal)
    return (normal, *(float(s) for s in shares))


def _gaussian_below(z: float) -> float:
    return 0.5 * (1 + erf(z / sqrt(2)))
