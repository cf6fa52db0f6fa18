"""Fit how the opinions of heights and grade head are joined, on scenes held aside.

Run as ``python -m vertebra_core.training.calibrate_grades --bank FOLDER --weights FILE``. Prints
for every weight of the grade head the best temperature and tilt, how many grades come out right and
how far the stated probabilities are from that; `grading.joint_grade` holds what was chosen. A scan
takes about ten seconds of one processor core. Phantoms with many fractures tell more about grades:
``--fractured-share`` weighs bodies as if that share of them were fractured, ``--mild-share`` as if
that share of the others had lost a little height.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..alone import run_alone
from ..errors import InputError
from ..evaluation.calibration import expected_calibration_error
from ..evaluation.grading_metrics import confusion_matrix, weighted_kappa
from ..grading.genant import median_grade
from ..grading.joint_grade import JOINING, Joining, Probabilities, joint_grade, joint_of_many
from .arguments import amount, count, number
from .bank import check_bank
from .grade_opinions import GradedBody, collect_bodies
from .weights_choice import load_chosen

LEARNED_WEIGHTS = tuple(k / 10 for k in range(11))
TEMPERATURES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0)
"""Nothing below 0.4 is tried: bodies of few scenes cannot show that more certainty is deserved."""

TILTS = tuple(k / 10 for k in range(11))

SETTINGS = tuple(Joining(w, t, b) for w in LEARNED_WEIGHTS for t in TEMPERATURES for b in TILTS)

_LEAST_STATED = 1e-6


@dataclass(frozen=True)
class GradeCalibration:
    """What comes of one way of joining, or of several on parts of the bodies.

    Attributes
    ----------
    n : int
    exact : float
        Share of grades that are right.
    kappa : float or None
        Cohen's, quadratic weights.
    error : float
        Expected calibration error of the given grades.
    log_loss : float
        Mean negative logarithm of the probability of the true grade, nats.
    """

    n: int
    exact: float
    kappa: float | None
    error: float
    log_loss: float


def calibration_of(
    stated: np.ndarray | Sequence[Probabilities], given: Sequence[int], grades: Sequence[int]
) -> GradeCalibration:
    """Compare stated probabilities (n, 4) and the grades given for them with the true grades."""
    right = [g == t for g, t in zip(given, grades, strict=True)]
    sure = [min(1.0, p[g]) for p, g in zip(stated, given, strict=True)]
    return GradeCalibration(
        len(right),
        float(np.mean(right)),
        weighted_kappa(confusion_matrix(grades, given)),
        float(expected_calibration_error(sure, right).error),
        float(_loss(stated, grades).mean()),
    )


def joined(bodies: Sequence[GradedBody], joining: Joining) -> np.ndarray:
    """Return the joint probabilities of all bodies, shape (n, 4)."""
    return joint_of_many(*_opinions(bodies), joining)


def calibration_with(bodies: Sequence[GradedBody], joining: Joining) -> GradeCalibration:
    """Return what comes of one way of joining."""
    stated = joined(bodies, joining)
    return calibration_of(stated, _given(stated, bodies), [b.grade for b in bodies])


def _given(stated: np.ndarray, bodies: Sequence[GradedBody]) -> list[int]:
    """Return the grades that joint probabilities (n, 4) give."""
    return [
        joint_grade(p, median_grade(b.morphometry), median_grade(b.learned))
        for p, b in zip(stated, bodies, strict=True)
    ]


def fit_joining(bodies: Sequence[GradedBody], weights: np.ndarray | None = None) -> Joining:
    """Return the setting with the least log loss; `weights` (n,) are those of `body_weights`."""
    return SETTINGS[int(_weighed_losses(bodies, weights).sum(1).argmin())]


def body_weights(
    bodies: Sequence[GradedBody],
    fractured_share: float | None = None,
    mild_share: float | None = None,
) -> np.ndarray:
    """Weights with which bodies of each kind have the shares that are wanted, shape (n,), mean 1.

    Parameters
    ----------
    bodies : sequence of GradedBody
    fractured_share : float, optional
        Share that is fractured; as it is where None, or where all or none are.
    mild_share : float, optional
        Share of the others that is mildly deformed; likewise.
    """
    fractured = np.array([b.grade > 0 for b in bodies])
    mild = np.array([b.mild for b in bodies])
    weights = _with_share(np.ones(len(bodies)), fractured, fractured_share)
    weights[~fractured] = _with_share(weights[~fractured], mild[~fractured], mild_share)
    return weights


def _with_share(weights: np.ndarray, chosen: np.ndarray, share: float | None) -> np.ndarray:
    """Scale weights so that those chosen have a share of the sum, which stays as it is."""
    own = weights[chosen].sum() / max(weights.sum(), 1e-9)
    if share is None or own in (0, 1):
        return weights
    return weights * np.where(chosen, share / own, (1 - share) / (1 - own))


def cross_validated(
    bodies: Sequence[GradedBody], weights: np.ndarray | None = None
) -> GradeCalibration:
    """Return what comes of settings fitted without the scene that they are applied to.

    Raises
    ------
    ValueError
        If all bodies are of one scene.
    """
    scenes = np.array([b.scene for b in bodies])
    if len(set(scenes)) < 2:
        raise ValueError("bodies of two scenes at least are needed")
    losses = _weighed_losses(bodies, weights)
    stated, given = np.empty((len(bodies), 4)), np.empty(len(bodies), int)
    for scene in set(scenes):
        own = scenes == scene
        best = SETTINGS[int(losses[:, ~own].sum(1).argmin())]
        stated[own] = joined(bodies, best)[own]
        given[own] = _given(stated[own], [bodies[i] for i in np.flatnonzero(own)])
    return calibration_of(stated, given.tolist(), [b.grade for b in bodies])


def report_lines(bodies: Sequence[GradedBody], weights: np.ndarray | None = None) -> Iterator[str]:
    """Describe all weights, what is set now and what is recommended.

    Figures are those of the bodies as they are; `weights` have a say in what is best.
    """
    fractured = sum(b.grade > 0 for b in bodies)
    scenes = len({b.scene for b in bodies})
    yield f"{len(bodies)} bodies of {scenes} scenes, {fractured} of them fractured"
    yield "learned weight  temperature  tilt  grades right  kappa  calibration error  log loss"
    losses = _weighed_losses(bodies, weights).sum(1)
    per_weight = len(SETTINGS) // len(LEARNED_WEIGHTS)
    for first in range(0, len(SETTINGS), per_weight):
        own = SETTINGS[first + int(losses[first : first + per_weight].argmin())]
        yield _line(own, calibration_with(bodies, own))
    best = fit_joining(bodies, weights)
    for what, own in (("set now", JOINING), ("recommended", best)):
        yield f"{_line(own, calibration_with(bodies, own))}  {what}"
    if scenes > 1:
        aside = cross_validated(bodies, weights)
        yield f"{_line(None, aside)}  fitted without the scene it is applied to"


def _weighed_losses(bodies: Sequence[GradedBody], weights: np.ndarray | None) -> np.ndarray:
    """Log loss of every body under every setting, shape (settings, bodies)."""
    if not bodies:
        raise ValueError("there is no body to fit on")
    grades, opinions = [b.grade for b in bodies], _opinions(bodies)
    losses = np.array([_loss(joint_of_many(*opinions, own), grades) for own in SETTINGS])
    return losses if weights is None else losses * weights


def _opinions(bodies: Sequence[GradedBody]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([b.morphometry for b in bodies]), np.array([b.learned for b in bodies])


def _loss(stated: np.ndarray, grades: Sequence[int]) -> np.ndarray:
    own = np.take_along_axis(np.asarray(stated), np.asarray(grades)[:, None], 1)[:, 0]
    return -np.log(np.maximum(own, _LEAST_STATED))


def _line(joining: Joining | None, found: GradeCalibration) -> str:
    weight, temperature, tilt = (
        (f"{joining.learned_weight:.1f}", f"{joining.temperature:.1f}", f"{joining.tilt:.1f}")
        if joining
        else ("-", "-", "-")
    )
    kappa = "-" if found.kappa is None else f"{found.kappa:.3f}"
    return (
        f"{weight:>14}  {temperature:>11}  {tilt:>4}  {found.exact:12.3f}  {kappa:>5}  "
        f"{found.error:17.3f}  {found.log_loss:8.3f}"
    )


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError("give a number between 0 and 1")
    return share


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--bank", type=Path, required=True, nargs="+", help="folders of phantom scenes"
    )
    parser.add_argument("--weights", type=Path, help="of the grade head; by default bundled")
    parser.add_argument("--segmentation", type=Path, help="weights; by default the bundled ones")
    parser.add_argument("--scans", type=number, default=40)
    parser.add_argument("--minutes", type=amount, default=5.0, help="begin no scan after this time")
    parser.add_argument("--seed", type=count, default=0)
    parser.add_argument(
        "--whole-banks",
        action="store_true",
        help="take all scenes: no training has seen these banks",
    )
    parser.add_argument(
        "--mild-share",
        type=_share,
        metavar="SHARE",
        help="weigh the others as if this share of them were mildly deformed (phantom --mild)",
    )
    parser.add_argument(
        "--fractured-share",
        type=_share,
        metavar="SHARE",
        help="weigh bodies as if this share of them were fractured (among patients about 0.1)",
    )
    args = parser.parse_args(arguments)
    for bank in args.bank:
        check_bank(bank)
    grader = load_chosen("grading", args.weights)
    segmenter = load_chosen("segmentation", args.segmentation)
    bodies = collect_bodies(
        args.bank,
        grader,
        segmenter,
        args.scans,
        args.seed,
        60 * args.minutes,
        lambda done: print(f"scan {done} of {args.scans}", file=sys.stderr, flush=True),
        args.whole_banks,
    )
    if not bodies:
        raise InputError(
            "no_bodies",
            "No body of these scans can be graded with these weights.",
            "Take more --scans, or other weights for --segmentation.",
        )
    weights = body_weights(bodies, args.fractured_share, args.mild_share)
    for line in report_lines(bodies, weights):
        print(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(run_alone(main))
