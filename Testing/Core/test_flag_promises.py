"""What flags promise, on spines with known errors."""

from __future__ import annotations

from dataclasses import replace

import pytest
from vertebra_core.evaluation.flag_promises import (
    GRADE,
    LEVEL,
    MASK,
    MASK_DICE,
    NEIGHBOUR,
    PROMISES,
    judgements,
    promise_figures,
    promise_table,
    promises,
)
from vertebra_core.evaluation.records import CaseRecord, FoundVertebra, MaskScore, TrueVertebra
from vertebra_core.evaluation.summary import summarise
from vertebra_core.flag_names import FLAG_NAMES

HEIGHT_MM = {"T12": 30.0, "L1": 0.0, "L2": -32.0, "L3": -66.0}


def mask(level, dice, part="vertebra"):
    return MaskScore(
        level, part, level, True, dice, dice / 2, 1.0, 0.0, 0.0, None, None, None, None
    )


def case(*vertebrae, masks=()):
    """(true level, true grade, level given or None for missed, grade given, flags) each."""
    truth = tuple(
        TrueVertebra(true, (0.0, 0.0, HEIGHT_MM[true]), grade=grade)
        for true, grade, *_ in vertebrae
    )
    found = tuple(
        FoundVertebra(given, (0.0, 0.0, HEIGHT_MM[true]), grade=graded, flags=tuple(flags))
        for true, _, given, graded, flags in vertebrae
        if given is not None
    )
    return CaseRecord("case", "phantom", (1.0, 1.0, 1.0), truth, found, tuple(masks))


def promise(records, flag, about):
    (found,) = [p for p in promises(records) if (p.flag, p.about) == (flag, about)]
    return found


def test_a_flag_is_held_to_its_own_doubt():
    record = case(
        ("T12", 0, "T12", 0, ["borderline"]),
        ("L1", 1, "L1", 0, ["borderline", "grade_disagreement"]),
        ("L2", 2, "L2", 1, ["low_level_margin"]),
        ("L3", 0, "L4", 0, ["low_level_margin"]),
    )
    borderline = promise([record], "borderline", GRADE)
    assert (borderline.n, borderline.n_flagged) == (4, 2)
    assert (borderline.n_wrong, borderline.n_both) == (2, 1)
    assert borderline.wrong_of_flagged == borderline.flagged_of_wrong == 0.5
    disagreement = promise([record], "grade_disagreement", GRADE)
    assert disagreement.wrong_of_flagged == 1.0 and disagreement.flagged_of_wrong == 0.5
    margin = promise([record], "low_level_margin", LEVEL)
    assert margin.wrong_of_flagged == 0.5 and margin.flagged_of_wrong == 1.0
    # Two flags on one vertebra are one doubt.
    anything = promise([record], "any doubt", GRADE)
    assert (anything.n_flagged, anything.n_both) == (2, 1)


def test_what_is_not_known_is_not_judged():
    record = case(
        ("T12", None, "T12", 1, ["borderline"]),
        ("L1", 1, "L1", None, ["not_graded"]),
        ("L2", 1, "L2", 1, []),
    )
    truth = (*record.truth[:2], replace(record.truth[2], complete=False))
    judged = judgements([replace(record, truth=truth)])
    assert all(GRADE not in j.wrong and MASK not in j.wrong for j in judged)
    assert [j.wrong[LEVEL] for j in judged] == [False] * 3
    abouts = {p.about for p in promises([replace(record, truth=truth)])}
    assert abouts == {LEVEL, NEIGHBOUR}


def test_a_vertebra_that_is_none_has_a_wrong_level_and_a_wrong_mask():
    record = case(("L1", 0, "L1", 0, []), masks=[mask("L1", 0.95)])
    ghost = FoundVertebra("T9", (0.0, 0.0, 200.0), grade=0, flags=("implausible_shape",))
    record = replace(record, found=(ghost, *record.found))
    first, second = judgements([record])
    assert first.wrong == {LEVEL: True, MASK: True}
    assert second.wrong == {LEVEL: False, NEIGHBOUR: False, GRADE: False, MASK: False}
    assert promise([record], "implausible_shape", MASK).wrong_of_flagged == 1.0
    # Without true masks nothing is said about masks.
    assert MASK not in judgements([replace(record, masks=())])[0].wrong


def test_the_mask_of_the_body_is_judged_and_that_of_the_vertebra_only_without_one():
    record = case(
        ("T12", 0, "T12", 0, ["touching_neighbour"]),
        ("L1", 0, "L1", 0, []),
        masks=[
            mask("T12", MASK_DICE + 0.05),
            mask("T12", MASK_DICE - 0.01, "body"),
            mask("L1", MASK_DICE - 0.2),
            mask("L1", MASK_DICE, "body"),
        ],
    )
    assert [j.wrong[MASK] for j in judgements([record])] == [True, False]
    assert promise([record], "touching_neighbour", MASK).flagged_of_wrong == 1.0
    vertebrae = replace(record, masks=(record.masks[0], record.masks[2]))
    assert [j.wrong[MASK] for j in judgements([vertebrae])] == [False, True]


def test_a_missed_neighbour_is_wrong_for_both_sides_of_the_gap_only():
    flag = ["possibly_missed_neighbour"]
    record = case(
        ("T12", 0, "T12", 0, flag),
        ("L1", 0, None, None, []),
        ("L2", 0, "L2", 0, []),
        ("L3", 0, "L3", 0, flag),
    )
    assert [j.wrong[NEIGHBOUR] for j in judgements([record])] == [True, True, False]
    kept = promise([record], *flag, NEIGHBOUR)
    assert kept.wrong_of_flagged == kept.flagged_of_wrong == 0.5
    # One that the field of view leaves out need not be found.
    truth = tuple(replace(v, in_view=v.level != "L1") for v in record.truth)
    assert not any(j.wrong[NEIGHBOUR] for j in judgements([replace(record, truth=truth)]))


def test_shares_of_nothing_are_unknown_not_zero():
    quiet = promise([case(("L1", 0, "L1", 0, []))], "borderline", GRADE)
    assert quiet.wrong_of_flagged is None and quiet.flagged_of_wrong is None
    (row,) = [
        r
        for r in promise_table([case(("L1", 0, "L1", 0, []))], "Phantoms").rows
        if r[:2] == ("borderline", GRADE)
    ]
    assert row == ("borderline", GRADE, 1, 0, None, 0, None)


def test_promises_are_part_of_the_figures_and_flags_are_real():
    assert set(PROMISES) <= set(FLAG_NAMES)
    record = case(("L1", 1, "L1", 0, ["borderline"]))
    figures = summarise([record])["flag_promises"]
    assert figures == promise_figures([record])
    assert {
        "flag": "borderline",
        "about": GRADE,
        "n": 1,
        "n_flagged": 1,
        "n_wrong": 1,
        "n_flagged_and_wrong": 1,
        "wrong_of_flagged": pytest.approx(1.0),
        "flagged_of_wrong": pytest.approx(1.0),
    } in figures


def test_without_anything_found_there_is_no_table():
    assert promise_table([case(("L1", 0, None, None, []))], "Phantoms") is None
