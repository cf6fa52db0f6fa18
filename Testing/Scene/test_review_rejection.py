"""What the analysis took for a vertebra and a reader does not."""

from __future__ import annotations

import csv
import json

import pytest
from review_examples import levels_of, line_of, review_of, spine
from vertebra_core.analysis_json import analysis_from_dict, analysis_to_dict
from VertebraAnalysisLib.Review import Review
from VertebraAnalysisLib.ReviewExport import reviewToCsv, reviewToJson
from VertebraAnalysisLib.UserError import UserError
from VertebraAnalysisLib.VertebraCells import cells

READER = "Dr Müller"
LUMBAR = ("T12", "L1", "L2", "L3")
WEDGE = {"L1": (0.3, 0.1, 0.0)}


@pytest.fixture
def review() -> Review:
    """T12 to L3, of which L1 (v02, a grade 2 wedge) is no vertebra."""
    review = review_of(levels=LUMBAR, losses=WEDGE)
    assert review.setRejected("v02", True, READER) == {"v02"}
    return review


def accepted_levels(review: Review) -> str:
    return " ".join(v.level for v in review.accepted)


def test_a_rejection_is_signed_dated_and_can_be_undone(review):
    (change,) = review.changes
    assert (change.action, change.key, change.reader) == ("rejected", "v02", READER)
    assert (change.before, change.after) == ("L1", "not a vertebra")
    assert change.time.startswith("2026-03-01T12:00:01")
    assert [v.key for v in review.vertebrae if v.rejected] == ["v02"]
    review.undo("Dr Öz")
    assert review.accepted == review.vertebrae
    assert (review.changes[-1].before, review.changes[-1].after) == ("not a vertebra", "L1")


def test_a_rejected_one_can_be_restored_with_what_was_known_of_it(review):
    before = review_of(levels=LUMBAR, losses=WEDGE).vertebrae
    review.setRejected("v02", False, "Dr Öz")
    assert review.vertebrae == before
    assert [c.action for c in review.standingChanges] == ["rejected", "rejected"]


def test_a_rejection_is_kept_with_the_review(review):
    again = Review.fromJson(review.toJson())
    assert again.vertebrae == review.vertebrae and again.changes == review.changes
    again.undo()
    assert again.accepted == again.vertebrae


def test_a_review_of_an_earlier_version_rejects_nothing():
    content = analysis_to_dict(spine(levels=LUMBAR))
    content["review"] = {"version": "1.1", "changes": [], "vertebrae": {"v01": {"reviewed": True}}}
    review = Review.fromJson(json.dumps(content))
    assert review.accepted == review.vertebrae and review.vertebra("v01").reviewed


def test_a_rejected_one_is_neither_fractured_nor_left_to_review(review):
    assert not review.vertebra("v02").fractured
    assert review.remaining == 3
    review.acceptAll(READER)
    assert review.remaining == 0 and not review.vertebra("v02").reviewed


def test_neighbours_keep_their_levels_and_a_shift_passes_over_the_rejected(review):
    assert levels_of(review) == "T12 L1 L2 L3"
    assert review.shiftLevels(1, READER) == {"v01", "v03", "v04"}
    assert accepted_levels(review) == "L1 L3 L4"
    review.shiftLevels(-1, READER)
    assert accepted_levels(review) == "T12 L2 L3"


def test_the_level_of_a_rejected_one_is_free_for_the_next(review):
    review.setLevel("v03", "L1", READER, "below")
    assert accepted_levels(review) == "T12 L1 L2"


def test_shifting_a_spine_of_rejected_ones_changes_nothing():
    review = review_of(levels=("L1",))
    review.setRejected("v01", True, READER)
    assert review.shiftLevels(1, READER) == set()


@pytest.mark.parametrize(
    "correct",
    [
        lambda review: review.setLevel("v02", "L2", READER),
        lambda review: review.overrideGrade("v02", 1, "wedge", "why", READER),
        lambda review: review.clearGradeOverride("v02", READER),
        lambda review: review.setHeightLines(
            "v02", {"middle": line_of((0, 0, 0), 0, 20.0)}, READER
        ),
        lambda review: review.setMeasurement("v02", review.vertebra("v01").ai, READER),
        lambda review: review.setReviewed("v02", True, READER),
    ],
)
def test_what_is_no_vertebra_is_not_corrected(review, correct):
    before = review.toJson()
    with pytest.raises(UserError, match="rejected") as caught:
        correct(review)
    assert "estore" in caught.value.hint and review.toJson() == before


