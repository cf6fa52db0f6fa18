"""Localisation metrics on centres whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from vertebra_core.evaluation.localisation_metrics import (
    distance_from_spine_mm,
    found_outside_spine,
    match_centres,
    summarise_localisation,
)
from vertebra_core.evaluation.records import (
    CaseRecord,
    FoundVertebra,
    TrueVertebra,
    record_from_json,
    record_to_json,
)


def _case(truth, found, name="case"):
    return CaseRecord(
        name,
        "real",
        (1.0, 1.0, 1.0),
        tuple(TrueVertebra(*v) for v in truth),
        tuple(FoundVertebra(*v) for v in found),
    )


def test_every_found_centre_goes_to_one_true_centre():
    matching = match_centres([[0, 0, 0], [0, 0, 30]], [[0, 0, 29], [0, 0, 2], [0, 1, 2]])
    assert matching.pairs == ((0, 1, 2.0), (1, 0, 1.0))
    assert matching.spurious == (2,)
    assert matching.missed == ()


def test_one_missed_and_one_spurious_centre_do_not_shift_a_cervical_row():
    true = [[0, 0, 15 * k] for k in range(5)]
    found = [[0, 0, 15 * k] for k in range(1, 5)] + [[0, 0, 15 * 5]]
    matching = match_centres(true, found)
    assert [(i, j) for i, j, _ in matching.pairs] == [(1, 0), (2, 1), (3, 2), (4, 3)]
    assert matching.missed == (0,)
    assert matching.spurious == (4,)


def test_a_centre_beyond_the_limit_is_missed_and_spurious():
    matching = match_centres([[0, 0, 0]], [[0, 0, 20.5]])
    assert (matching.pairs, matching.missed, matching.spurious) == ((), (0,), (0,))


def test_nothing_found_and_nothing_true_are_matched_without_error():
    assert match_centres(np.zeros((0, 3)), [[1, 2, 3]]).spurious == (0,)
    assert match_centres([[1, 2, 3]], np.zeros((0, 3))).missed == (0,)


def test_summary_states_error_per_region_and_counts_missed_against_the_shares():
    summary = summarise_localisation(
        [
            _case(
                [("T12", (0, 0, 30)), ("L1", (0, 0, 0)), ("L2", (0, 0, -32))],
                [("T12", (0, 0, 31)), ("L1", (0, 2.5, 0))],
            )
        ]
    )
    assert summary.regions["thoracic"].error_mean_mm == pytest.approx(1.0)
    assert summary.regions["lumbar"].recall == pytest.approx(0.5)
    assert summary.regions["cervical"].recall is None
    assert summary.regions["all"].error_mean_mm == pytest.approx(1.75)
    assert summary.regions["all"].within[1.5] == pytest.approx(1 / 3)
    assert summary.regions["all"].within[3.0] == pytest.approx(2 / 3)
    assert summary.false_positives == 0


def test_a_cut_vertebra_counts_neither_as_missed_nor_as_false_positive():
    truth = [("T12", (0, 0, 30), False), ("L1", (0, 0, 0), True), ("T11", (0, 0, 60), False)]
    summary = summarise_localisation([_case(truth, [("T12", (0, 0, 38)), ("L1", (0, 0, 0))])])
    assert summary.regions["all"].n_true == 1
    assert summary.regions["all"].error_max_mm == 0
    assert summary.false_positives == 0
    assert (summary.cut_true, summary.cut_found) == (2, 1)


def test_false_positives_are_split_into_those_on_and_those_off_the_spine():
    case = _case(
        [("L1", (0, 0, 0)), ("L2", (0, 0, -34))],
        [("L1", (0, 0, 1)), ("L2", (0, 0, -33)), ("L3", (0, 5, -68)), ("L4", (90, 0, -60))],
    )
    assert found_outside_spine(case) == (3,)
    summary = summarise_localisation([case, _case([], [])])
    assert summary.false_positives == 2
    assert summary.outside_spine == 1
    assert summary.false_positives_per_scan == pytest.approx(1.0)


def test_distance_from_the_spine_is_taken_to_the_line_not_to_its_points():
    line = np.array([[0, 0, 0], [0, 0, -30], [0, 0, -60]])
    assert distance_from_spine_mm(np.array([7, 0, -45]), line) == pytest.approx(7)
    assert distance_from_spine_mm(np.array([0, 3, 35]), line) == pytest.approx(3)
    assert distance_from_spine_mm(np.array([0, 0, 50]), line) == pytest.approx(10)
    assert distance_from_spine_mm(np.array([0, 0, 0]), np.zeros((0, 3))) == np.inf


def test_a_record_survives_its_line_of_json():
    case = CaseRecord(
        "a",
        "phantom",
        (1.0, 1.0, 3.0),
        (TrueVertebra("L1", (1.0, 2.0, 3.0), True, False, 2, "wedge", (20.0, 22.0, 27.0)),),
        (FoundVertebra("L1", (1.0, 2.0, 3.5), 0.9, "L2", None, None, None, None, ("metal",)),),
        seconds_per_stage={"localisation": 1.5},
        notes=("said",),
    )
    assert record_from_json(record_to_json(case)) == case
    with pytest.raises(ValueError, match="not an evaluation record"):
        record_from_json('{"name": "a"}')
