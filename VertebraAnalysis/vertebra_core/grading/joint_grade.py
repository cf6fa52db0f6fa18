"""Two opinions on a body made one: its measured heights, and the learned head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .genant import median_grade

Probabilities = tuple[float, float, float, float]

LEAST_PROBABILITY = 0.01
"""Neither opinion can rule a grade out alone."""


@dataclass(frozen=True)
class Joining:
    """How the two opinions are weighed.

    Attributes
    ----------
    learned_weight : float
        Share of the learned head in the joint log-probability, 0-1; morphometry has the rest.
    temperature : float
        The joint log-probability is divided by it: above 1 makes it less sure, below 1 surer (Guo
        et al., "On calibration of modern neural networks", ICML 2017).
    tilt : float
        Nats, before the temperature, by which each grade is less likely than the one below it.
        Both opinions lean upwards: half of the samples that the head was trained on are fractured
        (Saerens et al., "Adjusting the outputs of a classifier to new a priori probabilities",
        Neural Computation 14 (2002) 21-41), and the largest of three losses, each with its error,
        is graded.
    """

    learned_weight: float
    temperature: float = 1.0
    tilt: float = 0.0


JOINING = Joining(learned_weight=0.5, temperature=0.5, tilt=0.3)
"""Fitted as `training.calibrate_grades` does, to 654 bodies of 64 phantoms that no training has
seen: 48 with nine fractures each, 16 with twelve mild deformities, weighed as if 9 % of the bodies
were fractured (227 are) and none or 5 % mildly deformed (107 are). Of the settings within 0.002
nats of the least log loss of either it grades the most fractures rightly. To be fitted again
whenever the grade head has been trained again: after its last stage, 367 bodies of 38 phantoms
(weighed likewise) ask for 0.7, 0.8 and 0.2, which finds 157 instead of 155 of 164 fractures, calls
seven instead of five of 203 sound bodies fractured and grades as many rightly, so it was kept."""


def joint_probabilities(
    morphometry: Sequence[float], learned: Sequence[float], joining: Joining = JOINING
) -> Probabilities:
    """Return the weighted geometric mean of two opinions on a grade, tilted and normalised.

    Parameters
    ----------
    morphometry, learned : sequence of float, length 4
        Probabilities of grades 0-3.
    joining : Joining
    """
    return tuple(joint_of_many(np.asarray(morphometry), np.asarray(learned), joining).tolist())


def joint_shapes(
    morphometry: Sequence[float], learned: Sequence[float], joining: Joining = JOINING
) -> Probabilities:
    """Do the same for two opinions on a shape; shapes have no order to tilt."""
    return joint_probabilities(morphometry, learned, replace(joining, tilt=0.0))


def joint_of_many(
    morphometry: np.ndarray, learned: np.ndarray, joining: Joining = JOINING
) -> np.ndarray:
    """Do the same for many bodies; all arrays have the shape (..., 4)."""
    weight = joining.learned_weight
    logs = (1 - weight) * np.log(np.maximum(morphometry, LEAST_PROBABILITY))
    logs = logs + weight * np.log(np.maximum(learned, LEAST_PROBABILITY))
    logs = (logs - joining.tilt * np.arange(logs.shape[-1])) / joining.temperature
    joint = np.exp(logs - logs.max(-1, keepdims=True))
    return joint / joint.sum(-1, keepdims=True)


def stated_probabilities(
    joint: Sequence[float], morphometric: int, learned: int | None, joining: Joining = JOINING
) -> Probabilities:
    """Return what is stated of a joint opinion: less where the two give different grades.

    A temperature below 1 adds up what two opinions know apart from each other. Where they
    contradict, one is wrong: no more than their mean is stated then, that of temperature 1. Of the
    367 bodies that `JOINING` tells of they differ in 46: 26 of the grades given there are right,
    of which the joint opinion claims 34.3 and its mean 27.4, with 0.91 nats of log loss for 1.07.

    Parameters
    ----------
    joint : sequence of float, length 4
        From `joint_probabilities`, which a grade is taken from.
    morphometric, learned : int
        What each opinion gives alone; `learned` is None where there is none.
    joining : Joining
    """
    return _tempered(joint, _disagreement_exponent(morphometric, learned, joining))


def joint_of_stated(
    stated: Sequence[float], morphometric: int, learned: int | None, joining: Joining = JOINING
) -> Probabilities:
    """Return the joint opinion that `stated_probabilities` made less of; its inverse."""
    return _tempered(stated, 1 / _disagreement_exponent(morphometric, learned, joining))


def _disagreement_exponent(morphometric: int, learned: int | None, joining: Joining) -> float:
    alike = learned is None or learned == morphometric
    return 1.0 if alike else min(joining.temperature, 1.0)


def _tempered(probabilities: Sequence[float], exponent: float) -> Probabilities:
    if exponent == 1:
        return tuple(float(p) for p in probabilities)
    powers = np.asarray(probabilities, float) ** exponent
    return tuple((powers / powers.sum()).tolist())


def joint_grade(joint: Sequence[float], morphometric: int, learned: int | None = None) -> int:
    """Return the grade that two opinions give: the median of both, never beyond either.

    What tilts the joint opinion towards lower grades decides between opinions that differ; where
    both give one grade alone, readers expect that one.

    Parameters
    ----------
    joint : sequence of float, length 4
        From `joint_probabilities`; those of the heights alone without a learned opinion.
    morphometric, learned : int
        What each opinion gives alone; `learned` is None where there is none.
    """
    opinions = [g for g in (morphometric, learned) if g is not None]
    return min(max(median_grade(joint), min(opinions)), max(opinions))


def grade_doubt(joint: Sequence[float], morphometric: int, learned: int | None = None) -> str:
    """Say why the opinions leave a grade in doubt.

    Opinions of different grades do, and so do those whose grades are alike but split: the median
    of an opinion that says 0 or 2 is 1, though it thinks little of grade 1.

    Parameters
    ----------
    joint : sequence of float, length 4
        From `joint_probabilities`; those of the heights alone without a learned opinion.
    morphometric, learned : int
        What each opinion gives alone; `learned` is None where there is none.

    Returns
    -------
    str
        One sentence; empty where there is no doubt of this kind.
    """
    if learned is not None and learned != morphometric:
        return f"Heights say grade {morphometric}, the learned grade is {learned}."
    grade, together = joint_grade(joint, morphometric, learned), median_grade(joint)
    if grade != together:
        return f"Heights and learned grade are {grade} each, but together lean to {together}."
    below, above = max(joint[:grade], default=0.0), max(joint[grade + 1 :], default=0.0)
    if min(below, above) > joint[grade]:
        low, high = list(joint).index(below), grade + 1 + list(joint[grade + 1 :]).index(above)
        split = "probabilities" if learned is None else "opinions"
        return f"Grade {grade} is the middle of {split} split between {low} and {high}."
    return ""


def with_other_morphometry(
    joint: Sequence[float],
    before: Sequence[float],
    after: Sequence[float],
    joining: Joining = JOINING,
) -> Probabilities:
    """Exchange the share of morphometry in joint probabilities, as when a level is renamed.

    Parameters
    ----------
    joint : sequence of float, length 4
        From `joint_probabilities`.
    before, after : sequence of float, length 4
        The morphometry that it holds, and the one that it shall hold.
    joining : Joining
    """
    exponent = (1 - joining.learned_weight) / joining.temperature
    ratio = np.maximum(after, LEAST_PROBABILITY) / np.maximum(before, LEAST_PROBABILITY)
    exchanged = np.maximum(joint, 1e-9) * ratio**exponent
    return tuple(float(p) for p in exchanged / exchanged.sum())
