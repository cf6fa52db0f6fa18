"""Probabilities of levels, against all labellings of short rows counted one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from vertebra_core.labelling.chain_inference import best_path, level_posteriors
from vertebra_core.labelling.chain_model import ChainModel, PositionalOptions, build_chain
from vertebra_core.labelling.level_statistics import N_STATES, load_level_statistics

SPURIOUS = -1
STATES = (14, 15, 16, 17, SPURIOUS)


def row(count: int, small: bool = False) -> ChainModel:
    """Detections that may be one of four levels, or none."""
    rng = np.random.default_rng(count)
    places = np.cumsum([[0.0, 1.0, -27.0]] * count, axis=0) + rng.normal(0, 2, (count, 3))
    evidence = np.full((count, N_STATES), -np.inf)
    evidence[:, list(STATES[:-1])] = rng.normal(0, 2, (count, 4))
    options = PositionalOptions(emission_floor=np.inf, spurious_cost=2.0)
    against = rng.normal(0, 1, count)
    return build_chain(places, evidence, against, load_level_statistics(), options, small)


def log_scores(model: ChainModel):
    """Every labelling -> its log score at every scale."""
    n = len(model.node)
    for labelling in itertools.product(STATES, repeat=n):
        named = [j for j in range(n) if labelling[j] != SPURIOUS]
        score = model.scale_log_prior.copy()
        score += sum(model.spurious[j] for j in range(n) if j not in named)
        score += sum(model.node[j, labelling[j]] for j in named)
        if named:
            score += model.start[labelling[named[0]]] + model.end[labelling[named[-1]]]
        for i, j in itertools.pairwise(named):
            step = model.transition(j, j - 1 - i, summed=True)
            score += step[:, labelling[i], labelling[j]]
        yield labelling, score


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 3.5])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_probabilities_are_those_of_all_labellings_counted(count, temperature, small):
    model = row(count, small)
    expected = np.zeros((count, N_STATES + 1))
    for labelling, score in log_scores(model):
        weight = float(np.exp(score / temperature).sum())
        for j, state in enumerate(labelling):
            expected[j, state] += weight
    expected /= expected[0].sum()
    assert level_posteriors(model, temperature) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_best_labelling_is_the_best_of_all(count):
    model = row(count)
    best = max(log_scores(model), key=lambda scored: scored[1].max())
    path = best_path(model)
    assert tuple(path.levels) == best[0]
