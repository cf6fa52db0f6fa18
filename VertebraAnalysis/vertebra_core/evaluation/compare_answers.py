"""What a row of the comparison is, and the kinds of answers that systems give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..analysis import Vertebra
from ..labelling.positional_logic import LevelAssignment
from .compare_run import RecordedRun
from .prediction import Prediction, failed
from .records import FoundVertebra

STOPS = ("localisation", "segmentation", "labelling", "grading", "walls", "lesions")

EXTRA_STOPS = ("walls", "lesions")
"""Stops with a truth of their own."""

Answer = Callable[[RecordedRun], Prediction]


@dataclass(frozen=True)
class System:
    """One row of the comparison.

    Attributes
    ----------
    name : str
    stop : str
        One of `STOPS`.
    answer : callable
        What the system says about a scan.
    version : str
        Of the weights it rests on: kept answers of other versions do not count.
    """

    name: str
    stop: str
    answer: Answer
    version: str = ""


def of_analysed(answer: Answer) -> Answer:
    """Return `answer` for scans that were analysed; in those refused, nothing was found."""

    def checked(run: RecordedRun) -> Prediction:
        if run.result is None:
            return failed(run.reason, run.ct.hu.shape)
        return answer(run)

    return checked


class Once:
    """Remembers what was computed for the latest scan: several systems rest on one network."""

    def __init__(self, compute: Callable[[RecordedRun], Any]) -> None:
        self._compute = compute
        self._last: tuple[RecordedRun, Any] | None = None

    def __call__(self, run: RecordedRun) -> Any:
        if self._last is None or self._last[0] is not run:
            self._last = run, self._compute(run)
        return self._last[1]


def found_vertebra(v: Vertebra) -> FoundVertebra:
    """Return what is scored of a vertebra."""
    return FoundVertebra(
        v.level,
        tuple(float(c) for c in v.center_lps_mm),
        v.level_probability,
        grade=v.grade,
        shape=v.shape,
        grade_probabilities=v.grade_probabilities,
        flags=tuple(f.code for f in v.flags),
    )


def prediction_of_places(positions_lps_mm: Iterable[Sequence[float]]) -> Prediction:
    """Return a prediction that states centres only; its levels mean nothing."""
    return Prediction(
        tuple(FoundVertebra("C1", tuple(float(v) for v in p)) for p in positions_lps_mm)
    )


def prediction_of_levels(
    centres: Sequence[Sequence[float]], assignment: LevelAssignment, alone: Sequence[str | None]
) -> Prediction:
    """Return what positional logic named, with what the network alone would call it.

    Parameters
    ----------
    centres : sequence of points
        LPS mm.
    assignment : LevelAssignment
        In their order; detections without a level are left out.
    alone : sequence of str or None
        Levels of the network alone; None where there is none.
    """
    return Prediction(
        tuple(
            FoundVertebra(
                named.level.name,
                tuple(float(v) for v in center),
                float(named.probability),
                network_level=level,
            )
            for center, named, level in zip(centres, assignment.detections, alone, strict=True)
            if named.level is not None
        )
    )
