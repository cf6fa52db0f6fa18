"""What a vertebra that the analysis missed can be called, and what adding it does to a review."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from review_examples import spine
from vertebra_core.analysis import Flag
from vertebra_core.analysis_json import analysis_to_dict
from VertebraAnalysisLib.MissedLevels import missedLevels
from VertebraAnalysisLib.Review import Review
from VertebraAnalysisLib.UserError import UserError

STEP_MM = 30.0


def rowOf(*places):
    """A review of vertebrae: names, an empty text for a gap, head to foot."""
    template = spine().vertebrae[0]
    vertebrae = tuple(
        replace(template, level=name, center_lps_mm=(0.0, 0.0, -STEP_MM * i), flags=())
        for i, name in enumerate(places)
        if name
    )
    return Review(
        replace(spine(), vertebrae=vertebrae),
        analysis_to_dict(replace(spine(), vertebrae=vertebrae)),
    )


def offered(review, place):
    """What is offered at a place of the row, counted from its first vertebra."""
    return missedLevels(review.accepted, (3.0, 2.0, -STEP_MM * place))


def missed(review, name, place):
    """A vertebra as it is measured where one was missed."""
    unsure = {"level_probability": None, "runner_up_level": None, "runner_up_probability": None}
    template = review.analysis.vertebrae[0]
    return replace(template, level=name, center_lps_mm=(0.0, 0.0, -STEP_MM * place), **unsure)


@pytest.mark.parametrize(
    ("row", "place", "level"),
    [
        (("T12", "L1", "", "L3"), 2, "L2"),
        (("T12", "L1", "", "L3"), 1.6, "L2"),
        (("L2", "L3"), -1, "L1"),
        (("L2", "L3"), 2, "L4"),
        (("T11", "", "L1"), 1, "T12"),
        (("C7", "", "T2"), 1, "T1"),
        (("C2", "C3"), -1, "C1"),
    ],
)
def test_the_one_name_that_is_missing_is_taken_without_asking(row, place, level):
    levels = offered(rowOf(*row), place)
    assert levels.names == (level,) and levels.likeliest == level and levels.sure


@pytest.mark.parametrize(
    ("row", "place", "names", "likeliest"),
    [
        (("T12", "", "", "L3"), 1, ("L1", "L2"), "L1"),
        (("T12", "", "", "L3"), 2, ("L1", "L2"), "L2"),
        (("T2", "", "", "", "", "", "", "T9"), 3, ("T4", "T5", "T6"), "T5"),
        (("T2", "", "", "", "", "", "", "T9"), 6, ("T6", "T7", "T8"), "T8"),
        (("T11", "T12"), 2, ("T13", "L1"), "L1"),
        (("L1", "L2"), -1, ("T12", "T13"), "T12"),
    ],
)
def test_where_several_names_are_possible_they_are_offered(row, place, names, likeliest):
    levels = offered(rowOf(*row), place)
    assert (levels.names, levels.likeliest, levels.sure) == (names, likeliest, False)


@pytest.mark.parametrize(
    ("row", "place", "level"),
    [(("T11", "T12", "L1"), 1.5, "T13"), (("L4", "L5"), 2, "L6")],
)
def test_a_level_that_few_spines_have_is_asked_about(row, place, level):
    levels = offered(rowOf(*row), place)
    assert levels.names == (level,) and not levels.sure


@pytest.mark.parametrize(
    ("row", "place", "words"),
    [
        (("L1", "L2", "L3"), 0.5, "between L1 and L2"),
        (("C1", "C2"), -1, "above C1"),
        (("L4", "L5", "L6"), 3, "below L6"),
        (("T12", "T13", "L1"), 1.5, "between T13 and L1"),
    ],
)
def test_where_no_name_is_free_a_sentence_says_so_and_what_to_do(row, place, words):
    with pytest.raises(UserError, match=f"no level free {words}") as refused:
        offered(rowOf(*row), place)
    assert "Rename the vertebrae above or below first" in refused.value.hint


def test_names_are_those_of_the_review_and_rejected_ones_do_not_count():
    review = rowOf("T12", "L1", "L2")
    review.setRejected("v02", True, "A")
    assert offered(review, 0.9).names == ("L1",)
    review.shiftLevels(1, "A")
    assert offered(review, 0.9).names == ("L2",)
    for key in ("v01", "v03"):
        review.setRejected(key, True, "A")
    with pytest.raises(UserError, match="no vertebra to count"):
        offered(review, 0.9)


def test_it_takes_its_place_under_a_new_key_and_no_other_key_changes():
    review = rowOf("T12", "L1", "", "L3")
    assert review.addVertebra(missed(review, "L2", 2), "A") == {"v04"}
    assert review.keys == ("v01", "v02", "v04", "v03")
    assert [v.level for v in review.vertebrae] == ["T12", "L1", "L2", "L3"]
    review.addVertebra(missed(review, "T11", -1), "B")
    assert review.keys == ("v05", "v01", "v02", "v04", "v03")
    (first, second) = review.changes
    assert (first.reader, first.before, first.after) == ("A", "missed", "added as L2")
    assert (second.action, second.reader, second.key) == ("added", "B", "v05")


def test_it_comes_back_equal_from_json_which_says_that_it_is_of_a_later_version():
    review = rowOf("T12", "L1", "", "L3")
    assert json.loads(review.toJson())["review"]["version"] == "1.2"
    review.addVertebra(missed(review, "L2", 2), "A")
    review.overrideGrade("v04", 2, "crush", "Seen", "A")
    content = json.loads(review.toJson())
    assert content["review"]["version"] == "2.0" and len(content["vertebrae"]) == 3
    again = Review.fromJson(review.toJson())
    assert again.vertebrae == review.vertebrae and again.changes == review.changes
    for _ in range(2):
        again.undo()
    assert again.keys == ("v01", "v02", "v03")
    assert Review.fromJson(again.toJson()).keys == again.keys


@pytest.mark.parametrize("damage", ["a key of the analysis", "a key without a vertebra"])
def test_a_review_whose_added_vertebrae_make_no_sense_is_refused(damage):
    review = rowOf("T12", "L1", "", "L3")
    review.addVertebra(missed(review, "L2", 2), "A")
    content = json.loads(review.toJson())
    own = content["review"]["vertebrae"]
    if damage == "a key of the analysis":
        own["v01"] = own["v04"]
    else:
        own["v07"] = {"reviewed": True}
    with pytest.raises(UserError, match="cannot be read"):
        Review.fromJson(json.dumps(content))


def test_renamed_and_redrawn_neighbours_keep_their_values():
    review = rowOf("T12", "L1", "", "L3")
    review.shiftLevels(-1, "A")
    line = review.vertebra("v02").height_lines["anterior"]
    low = replace(line, top_lps_mm=tuple(c - 2.0 * (i == 2) for i, c in enumerate(line.top_lps_mm)))
    review.setHeightLines("v02", {"anterior": low}, "A")
    before = {v.key: v.current for v in review.vertebrae}
    tall = missed(review, "L1", 2)
    heights = replace(tall.heights_mm, anterior=44.0, middle=44.0, posterior=44.0)
    review.addVertebra(replace(tall, heights_mm=heights), "A")
    assert before == {v.key: v.current for v in review.vertebrae if v.key in before}


def test_the_doubt_about_a_missed_neighbour_is_settled_when_it_is_added():
    review = rowOf("T12", "L1", "", "L3")
    doubt = Flag("possibly_missed_neighbour", "A neighbouring vertebra may have been missed.")
    flagged = tuple(replace(v, flags=(doubt,)) for v in review.analysis.vertebrae[1:])
    analysis = replace(review.analysis, vertebrae=(review.analysis.vertebrae[0], *flagged))
    review = Review(analysis, analysis_to_dict(analysis))
    assert review.addVertebra(missed(review, "L2", 2), "A") == {"v02", "v03", "v04"}
    assert all(v.flags == () for v in review.vertebrae)
    assert review.undo() == {"v02", "v03", "v04"}
    assert [len(v.flags) for v in review.vertebrae] == [0, 1, 1]


def test_flags_go_on_speaking_of_the_right_neighbours():
    review = rowOf("T12", "L1", "", "L3")
    touching = Flag("touching_neighbour", "Its body touches that of L1: fused.")
    own = replace(review.analysis.vertebrae[2], flags=(touching,))
    analysis = replace(review.analysis, vertebrae=(*review.analysis.vertebrae[:2], own))
    review = Review(analysis, analysis_to_dict(analysis))
    review.shiftLevels(1, "A")
    # Under the name that one of the others had at first.
    added = replace(missed(review, "L3", 2), flags=(replace(touching, reason="Touches L2."),))
    review.addVertebra(added, "A")
    said = {v.level: [f.reason for f in v.flags] for v in review.vertebrae}
    assert said["L4"] == ["Its body touches that of L2: fused."]
    assert said["L3"] == ["Touches L2."]
    # Measured again, its flags speak the names of that time.
    again = replace(touching, reason="Its body touches that of L2: fused.")
    review.setMeasurement("v03", replace(own, level="L4", flags=(again,)), "A")
    review.shiftLevels(-1, "A")
    said = {v.level: [f.reason for f in v.flags] for v in review.vertebrae}
    assert said["L2"] == ["Touches L1."] and said["L3"] == ["Its body touches that of L1: fused."]


def test_the_second_choice_of_levels_stays_possible_or_is_not_offered():
    review = rowOf("T12", "L1", "", "L3")
    own = [
        replace(v, level_probability=0.6, runner_up_level=up, runner_up_probability=0.4)
        for v, up in zip(review.analysis.vertebrae, ("T11", "T12", "L2"), strict=True)
    ]
    analysis = replace(review.analysis, vertebrae=tuple(own))
    review = Review(analysis, analysis_to_dict(analysis))
    review.addVertebra(missed(review, "L2", 2), "A")
    assert list(review.runnerUpLabelling().values()) == ["T11", "T12", "L1", "L2"]
    review.applyRunnerUp("A")
    assert [v.level for v in review.vertebrae] == ["T11", "T12", "L1", "L2"]
    review = Review(analysis, analysis_to_dict(analysis))
    review.shiftLevels(1, "A")
    review.addVertebra(missed(review, "L3", 2), "A")
    assert review.runnerUpLabelling() is None
