"""Fit how much positional logic believes the labelling network, on scenes held aside.

Run as ``python -m vertebra_core.training.calibrate_levels --bank FOLDER --weights FILE``. Prints,
for every weight of the network's view and every temperature, how many levels and rows come out
right and how far the stated probabilities are from that. The choice is left to the reader;
`labelling.label` holds what was chosen, marked as set now.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..alone import run_alone
from ..evaluation.calibration import expected_calibration_error
from ..labelling.chain_model import PositionalOptions
from ..labelling.crops import CROP_SPACING_MM
from ..labelling.label import (
    IMAGE_OPTIONS,
    IMAGE_TEMPERATURE,
    row_log_probabilities,
    split_evidence,
)
from ..labelling.network import NO_VERTEBRA, SACRUM, LabellingNetwork
from ..labelling.positional_logic import assign_levels
from ..settings import BEST
from .arguments import count, number
from .bank import check_bank
from .labelling_samples import PhantomLabellingSource
from .task import TrainingConfig
from .train_labelling import LabellingConfig, LabellingTask
from .weights_choice import load_chosen

EMISSION_WEIGHTS = (0.5, 0.75, 1.0, 1.5)
TEMPERATURES = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 6.0)


@dataclass(frozen=True)
class LabelledRow:
    """A row of found centres and what the network makes of it.

    Attributes
    ----------
    positions_lps_mm : ndarray, shape (n, 3)
        Head to foot.
    log_probabilities : ndarray, shape (n, 28)
        Of the network alone.
    classes : ndarray of int, shape (n,)
        The truth.
    """

    positions_lps_mm: np.ndarray
    log_probabilities: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True)
class LevelFigures:
    """What comes of one setting.

    Attributes
    ----------
    emission_weight, temperature : float
    levels_right, rows_right : float
        Shares after positional logic; of vertebrae, reported ones that are none included and
        dropped ones counted as wrong, and of rows with all of them right.
    calibration_error : float
        Expected calibration error of the probabilities of the levels reported.
    log_loss : float
        Mean negative logarithm of the probability of the true level, nats, of the same vertebrae
        as `levels_right`; where none is stated, or less than 0.001, it is taken as 0.001.
    """

    emission_weight: float
    temperature: float
    levels_right: float
    rows_right: float
    calibration_error: float
    log_loss: float


def collect_rows(
    bank: Path, network: LabellingNetwork, count: int, seed: int = 0
) -> list[LabelledRow]:
    """Draw `count` rows from the scenes of `bank` held aside and ask the network, as `best` does.

    Raises
    ------
    ValueError
        If no scene is held aside.
    """
    source = PhantomLabellingSource(bank, validation=True)
    task = LabellingTask(LabellingConfig(TrainingConfig(out=Path(bank), steps=1), bank))
    names = source.names()
    if not names:
        raise ValueError(f"no scene of {bank} is held aside; build a larger bank")
    rows = []
    for index in range(count):
        rng = np.random.default_rng([seed, 91, index])
        sample = source.draw(names[int(rng.integers(len(names)))], rng)
        inputs, targets = task.prepare([sample], None)
        evidence = row_log_probabilities(network, inputs, mirrored=BEST.mirrored)
        positions = sample["centers"].numpy()[:, ::-1] * CROP_SPACING_MM
        rows.append(
            LabelledRow(
                np.ascontiguousarray(positions, float),
                evidence.numpy().astype(float),
                targets["classes"][0].numpy(),
            )
        )
    return rows


def figures_of(
    rows: Iterable[LabelledRow], options: PositionalOptions, temperature: float
) -> LevelFigures:
    """Apply positional logic to all rows and compare with the truth."""
    # Those reported, and all that a vertebra's name was at stake for: dropped ones too.
    right, probabilities = [], []
    decided, true_log, rows_right = [], [], []
    for row in rows:
        levels, against = split_evidence(row.log_probabilities)
        assignment = assign_levels(
            row.positions_lps_mm,
            levels,
            options=options,
            spurious_log_odds=against,
            temperature=temperature,
        )
        hits = []
        for truth, named in zip(row.classes, assignment.detections, strict=True):
            order = named.level.order if named.level else NO_VERTEBRA
            # Sacrum and spurious detections are not reported, so they are one answer.
            wanted = NO_VERTEBRA if truth >= SACRUM else int(truth)
            hits.append(order == wanted)
            if order == wanted == NO_VERTEBRA:
                continue
            decided.append(hits[-1])
            if order != NO_VERTEBRA:
                probabilities.append(min(1.0, named.probability))
                right.append(hits[-1])
            stated = {order: named.probability, NO_VERTEBRA: named.no_vertebra_probability}
            if named.runner_up:
                stated[named.runner_up.order] = named.runner_up_probability
            true_log.append(-np.log(max(stated.get(wanted, 0.0), 1e-3)))
        rows_right.append(all(hits))
    error = expected_calibration_error(probabilities, right).error
    return LevelFigures(
        options.emission_weight,
        temperature,
        float(np.mean(decided)),
        float(np.mean(rows_right)),
        float(error or 0.0),
        float(np.mean(true_log)),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", type=Path, required=True, help="folder of phantom scenes")
    parser.add_argument("--weights", type=Path, help="by default the bundled ones")
    parser.add_argument("--rows", type=number, default=150)
    parser.add_argument("--seed", type=count, default=0)
    args = parser.parse_args(arguments)
    check_bank(args.bank)
    network = load_chosen("labelling", args.weights)
    rows = collect_rows(args.bank, network, args.rows, args.seed)
    print("weight  temperature  levels right  rows right  calibration error  log loss")
    for weight in EMISSION_WEIGHTS:
        for temperature in TEMPERATURES:
            f = figures_of(rows, replace(IMAGE_OPTIONS, emission_weight=weight), temperature)
            own = (weight, temperature) == (IMAGE_OPTIONS.emission_weight, IMAGE_TEMPERATURE)
            print(
                f"{weight:6.2f}  {temperature:11.1f}  {f.levels_right:12.3f}  {f.rows_right:10.3f}"
                f"  {f.calibration_error:17.3f}  {f.log_loss:8.3f}"
                f"{'  set now' if own else ''}"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(run_alone(main))
