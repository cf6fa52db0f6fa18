"""Overriding grades, marking as reviewed, accepting."""

from __future__ import annotations

import pytest
from review_examples import key_of, line_of, review_of, spine
from vertebra_core.output.grade_names import grade_label
from VertebraAnalysisLib.UserError import UserError

READER = "Dr Müller"


def test_a_reader_s_grade_stands_beside_that_of_the_analysis():
    review = review_of(losses={"L1": (0.24, 0.1, 0.0)})
    key = key_of(review, "L1")
    assert review.overrideGrade(key, 2, "crush", "All endplates\nare broken", READER) == {key}
    vertebra = review.vertebra(key)
    assert (vertebra.grade, vertebra.shape) == (2, "crush")
    assert vertebra.reason == "All endplates are broken"
    assert (vertebra.ai.grade, vertebra.ai.shape) == (1, "wedge")
    assert (vertebra.computedGrade, vertebra.computedShape) == (1, "wedge")
    assert vertebra.gradeOverridden and vertebra.gradeChanged
    assert vertebra.heights_mm == vertebra.ai.heights_mm
    assert vertebra.height_loss == vertebra.ai.height_loss


def test_a_grade_that_a_reader_gave_is_not_borderline():
    review = review_of(losses={"L1": (0.255, 0.1, 0.0)})
    key = key_of(review, "L1")
    assert review.vertebra(key).borderline
    review.overrideGrade(key, 1, "wedge", "Limbus vertebra", READER)
    vertebra = review.vertebra(key)
    assert vertebra.borderline is False and not vertebra.flags
    assert grade_label(vertebra.current) == "G1 wedge"
    assert vertebra.grade_probabilities is None


def test_only_the_shape_may_be_overridden():
    review = review_of(losses={"L1": (0.3, 0.1, 0.0)})
    key = key_of(review, "L1")
    review.overrideGrade(key, 2, "biconcave", "Endplates", READER)
    assert review.vertebra(key).grade == review.vertebra(key).ai.grade
    assert review.vertebra(key).gradeChanged


def test_grade_zero_is_always_of_normal_shape():
    review = review_of(losses={"L1": (0.3, 0.1, 0.0)})
    review.overrideGrade("v06", 0, "wedge", "Scheuermann", READER)
    assert (review.vertebra("v06").grade, review.vertebra("v06").shape) == (0, "normal")


def test_a_vertebra_can_be_declared_not_gradable():
    review = review_of()
    review.overrideGrade("v06", None, "wedge", "Metal artefact", READER)
    vertebra = review.vertebra("v06")
    assert (vertebra.grade, vertebra.shape, vertebra.borderline) == (None, None, None)
    assert vertebra.flags[-1].code == "not_graded" and "Metal artefact" in vertebra.flags[-1].reason


@pytest.mark.parametrize(
    ("grade", "shape", "reason", "message"),
    [
        (2, "wedge", "  ", "needs a reason"),
        (2, None, "why", "needs a shape"),
        (1, "normal", "why", "needs a shape"),
        (4, "wedge", "why", "no grade 4"),
        (-1, "wedge", "why", "no grade -1"),
    ],
)
def test_an_incomplete_override_is_refused_and_changes_nothing(grade, shape, reason, message):
    review = review_of()
    before = review.toJson()
    with pytest.raises(UserError, match=message):
        review.overrideGrade("v01", grade, shape, reason, READER)
    assert review.toJson() == before


def test_an_override_stands_while_heights_and_level_change_until_it_is_cleared():
    review = review_of()
    key = key_of(review, "L1")
    review.overrideGrade(key, 1, "biconcave", "Endplates", READER)
    line = line_of(review.vertebra(key).center_lps_mm, -12.0, 15.0)
    review.setHeightLines(key, {"anterior": line}, READER)
    review.shiftLevels(1, READER)
    vertebra = review.vertebra(key)
    assert (vertebra.grade, vertebra.shape) == (1, "biconcave")
    assert (vertebra.computedGrade, vertebra.computedShape) == (2, "wedge")
    review.clearGradeOverride(key, READER)
    vertebra = review.vertebra(key)
    assert (vertebra.grade, vertebra.shape, vertebra.reason) == (2, "wedge", "")
    assert not vertebra.gradeOverridden


