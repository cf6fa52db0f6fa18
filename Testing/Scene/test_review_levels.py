"""Renaming vertebrae: all by one, one with the others following, and the second choice."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from review_examples import THORACOLUMBAR, key_of, levels_of, review_of, spine
from vertebra_core.analysis import Flag
from VertebraAnalysisLib.Review import Review
from VertebraAnalysisLib.UserError import UserError

READER = "Dr Müller"
REGULAR = "T8 T9 T10 T11 T12 L1 L2 L3 L4 L5"


def test_shifting_moves_every_level_towards_the_foot_or_the_head():
    review = review_of()
    assert review.shiftLevels(1, READER) == set(review.keys)
    assert levels_of(review) == "T9 T10 T11 T12 L1 L2 L3 L4 L5 L6"
    review.shiftLevels(-2, READER)
    assert levels_of(review) == "T7 T8 T9 T10 T11 T12 L1 L2 L3 L4"


@pytest.mark.parametrize(("steps", "end"), [(2, "below L6"), (-15, "above C1")])
def test_a_shift_past_the_ends_of_the_spine_is_refused_and_changes_nothing(steps, end):
    review = review_of()
    before = review.toJson()
    with pytest.raises(UserError, match=end):
        review.shiftLevels(steps, READER)
    assert review.toJson() == before


def test_shifting_back_and_forth_gives_the_values_of_the_analysis_again():
    review = review_of(losses={"L1": (0.3, 0.1, 0.0)})
    before = review.vertebrae
    review.shiftLevels(1, READER)
    assert review.vertebrae != before
    review.shiftLevels(-1, READER)
    assert review.vertebrae == before


def test_a_shift_keeps_the_places_of_missing_vertebrae():
    review = review_of(levels=("T9", "T10", "T12", "L1"))
    review.shiftLevels(-1, READER)
    assert levels_of(review) == "T8 T9 T11 T12"


def test_shifting_a_spine_with_thirteen_thoracic_vertebrae_keeps_t13():
    review = review_of(levels=("T11", "T12", "T13", "L1", "L2"))
    review.shiftLevels(1, READER)
    assert levels_of(review) == "T12 T13 L1 L2 L3"


def test_shifting_a_spine_without_t12_passes_it_over():
    review = review_of(levels=("T10", "T11", "L1", "L2"))
    review.shiftLevels(1, READER)
    assert levels_of(review) == "T11 L1 L2 L3"


def test_a_wide_gap_between_t11_and_l1_is_a_missed_t12_not_an_absent_one():
    review = review_of(levels=("T10", "T11", "L1", "L2"), centers_mm=[0.0, 30.0, 92.0, 124.0])
    review.shiftLevels(-1, READER)
    assert levels_of(review) == "T9 T10 T12 L1"


def test_setting_one_level_brings_order_into_names_that_had_none():
    review = review_of(levels=("T10", "T11", "L1", "T12", "L3"))
    review.setLevel("v03", "T12", READER)
    assert levels_of(review) == "T9 T10 T12 L1 L4"


def test_naming_one_vertebra_renames_all_others_in_order():
    review = review_of()
    changed = review.setLevel(key_of(review, "T12"), "L1", READER)
    assert levels_of(review) == "T9 T10 T11 T12 L1 L2 L3 L4 L5 L6"
    assert changed == set(review.keys)


def test_naming_the_vertebra_below_t12_t13_leaves_the_thoracic_levels_alone():
    review = review_of()
    changed = review.setLevel(key_of(review, "L1"), "T13", READER)
    assert levels_of(review) == "T8 T9 T10 T11 T12 T13 L1 L2 L3 L4"
    assert changed == {key_of(review, name) for name in ("L1", "L2", "L3", "L4", "L5")}


def test_naming_t13_l1_makes_an_ordinary_spine_with_six_lumbar_vertebrae():
    review = review_of(levels=("T11", "T12", "T13", "L1", "L2", "L3", "L4", "L5"))
    review.setLevel(key_of(review, "T13"), "L1", READER)
    assert levels_of(review) == "T11 T12 L1 L2 L3 L4 L5 L6"


def test_t13_may_move_to_another_vertebra():
    review = review_of(levels=("T11", "T12", "T13", "L1", "L2"))
    review.setLevel(key_of(review, "T12"), "T13", READER)
    assert levels_of(review) == "T12 T13 L1 L2 L3"


def test_renaming_only_those_below_makes_t12_absent():
    review = review_of()
    review.setLevel(key_of(review, "T12"), "L1", READER, scope="below")
    assert levels_of(review) == "T8 T9 T10 T11 L1 L2 L3 L4 L5 L6"
    # From now on T12 is absent: another shift passes it over.
    review.shiftLevels(-1, READER)
    assert levels_of(review) == "T7 T8 T9 T10 T11 L1 L2 L3 L4 L5"


def test_renaming_only_those_above_opens_a_gap_for_a_missed_vertebra():
    review = review_of()
    review.setLevel(key_of(review, "T10"), "T9", READER, scope="above")
    assert levels_of(review) == "T7 T8 T9 T11 T12 L1 L2 L3 L4 L5"


def test_one_vertebra_alone_may_take_a_free_name_between_its_neighbours():
    review = review_of(levels=("T9", "T11", "T12"))
    review.setLevel(key_of(review, "T11"), "T10", READER, scope="one")
    assert levels_of(review) == "T9 T10 T12"


@pytest.mark.parametrize(
    ("ai_level", "level", "scope"),
    [("T12", "L1", "one"), ("T12", "L1", "above"), ("L1", "T12", "below"), ("T12", "T8", "one")],
)
def test_names_that_would_not_run_from_head_to_foot_are_refused(ai_level, level, scope):
    review = review_of()
    before = review.toJson()
    with pytest.raises(UserError, match="would lie below"):
        review.setLevel(key_of(review, ai_level), level, READER, scope=scope)
    assert review.toJson() == before


@pytest.mark.parametrize("level", ["S1", "T14", "", "l1"])
def test_a_level_that_no_vertebra_has_is_refused(level):
    review = review_of()
    with pytest.raises(UserError, match="Choose a level from C1 to L6"):
        review.setLevel("v01", level, READER)
    assert not review.changes


def test_naming_a_vertebra_so_that_others_leave_the_spine_is_refused():
    review = review_of()
    with pytest.raises(UserError, match="above C1"):
        review.setLevel(key_of(review, "L5"), "T2", READER)
    assert levels_of(review) == REGULAR


def test_the_level_a_vertebra_has_already_is_no_change():
    review = review_of()
    assert review.setLevel("v01", "T8", READER) == set()
    assert review.changes == () and not review.canUndo


def test_a_reader_s_level_is_certain_and_has_no_second_choice():
    review = review_of(
        runner_up_level={"T12": "L1"},
        level_probability={"T12": 0.7},
        runner_up_probability={"T12": 0.2},
    )
    review.setLevel("v01", "T9", READER)
    vertebra = review.vertebra(key_of(review, "T12"))
    assert (vertebra.level_probability, vertebra.runner_up_level) == (1.0, None)
    assert vertebra.current.runner_up_probability is None
    assert vertebra.levelChanged
    assert (vertebra.ai.level_probability, vertebra.ai.runner_up_level) == (0.7, "L1")


def test_a_new_level_is_compared_with_its_own_norm():
    review = review_of()
    before = review.vertebra(key_of(review, "L4")).height_loss
    review.shiftLevels(1, READER)
    after = review.vertebra(key_of(review, "L4"))
    # An L5 is expected to be 14 % taller in front than behind, an L4 only 4 %.
    assert after.height_loss.wedge == pytest.approx(1 - (1 - before.wedge) * 1.04 / 1.14, abs=1e-5)
    assert after.current.height_reference.wedge == 1.14
    assert after.heights_mm == after.ai.heights_mm
    assert after.ai.height_loss == before


def test_a_new_name_can_make_a_fracture_of_a_natural_wedge():
    # Front 19 % lower than behind: hardly a loss for a T8, but one for an L4.
    review = review_of(levels=("T7", "T8", "T9", "T10"), losses={"T8": (0.125, 0.0, 0.0)})
    key = key_of(review, "T8")
    assert review.vertebra(key).grade == 0
    review.setLevel(key, "L4", READER)
    vertebra = review.vertebra(key)
    assert (vertebra.level, vertebra.grade, vertebra.shape) == ("L4", 1, "wedge")
    assert vertebra.gradeChanged and vertebra.ai.grade == 0


def test_the_learned_opinion_stays_in_the_grade_under_another_name():
    review = review_of(losses={"L1": (0.22, 0.05, 0.0)}, learned={"L1": 0})
    key = key_of(review, "L1")
    assert review.vertebra(key).grade == 0 and review.vertebra(key).ai.morphometric_grade == 1
    review.shiftLevels(-1, READER)
    vertebra = review.vertebra(key)
    assert vertebra.current.morphometric_grade == 1
    assert vertebra.grade == 0 and vertebra.shape == "normal"
    assert sum(vertebra.grade_probabilities) == pytest.approx(1)
    assert [f.code for f in vertebra.flags].count("grade_disagreement") == 1


def test_a_vertebra_renamed_to_the_axis_is_not_graded_and_says_why():
    review = review_of(levels=("C3", "C4", "C5"))
    review.shiftLevels(-1, READER)
    axis = review.vertebra("v01")
    assert (axis.level, axis.grade, axis.shape, axis.height_loss) == ("C2", None, None, None)
    assert [f.code for f in axis.flags] == ["not_graded"] and "dens" in axis.flags[0].reason
    assert axis.heights_mm == axis.ai.heights_mm and axis.ai.grade == 0


def test_a_vertebra_renamed_from_the_axis_no_longer_speaks_of_the_dens():
    review = review_of(levels=("C2", "C3", "C4"))
    review.shiftLevels(1, READER)
    reasons = [f.reason for f in review.vertebra("v01").flags if f.code == "not_graded"]
    assert reasons == ["Its heights have not been measured."]


def test_flags_speak_of_the_names_that_hold_and_settled_doubts_go():
    flags = (
        Flag("touching_neighbour", "Its body touches that of L1: fused, or not well separated."),
        Flag("low_level_margin", "The level is only 60 % certain."),
    )
    review = review_of(flags={"T12": flags})
    review.shiftLevels(1, READER)
    now = review.vertebra(key_of(review, "T12")).flags
    assert [f.code for f in now] == ["touching_neighbour"]
    assert "that of L2:" in now[0].reason


def test_a_gap_that_a_reader_closes_is_no_missed_neighbour_any_more():
    missed = (Flag("possibly_missed_neighbour", "A neighbouring vertebra may have been missed."),)
    flags = {"T10": missed, "T12": missed}
    places = [0.0, 30.0, 91.0, 122.0]
    review = review_of(levels=("T9", "T10", "T12", "L1"), centers_mm=places, flags=flags)
    review.shiftLevels(1, READER)
    assert [f.code for v in review.vertebrae for f in v.flags] == ["possibly_missed_neighbour"] * 2
    review.undo()
    review.setLevel("v03", "T11", READER, scope="below")
    assert levels_of(review) == "T9 T10 T11 T12"
    assert not [f for v in review.vertebrae for f in v.flags]


def touching(level, of):
    """What measuring `level` again gives that touches its neighbour."""
    flag = Flag("touching_neighbour", f"Its body touches that of {of}.")
    own = next(v for v in spine(THORACOLUMBAR).vertebrae if v.level == level)
    return replace(own, flags=(flag,))


def reasons(review, key):
    return [f.reason for f in review.vertebra(key).flags if f.code == "touching_neighbour"]


def test_flags_of_a_measurement_follow_later_relabellings():
    review = review_of()
    key = key_of(review, "L1")
    review.setMeasurement(key, touching("L1", "L2"), READER)
    assert reasons(review, key) == ["Its body touches that of L2."]
    review.shiftLevels(1, READER)
    assert reasons(review, key) == ["Its body touches that of L3."]
    again = Review.fromJson(review.toJson())
    assert reasons(again, key) == ["Its body touches that of L3."]
    review.undo()
    assert reasons(review, key) == ["Its body touches that of L2."]


def test_flags_of_a_measurement_under_new_names_follow_the_way_back():
    review = review_of()
    key = key_of(review, "L1")
    review.shiftLevels(-1, READER)
    review.setMeasurement(key, touching("T12", "L1"), READER)
    assert reasons(review, key) == ["Its body touches that of L1."]
    review.shiftLevels(1, READER)
    assert review.vertebra(key).level == "L1"
    assert reasons(review, key) == ["Its body touches that of L2."]


@pytest.mark.parametrize(("shift", "measured", "of"), [(1, "L1", "L2"), (1, "L2", "L3")])
def test_a_measurement_of_an_earlier_version_speaks_of_the_names_of_its_own(shift, measured, of):
    review = review_of()
    key = key_of(review, "L1")
    review.setMeasurement(key, touching(measured, of), READER)
    review.shiftLevels(shift, READER)
    content = json.loads(review.toJson())
    kept = content["review"]["vertebrae"][key]
    assert kept.pop("measured_levels") == [v.ai.level for v in review.vertebrae]
    assert reasons(Review.fromJson(json.dumps(content)), key) == ["Its body touches that of L3."]


def test_the_second_choice_names_the_whole_spine_consistently():
    # All but two lean to one level lower; those two have no second choice of their own.
    lower = dict(zip(REGULAR.split()[:-2], REGULAR.split()[1:], strict=False))
    review = review_of(runner_up_level=lower, level_probability=dict.fromkeys(lower, 0.6))
    assert " ".join(review.runnerUpLabelling().values()) == "T9 T10 T11 T12 L1 L2 L3 L4 L5 L6"
    assert list(review.runnerUpLabelling()) == list(review.keys)
    assert review.applyRunnerUp(READER) == set(review.keys)
    assert levels_of(review) == "T9 T10 T11 T12 L1 L2 L3 L4 L5 L6"
    assert review.runnerUpLabelling() is None
    review.undo()
    assert levels_of(review) == REGULAR and review.runnerUpLabelling() is not None


def test_doubt_about_the_lumbar_spine_alone_offers_t13():
    lower = {"L1": "T13", "L2": "L1", "L3": "L2", "L4": "L3", "L5": "L4"}
    review = review_of(runner_up_level=lower, level_probability=dict.fromkeys(lower, 0.8))
    assert " ".join(review.runnerUpLabelling().values()) == "T8 T9 T10 T11 T12 T13 L1 L2 L3 L4"


def test_doubt_whether_there_is_a_vertebra_is_no_doubt_between_levels():
    # The two uppermost may be none at all, and hardly another level; the others lean to the next.
    names = REGULAR.split()
    above, below = {"T8": "T7", "T9": "T8"}, dict(zip(names[2:-1], names[3:], strict=True))
    doubts = {**dict.fromkeys(above, 0.002), **dict.fromkeys(below, 0.08)}
    review = review_of(
        runner_up_level={**above, **below},
        level_probability={**dict.fromkeys(above, 0.3), **dict.fromkeys(below, 0.9)},
        runner_up_probability=doubts,
    )
    assert " ".join(review.runnerUpLabelling().values()) == "T9 T10 T11 T12 L1 L2 L3 L4 L5 L6"


def test_without_second_choices_there_is_nothing_to_apply():
    review = review_of()
    assert review.runnerUpLabelling() is None
    with pytest.raises(UserError, match="no other labelling"):
        review.applyRunnerUp(READER)


def test_one_step_names_the_whole_spine_in_the_audit_trail():
    review = review_of(levels=("T12", "L1", "L2"))
    review.setLevel("v01", "L1", READER)
    assert [(c.key, c.action, c.before, c.after, c.reader) for c in review.changes] == [
        ("v01", "level", "T12", "L1", READER),
        ("v02", "level", "L1", "L2", READER),
        ("v03", "level", "L2", "L3", READER),
    ]
    assert {c.step for c in review.changes} == {1}