def test_a_restored_one_takes_a_level_that_is_free_now(review):
    review.shiftLevels(1, READER)
    review.setRejected("v02", False, READER)
    assert levels_of(review) == "L1 L2 L3 L4"
    review.undo()
    assert accepted_levels(review) == "L1 L3 L4" and review.vertebra("v02").rejected


def test_an_uppermost_restored_one_precedes_the_next():
    review = review_of(levels=LUMBAR)
    review.setRejected("v01", True, READER)
    review.shiftLevels(-2, READER)
    review.setRejected("v01", False, READER)
    assert levels_of(review) == "T10 T11 T12 L1"


def test_a_restored_one_without_a_free_level_is_refused(review):
    review.setLevel("v03", "L1", READER, "below")
    before = review.toJson()
    with pytest.raises(UserError, match="between T12 and L1") as caught:
        review.setRejected("v02", False, READER)
    assert "ename" in caught.value.hint and review.toJson() == before


def test_given_names_out_of_order_are_restored_as_they_were():
    review = review_of(levels=("L2", "T12", "L1"))
    review.setRejected("v02", True, READER)
    review.setRejected("v02", False, READER)
    assert levels_of(review) == "L2 T12 L1"


def test_the_second_choice_of_levels_is_one_of_the_accepted():
    of_l3 = {"runner_up_level": {"L3": "L2"}, "level_probability": {"L3": 0.6}}
    review = review_of(levels=LUMBAR, **of_l3)
    assert set(review.runnerUpLabelling()) == {"v01", "v02", "v03", "v04"}
    review.setRejected("v02", True, READER)
    names = review.runnerUpLabelling()
    assert set(names) == {"v01", "v03", "v04"}
    review.applyRunnerUp(READER)
    assert accepted_levels(review) == " ".join(names.values())
    review.setRejected("v04", True, READER)
    assert review.runnerUpLabelling() is None


def test_heights_of_a_rejected_one_say_nothing_about_the_others():
    """A body drawn again is compared with the accepted ones; crush against neighbours."""

    def crush_of_l2(rejected: bool) -> float:
        review = review_of(levels=LUMBAR, losses={"L1": (0.5, 0.5, 0.5), "T12": (0.5, 0.5, 0.5)})
        for key in ("v01", "v02") if rejected else ():
            review.setRejected(key, True, READER)
        line = line_of(review.vertebra("v03").center_lps_mm, -12.0, 20.0)
        review.setHeightLines("v03", {"anterior": line}, READER)
        return review.vertebra("v03").height_loss.crush

    assert crush_of_l2(True) > crush_of_l2(False) + 0.01


def test_a_drawn_one_keeps_its_grade_while_it_is_rejected():
    review = review_of(levels=LUMBAR)
    line = line_of(review.vertebra("v02").center_lps_mm, -12.0, 15.0)
    review.setHeightLines("v02", {"anterior": line}, READER)
    grade = review.vertebra("v02").grade
    review.setRejected("v02", True, READER)
    assert grade and review.vertebra("v02").grade == grade


def test_the_table_file_keeps_the_row_and_says_that_it_is_rejected(review):
    rows = {r["key"]: r for r in csv.DictReader(reviewToCsv(review).splitlines())}
    assert {key: row["rejected"] for key, row in rows.items()} == {
        "v01": "no", "v02": "yes", "v03": "no", "v04": "no",
    }  # fmt: skip
    row = rows["v02"]
    # Whoever counts levels or grades must not count it.
    for name in ("level", "level_probability", "grade", "shape", "borderline", "learned_grade"):
        assert row[name] == "", name
    assert all(row[f"grade_{g}_probability"] == "" for g in range(4))
    assert (row["ai_level"], row["ai_grade"], row["ai_shape"]) == ("L1", "2", "wedge")
    assert row["not_measured"] == "level: Not a vertebra, says the reader."
    assert (row["changed_by"], row["level_changed"]) == (READER, "no")
    assert rows["v01"]["level"] == "T12" and "Not a vertebra" not in rows["v01"]["not_measured"]


def test_the_analysis_file_says_so_too(review):
    content = json.loads(reviewToJson(review))
    assert analysis_from_dict(content) == review.analysis
    entry = content["review"]["current"][1]
    assert (entry["key"], entry["rejected"]) == ("v02", True)
    assert entry["level"] is entry["grade"] is entry["grade_probabilities"] is None
    assert "reader" in entry["not_measured"]["level"]
    assert content["review"]["current"][0]["rejected"] is False


def test_its_row_says_in_words_that_it_is_no_vertebra(review):
    row = cells(review.vertebra("v02"))
    assert row["Level"].text == "L1" and row["Flags"].text == "rejected"
    assert row["Grade"].text == "\N{EN DASH}"
    assert "says the reader" in row["Level"].toolTip