def test_clearing_without_an_override_is_no_change():
    review = review_of()
    assert review.clearGradeOverride("v01", READER) == set() and not review.changes


def test_the_count_of_what_is_left_follows_the_marks():
    review = review_of(levels=("T12", "L1", "L2"))
    assert review.remaining == 3
    assert review.setReviewed("v02", True, READER) == {"v02"}
    assert review.remaining == 2 and review.vertebra("v02").reviewed
    assert review.setReviewed("v02", True, READER) == set()
    review.setReviewed("v02", False, READER)
    assert review.remaining == 3


def test_accepting_all_marks_the_rest_in_one_step():
    review = review_of(levels=("T12", "L1", "L2"))
    review.setReviewed("v02", True, READER)
    assert review.acceptAll(READER) == {"v01", "v03"}
    assert review.remaining == 0
    assert review.acceptAll(READER) == set()
    review.undo()
    assert review.remaining == 2 and review.vertebra("v02").reviewed


def _renamed(review, reader):
    return review.shiftLevels(1, reader)


def _overridden(review, reader):
    return review.overrideGrade("v02", 2, "wedge", "seen", reader)


def _redrawn(review, reader):
    lines = {"anterior": line_of(review.vertebra("v02").center_lps_mm, -12.0, 14.0)}
    return review.setHeightLines("v02", lines, reader)


def _measured(review, reader):
    crushed = spine(levels=("T12", "L1", "L2"), losses={"L1": (0.4, 0.3, 0.1)}).vertebrae[1]
    return review.setMeasurement("v02", crushed, reader)


@pytest.mark.parametrize("change", [_renamed, _overridden, _redrawn, _measured])
def test_a_mark_does_not_stand_for_what_another_reader_changes_later(change):
    review = review_of(levels=("T12", "L1", "L2"))
    review.setReviewed("v02", True, READER)
    change(review, "Dr Öz")
    assert not review.vertebra("v02").reviewed
    assert review.changes[-1].action == "reviewed" and review.changes[-1].after == "not reviewed"
    review.undo()
    assert review.vertebra("v02").reviewed and review.remaining == 2
    assert review.lastStep[0].reader == READER


@pytest.mark.parametrize("change", [_renamed, _overridden, _redrawn])
def test_a_mark_stands_for_what_its_own_reader_changes_later(change):
    review = review_of(levels=("T12", "L1", "L2"))
    review.setReviewed("v02", True, READER)
    change(review, READER)
    assert review.vertebra("v02").reviewed


def test_measuring_again_asks_for_another_look_even_by_the_same_reader():
    review = review_of(levels=("T12", "L1", "L2"))
    review.acceptAll(READER)
    _measured(review, READER)
    assert not review.vertebra("v02").reviewed
    unchanged = [v for v in review.vertebrae if v.key != "v02" and v.grade == v.ai.grade]
    assert unchanged and all(v.reviewed for v in unchanged)


def test_a_review_mark_is_no_change_of_the_findings():
    review = review_of()
    review.acceptAll(READER)
    assert not any(v.changed or v.gradeChanged or v.levelChanged for v in review.vertebrae)
    assert review.currentAnalysis == review.analysis


def test_an_unknown_key_is_a_defect_not_a_mistake_of_the_reader():
    review = review_of()
    calls = [
        lambda: review.vertebra("v99"),
        lambda: review.setLevel("v99", "L1", READER),
        lambda: review.overrideGrade("v99", 0, None, "why", READER),
        lambda: review.setReviewed("v99", True, READER),
    ]
    for call in calls:
        with pytest.raises(KeyError):
            call()


def test_a_spine_without_vertebrae_can_be_reviewed():
    review = review_of(levels=())
    assert review.vertebrae == () and review.remaining == 0
    assert review.acceptAll(READER) == review.shiftLevels(1, READER) == review.undo() == set()
    assert review.runnerUpLabelling() is None and not review.canUndo
