"""Opinions of heights and grade head are kept apart until they are joined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from analytic_bodies import body_level, rotation, sampled
from vertebra_core.analysis import Vertebra
from vertebra_core.grading.genant import assess_spine, median_grade
from vertebra_core.grading.joint_grade import (
    JOINING,
    LEAST_PROBABILITY,
    Joining,
    grade_doubt,
    joint_grade,
    joint_of_stated,
    joint_probabilities,
    joint_shapes,
    stated_probabilities,
    with_other_morphometry,
)
from vertebra_core.grading.learned import LearnedGrade
from vertebra_core.grading.opinions import BodyToGrade, body_opinions
from vertebra_core.grading_stage import grade_bodies
from vertebra_core.volume import CtVolume

SURE, MILD = (0.91, 0.03, 0.03, 0.03), (0.2, 0.4, 0.3, 0.1)


def test_the_joint_opinion_is_the_weighted_geometric_mean():
    assert joint_probabilities(SURE, MILD, Joining(0.0)) == pytest.approx(SURE)
    assert joint_probabilities(SURE, MILD, Joining(1.0)) == pytest.approx(MILD)
    roots = np.sqrt(np.multiply(SURE, MILD))
    half = joint_probabilities(SURE, MILD, Joining(0.5))
    assert half == pytest.approx(roots / roots.sum())
    cooler = joint_probabilities(SURE, MILD, Joining(0.5, 0.5))
    assert cooler == pytest.approx(roots**2 / (roots**2).sum())


def test_a_tilt_makes_each_grade_less_likely_than_the_one_below_and_no_shape():
    upright, tilted = (joint_probabilities(SURE, MILD, Joining(0.5, 1.0, b)) for b in (0.0, 0.3))
    odds = [np.array(p[1:]) / np.array(p[:-1]) for p in (upright, tilted)]
    assert odds[1] == pytest.approx(odds[0] * np.exp(-0.3))
    assert joint_shapes(SURE, MILD, Joining(0.5, 1.0, 0.3)) == pytest.approx(upright)


def test_one_opinion_cannot_rule_a_grade_out_alone():
    joint = joint_probabilities((1.0, 0.0, 0.0, 0.0), (0.25,) * 4, Joining(0.5))
    assert joint[3] / joint[0] == pytest.approx(np.sqrt(LEAST_PROBABILITY))


def test_a_temperature_changes_certainty_and_no_order():
    for opinion in ((0.45, 0.2, 0.25, 0.1), (0.2, 0.4, 0.3, 0.1), (0.02, 0.1, 0.4, 0.48)):
        joints = {t: joint_probabilities(opinion, opinion, Joining(0.5, t)) for t in (0.4, 1, 2.5)}
        assert max(joints[0.4]) > max(joints[1]) > max(joints[2.5])
        assert {tuple(np.argsort(p)) for p in joints.values()} == {tuple(np.argsort(opinion))}


EVEN = Joining(learned_weight=0.5, temperature=1.0, tilt=0.3)


def doubt(morphometry, learned) -> tuple[int, str]:
    """The joint grade of two opinions, and the doubt about it."""
    joint = joint_probabilities(morphometry, learned, EVEN)
    opinions = median_grade(morphometry), median_grade(learned)
    return joint_grade(joint, *opinions), grade_doubt(joint, *opinions)


def test_opinions_of_one_grade_leave_no_doubt():
    for opinions in ((SURE, SURE), (MILD, MILD), ((0.02, 0.03, 0.35, 0.6), (0.0, 0.1, 0.3, 0.6))):
        assert doubt(*opinions)[1] == ""


def test_opinions_of_different_grades_are_a_doubt():
    assert doubt(SURE, MILD) == (0, "Heights say grade 0, the learned grade is 1.")
    assert doubt(SURE, (0.05, 0.05, 0.8, 0.1))[1] == "Heights say grade 0, the learned grade is 2."


def test_a_grade_that_neither_half_of_a_split_says_is_a_doubt():
    # The heights say grade 1; the learned head knows 0 and 2 only, and its median is 1.
    grade, reason = doubt((0.08, 0.8, 0.12, 0.0), (0.49, 0.02, 0.48, 0.01))
    assert (grade, reason) == (1, "Grade 1 is the middle of opinions split between 0 and 2.")
    grade, reason = doubt((0.05, 0.2, 0.4, 0.35), (0.4, 0.04, 0.07, 0.49))
    assert grade == 2 and reason == "Grade 2 is the middle of opinions split between 0 and 3."


def test_opinions_of_one_grade_keep_it_and_say_where_they_lean_to():
    grade, reason = doubt((0.3, 0.69, 0.01, 0.0), (0.49, 0.02, 0.48, 0.01))
    assert (grade, reason) == (1, "Heights and learned grade are 1 each, but together lean to 0.")


def test_the_joint_grade_lies_between_those_of_both_opinions():
    rng = np.random.default_rng(0)
    for _ in range(500):
        opinions = rng.dirichlet((0.4,) * 4, size=2)
        own = [median_grade(p) for p in opinions]
        joint = joint_probabilities(*opinions)
        grade = joint_grade(joint, *own)
        assert min(own) <= grade <= max(own)
        if min(own) <= median_grade(joint) <= max(own):
            assert grade == median_grade(joint)


def test_heights_alone_can_be_split_as_well():
    split = (0.38, 0.28, 0.33, 0.01)
    reason = grade_doubt(split, 1)
    assert reason == "Grade 1 is the middle of probabilities split between 0 and 2."
    assert grade_doubt(MILD, median_grade(MILD)) == ""


def test_a_vertebra_graded_by_heights_alone_says_that_they_are_split(monkeypatch):
    split = {"grade": 1, "borderline": False, "grade_probabilities": (0.38, 0.28, 0.33, 0.01)}
    monkeypatch.setattr(
        "vertebra_core.grading.opinions.assess_spine",
        lambda b: [replace(assess_spine(b)[0], **split)],
    )
    body = sampled(body_level, rotation(), np.array([18.0, 20.0, 26.0]), (37, 41, 53), (1.0,) * 3)
    vertebra = Vertebra("L1", None, None, (26.0, 20.0, 18.0))
    (found,) = grade_bodies([BodyToGrade(vertebra, body, body, (0.0,) * 3)])
    assert [f.code for f in found.flags] == ["grade_disagreement", "no_height_reference"]


def test_a_vertebra_says_that_its_learned_opinion_is_split(monkeypatch):
    opinions = "vertebra_core.grading.opinions"
    split = LearnedGrade((0.49, 0.02, 0.48, 0.01), (0.25, 0.25, 0.25, 0.25))
    monkeypatch.setattr(f"{opinions}.body_crop", lambda *_: None)
    monkeypatch.setattr(f"{opinions}.learned_grades", lambda *_: [split])
    # Heights that say grade 1 and are not borderline raise no doubt themselves.
    sure = {"grade": 1, "borderline": False, "grade_probabilities": (0.1, 0.55, 0.35, 0.0)}
    monkeypatch.setattr(f"{opinions}.assess_spine", lambda b: [replace(assess_spine(b)[0], **sure)])
    body = sampled(body_level, rotation(), np.array([18.0, 20.0, 26.0]), (37, 41, 53), (1.0,) * 3)
    vertebra = Vertebra("L1", 1.0, None, (26.0, 20.0, 18.0))
    ct = CtVolume(np.full(body.shape, 150, np.int16), (1.0,) * 3, (0.0,) * 3)
    (found,) = grade_bodies([BodyToGrade(vertebra, body, body, (0.0,) * 3)], ct, network=object())
    assert (found.morphometric_grade, found.learned_grade, found.grade) == (1, 1, 1)
    assert [f.code for f in found.flags] == ["grade_disagreement", "no_height_reference"]
    assert "split between 0 and 2" in found.flags[0].reason


@pytest.mark.parametrize("joining", [JOINING, Joining(0.3, 0.6), Joining(0.8, 2.0, 0.5)])
def test_exchanging_morphometry_is_joining_anew(joining):
    before, after = (0.7, 0.2, 0.08, 0.02), (0.0, 0.1, 0.6, 0.3)
    joint = joint_probabilities(before, MILD, joining)
    exchanged = with_other_morphometry(joint, before, after, joining)
    assert exchanged == pytest.approx(joint_probabilities(after, MILD, joining))


def test_opinions_that_contradict_state_no_more_than_their_mean():
    heights, learned = (0.0, 0.02, 0.13, 0.85), (0.05, 0.9, 0.05, 0.0)
    joint = joint_probabilities(heights, learned, Joining(0.5, 0.5, 0.3))
    stated = stated_probabilities(joint, 3, 1, Joining(0.5, 0.5, 0.3))
    assert max(joint) > 0.7 > 0.5 > max(stated)
    mean = joint_probabilities(heights, learned, Joining(0.5, 1.0, 0.3))
    assert stated == pytest.approx(mean)


@pytest.mark.parametrize("learned", [None, 1])
def test_what_opinions_agree_on_is_stated_as_it_is(learned):
    assert stated_probabilities(MILD, 1, learned) == MILD


@pytest.mark.parametrize(("morphometric", "learned"), [(1, 1), (0, 1), (3, 1), (2, None)])
@pytest.mark.parametrize("joining", [JOINING, Joining(0.5, 1.6)])
def test_what_is_stated_gives_back_the_joint_opinion(morphometric, learned, joining):
    joint = joint_probabilities((0.0, 0.1, 0.6, 0.3), MILD, joining)
    stated = stated_probabilities(joint, morphometric, learned, joining)
    assert joint_of_stated(stated, morphometric, learned, joining) == pytest.approx(joint)


def test_an_analysis_grades_by_the_joint_opinion_and_states_less_where_opinions_differ(monkeypatch):
    opinions = "vertebra_core.grading.opinions"
    head, heights = (0.05, 0.9, 0.05, 0.0), (0.0, 0.02, 0.13, 0.85)
    learned = LearnedGrade(head, (0.25, 0.25, 0.25, 0.25))
    monkeypatch.setattr(f"{opinions}.body_crop", lambda *_: None)
    monkeypatch.setattr(f"{opinions}.learned_grades", lambda *_: [learned])
    severe = {"grade": 3, "borderline": False, "grade_probabilities": heights}
    monkeypatch.setattr(
        f"{opinions}.assess_spine", lambda b: [replace(assess_spine(b)[0], **severe)]
    )
    body = sampled(body_level, rotation(), np.array([18.0, 20.0, 26.0]), (37, 41, 53), (1.0,) * 3)
    vertebra = Vertebra("L1", 1.0, None, (26.0, 20.0, 18.0))
    ct = CtVolume(np.full(body.shape, 150, np.int16), (1.0,) * 3, (0.0,) * 3)
    (found,) = grade_bodies([BodyToGrade(vertebra, body, body, (0.0,) * 3)], ct, network=object())
    joint = joint_probabilities(heights, head)
    assert found.grade == joint_grade(joint, 3, 1)
    assert max(found.grade_probabilities) < max(joint) - 0.1


def test_opinions_stay_apart_and_say_why_there_is_none():
    body = sampled(body_level, rotation(), np.array([18.0, 20.0, 26.0]), (37, 41, 53), (1.0,) * 3)
    sound = BodyToGrade(Vertebra("L1", 1.0, None, (26.0, 20.0, 18.0)), body, body, (0.0, 0.0, 0.0))
    cut = BodyToGrade(
        Vertebra("L2", 1.0, None, (26.0, 20.0, -18.0)), body, body, (0.0, 0.0, -36.0), True
    )
    measured, left_out = body_opinions([sound, cut])
    assert measured.why_not == "" and measured.morphometry.grade == 0 and measured.learned is None
    assert "edge" in left_out.why_not and left_out.morphometry is None
    mapped = replace(cut, body_cut_by="label map")
    assert body_opinions([mapped])[0].why_not.startswith("The edge of the label map cuts the body,")


@pytest.mark.parametrize("change", [{"body_cut": True}, {"doubt": "It is a fragment."}])
def test_the_centre_of_a_fragment_does_not_tell_which_way_is_up(change):
    body = sampled(body_level, rotation(), np.array([18.0, 20.0, 26.0]), (37, 41, 53), (1.0,) * 3)
    sound = BodyToGrade(Vertebra("L1", 1.0, None, (26.0, 20.0, 18.0)), body, body, (0.0, 0.0, 0.0))
    # What is left of the neighbour lies far behind the body's own axis.
    fragment = BodyToGrade(
        Vertebra("T12", 1.0, None, (26.0, 60.0, 30.0)), body, body, (0.0, 40.0, 12.0), **change
    )
    alone, (_, beside) = body_opinions([sound]), body_opinions([fragment, sound])
    assert beside.heights.heights_mm == alone[0].heights.heights_mm
