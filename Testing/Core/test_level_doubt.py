"""Doubt about levels, in the words of flags, warnings and tables."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from example_analysis import example
from vertebra_core.analysis import Flag
from vertebra_core.flagging import level_unsure, probability_percent
from vertebra_core.labelling.assignment import LabelledDetection, LevelAssignment
from vertebra_core.levels import level_named
from vertebra_core.output.markups_json import analysis_to_markups
from vertebra_core.output.text_table import analysis_text
from vertebra_core.segmentation.segment import VertebraMask
from vertebra_core.stages import Candidate
from vertebra_core.vertebra_flags import labelling_warnings, left_out_doubts, vertebra_flags
from vertebra_core.volume import IDENTITY_DIRECTION, CtVolume


@pytest.mark.parametrize(
    ("probability", "percent"),
    [(0.0, 0), (0.004, 0), (0.8849, 88), (0.897, 89), (0.8999, 89), (0.9, 90), (0.996, 100)],
)
def test_percent_is_rounded_but_never_up_to_the_threshold(probability, percent):
    assert probability_percent(probability) == percent


def test_a_level_is_unsure_by_its_probability_or_its_flag():
    sure = example()[3].vertebrae[0]
    assert not level_unsure(sure) and not level_unsure(replace(sure, level_probability=None))
    assert level_unsure(replace(sure, level_probability=0.8999))
    assert level_unsure(replace(sure, flags=(Flag("low_level_margin", "So."),)))


def _flags_of(level: str, probability: float, left_out: str = "") -> tuple[Flag, ...]:
    empty = np.zeros((2, 2, 2), np.float16)
    mask = VertebraMask((0.0, 0.0, 0.0), (0, 0, 0), (0.0, 0.0, 0.0), empty, empty)
    candidate = Candidate(mask, (0.0, 0.0, 0.0), False, False)
    ct = CtVolume(np.zeros((4, 4, 4), np.int16), (1.0,) * 3, (0.0,) * 3, IDENTITY_DIRECTION)
    return vertebra_flags(candidate, level_named(level), probability, False, ct, left_out)


def test_flag_of_an_unsure_level_does_not_state_the_threshold_itself():
    reasons = {p: [f.reason for f in _flags_of("L2", p)] for p in (0.897, 0.9)}
    assert reasons == {0.897: ["The level is only 89 % certain."], 0.9: []}


@pytest.mark.parametrize(
    ("names", "said"),
    [(("T12",), "is T12."), (("T12", "L1"), "runs from T12 to L1."), ((), "")],
)
def test_next_best_labelling_of_one_vertebra_is_one_level(names, said):
    unsure = LabelledDetection(level_named("L1"), 0.6, level_named("T12"), 0.3)
    other = tuple(level_named(name) for name in names)
    warnings = labelling_warnings(LevelAssignment((unsure,), (), (), 1.0, other))
    whole = [f"Levels are uncertain: the next best labelling {said}"] if said else []
    assert warnings == whole


def _left_out(sure: float, runner_up: str | None = "L6") -> LabelledDetection:
    other = runner_up and level_named(runner_up)
    return LabelledDetection(None, sure, other, 0.9 * (1 - sure), sure)


def _named(level: str) -> LabelledDetection:
    return LabelledDetection(level_named(level), 0.99, None, 0.0)


def _assigned(*detections: LabelledDetection) -> LevelAssignment:
    return LevelAssignment(detections, (), (), 1.0, ())


def test_what_was_left_out_but_may_be_a_vertebra_is_told_beside_it():
    row = _assigned(_named("L4"), _named("L5"), _left_out(0.5))
    said = "What lies below L5 was taken for no vertebra, but may be L6 (45 %)."
    assert left_out_doubts(row) == {1: said}
    assert labelling_warnings(row) == [said]
    above = _assigned(_left_out(0.7, "T11"), _named("T12"))
    said = "What lies above T12 was taken for no vertebra, but may be T11 (27 %)."
    assert left_out_doubts(above) == {1: said}


def test_two_left_out_beside_one_vertebra_are_both_told():
    row = _assigned(_named("L5"), _left_out(0.5), _left_out(0.6, "L5"))
    (told,) = left_out_doubts(row).values()
    assert "may be L6 (45 %)." in told and "may be L5 (36 %)" in told


def test_a_left_out_one_that_may_bear_a_name_already_given_says_so():
    row = _assigned(_named("T9"), _named("T10"), _left_out(0.7, "T10"))
    said = (
        "What lies below T10 was taken for no vertebra, but may be T10 (27 %) instead of the one "
        "named so."
    )
    assert left_out_doubts(row) == {1: said}


def test_what_was_surely_left_out_is_not_told():
    assert left_out_doubts(_assigned(_named("L5"), _left_out(0.95))) == {}
    assert left_out_doubts(_assigned(_named("L5"), _left_out(0.5, None))) == {}
    assert left_out_doubts(_assigned(_left_out(0.5))) == {}


def test_a_neighbour_left_out_is_a_flag():
    (flag,) = _flags_of("L5", 0.99, "May be L6.")
    assert (flag.code, flag.reason) == ("possibly_missed_neighbour", "May be L6.")


def test_tables_and_points_take_levels_that_were_given_or_are_nearly_sure():
    analysis = example()[3]
    given = replace(analysis.vertebrae[0], level_probability=None)
    nearly = replace(analysis.vertebrae[1], level_probability=0.897)
    analysis = replace(analysis, vertebrae=(given, nearly))
    lines = [line.split() for line in analysis_text(analysis).splitlines()[1:]]
    assert [line[:2] for line in lines] == [["T12", "-"], ["L1", "89"]]
    (markup,) = json.loads(analysis_to_markups(analysis))["markups"]
    told = [p["description"] for p in markup["controlPoints"]]
    assert "level given" in told[0] and "level 89 %" in told[1]
