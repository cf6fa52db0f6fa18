"""Grading metrics against values computed by hand and published."""

from __future__ import annotations

import numpy as np
import pytest
from vertebra_core.evaluation.calibration import expected_calibration_error
from vertebra_core.evaluation.grading_metrics import (
    confusion_matrix,
    detection_figures,
    grade_figures,
    summarise_grading,
    weighted_kappa,
)
from vertebra_core.evaluation.records import CaseRecord, FoundVertebra, TrueVertebra

VERTFAULT = np.array([[235, 20, 2, 0], [31, 3, 2, 0], [8, 6, 7, 1], [3, 2, 7, 0]])
"""Confusion matrix of FracSegNet (VertFault, table 4.3)."""


def test_confusion_matrix_has_true_grades_in_its_rows():
    matrix = confusion_matrix([0, 0, 3, 1], [0, 1, 2, 1])
    assert matrix[0].tolist() == [1, 1, 0, 0]
    assert matrix[3].tolist() == [0, 0, 1, 0]
    with pytest.raises(ValueError, match="between 0 and 3"):
        confusion_matrix([0], [4])
    with pytest.raises(ValueError, match="as many"):
        confusion_matrix([0, 1], [1])


def test_quadratic_kappa_equals_the_hand_computed_value():
    # 2 grades: po = .7, pe = .5, so kappa is .4 whatever the weights.
    two = np.array([[35, 15], [15, 35]])
    assert weighted_kappa(two, 2) == pytest.approx(0.4)
    assert weighted_kappa(two, 1) == pytest.approx(0.4)
    # 3 grades: sum w o = 1*2 + 4*1 = 6; rows (5, 3, 2), columns (5, 3, 2);
    # sum w e = (1*(15+15+6+6) + 4*(10+10)) / 10 = 12.2.
    three = np.array([[4, 1, 0], [0, 2, 1], [1, 0, 1]])
    assert weighted_kappa(three, 2) == pytest.approx(1 - 6 / 12.2)
    # Linear: sum w o = 2 + 2 = 4; sum w e = (42 + 2*20) / 10 = 8.2.
    assert weighted_kappa(three, 1) == pytest.approx(1 - 4 / 8.2)


def test_kappa_is_one_for_agreement_and_undefined_without_variation():
    assert weighted_kappa(np.diag([5, 2, 1, 1])) == pytest.approx(1.0)
    assert weighted_kappa(np.zeros((4, 4), int)) is None
    assert weighted_kappa(np.diag([5, 0, 0, 0])) is None


def test_grade_figures_reproduce_the_published_table():
    figures = grade_figures(VERTFAULT)
    assert [round(f.precision, 2) for f in figures] == [0.85, 0.10, 0.39, 0.00]
    assert [round(f.recall, 2) for f in figures] == [0.91, 0.08, 0.32, 0.00]
    assert [round(f.f1, 2) for f in figures] == [0.88, 0.09, 0.35, 0.00]


def test_an_impossible_ratio_is_none_not_zero():
    figures = grade_figures(confusion_matrix([0, 2], [0, 0]))
    assert figures[1].f1 is None and figures[1].recall is None
    assert figures[2].precision is None and figures[2].recall == 0.0 and figures[2].f1 == 0.0


def test_detection_of_any_and_of_moderate_fractures():
    any_fracture = detection_figures(VERTFAULT, 1)
    assert any_fracture.n_true == 70
    assert any_fracture.sensitivity == pytest.approx(28 / 70)
    assert any_fracture.ppv == pytest.approx(28 / 50)
    assert any_fracture.specificity == pytest.approx(235 / 257)
    moderate = detection_figures(VERTFAULT, 2)
    assert moderate.sensitivity == pytest.approx(15 / 34)
    assert moderate.ppv == pytest.approx(15 / 19)


def _spine(vertebrae):
    """Vertebrae 30 mm apart: (true grade, shape, heights), (grade, shape, heights), complete."""
    truth, found = [], []
    for k, (true, given, complete) in enumerate(vertebrae):
        centre = (0.0, 0.0, -30.0 * k)
        truth.append(TrueVertebra("L1", centre, True, complete, *true))
        found.append(
            FoundVertebra("L1", centre, grade=given[0], shape=given[1], heights_mm=given[2])
        )
    return CaseRecord("spine", "phantom", (1.0, 1.0, 1.0), tuple(truth), tuple(found))


def test_summary_takes_complete_vertebrae_and_states_those_without_a_grade():
    tall = (25.0, 25.0, 26.0)
    summary = summarise_grading(
        [
            _spine(
                [
                    ((0, "normal", tall), (0, "normal", (25.5, 24.0, 26.0)), True),
                    ((2, "wedge", tall), (2, "wedge", (24.5, 25.0, 26.0)), True),
                    ((1, "wedge", tall), (1, "crush", None), True),
                    ((3, "crush", tall), (None, None, None), True),
                    ((3, "crush", tall), (0, "normal", tall), False),
                ]
            )
        ]
    )
    assert np.array_equal(summary.confusion, np.diag([1, 1, 1, 0]))
    assert (summary.not_graded, summary.fractured_not_graded) == (1, 1)
    assert summary.shape_accuracy == pytest.approx(0.5)
    assert summary.heights["anterior"].n == 2
    assert summary.heights["anterior"].mean_absolute_error_mm == pytest.approx(0.5)
    assert summary.heights["anterior"].bias_mm == pytest.approx(0.0)
    assert summary.heights["middle"].bias_mm == pytest.approx(-0.5)


def test_without_true_grades_and_heights_there_is_no_summary():
    truth = (TrueVertebra("L1", (0.0, 0.0, 0.0)),)
    found = (FoundVertebra("L1", (0.0, 0.0, 0.0), grade=1),)
    assert summarise_grading([CaseRecord("a", "real", (1.0, 1.0, 1.0), truth, found)]) is None


def test_calibration_error_is_the_weighted_gap():
    calibration = expected_calibration_error([0.95] * 4 + [0.65] * 4, [True] * 4 + [False] * 4)
    assert calibration.error == pytest.approx((0.05 + 0.65) / 2)
    assert [b.n for b in calibration.bins] == [4, 4]
    assert expected_calibration_error([1.0, 1.0], [True, True]).error == pytest.approx(0.0)
    assert expected_calibration_error([], []).error is None
    with pytest.raises(ValueError, match="between 0 and 1"):
        expected_calibration_error([1.5], [True])
