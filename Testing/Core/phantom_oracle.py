"""An analysis for tests of evaluations: told the truth of the phantom that was scanned last."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from vertebra_core.analysis import Manifest, SpineAnalysis, Vertebra
from vertebra_core.evaluation import phantom_cases
from vertebra_core.evaluation.truth import CaseTruth


@dataclass(frozen=True)
class Answer:
    analysis: SpineAnalysis
    labels: np.ndarray
    bodies: np.ndarray


def answer_with(vertebrae: Iterable[Vertebra], truth: CaseTruth) -> Answer:
    """An analysis of `vertebrae` with the true masks."""
    manifest = Manifest("0", {}, "cpu", {}, (1, 1, 1), (1, 1, 1), (0, 0, 0), ())
    return Answer(SpineAnalysis(tuple(vertebrae), manifest), truth.labels, truth.bodies)


def oracle_that(answer_of: Callable[[CaseTruth], Answer], monkeypatch):
    """An analysis that gives `answer_of` the truth; its `told` counts the calls."""
    told = {"calls": 0}
    truth_of = phantom_cases.phantom_truth

    def remember(*arguments):
        told["truth"] = truth_of(*arguments)
        return told["truth"]

    def analyse(ct):
        told["calls"] += 1
        return answer_of(told["truth"])

    monkeypatch.setattr(phantom_cases, "phantom_truth", remember)
    analyse.told = told
    return analyse
