"""What the report's summary says, and what it does not deny."""

from __future__ import annotations

from dataclasses import replace

import pytest
from example_analysis import example
from test_report import text_of
from vertebra_core.analysis import Flag, HeightLoss
from vertebra_core.output.report_summary import summary_html


def summary_of(*changes: dict) -> str:
    """Summary of vertebrae like the example's sound T12, each changed."""
    analysis = example()[3]
    vertebrae = tuple(
        replace(analysis.vertebrae[0], level=f"L{k}", **own) for k, own in enumerate(changes, 1)
    )
    return text_of(summary_html(replace(analysis, vertebrae=vertebrae)))


WEDGE = HeightLoss(0.24, 0.05, -0.02)
DISPUTED = (Flag("grade_disagreement", "So."),)


def test_summary_does_not_deny_a_height_loss_that_the_table_prints():
    text = summary_of({}, {"height_loss": WEDGE})
    assert "No fracture was graded; height losses of 20 % or more: L2 24 % (wedge)." in text
    assert "No height loss" not in text
    # Printed as 20 %.
    assert "L1 20 % (crush)" in summary_of({"height_loss": HeightLoss(0.1, 0.1, 0.196)})
    nan = float("nan")
    assert "No height loss of 20 % or more" in summary_of({"height_loss": HeightLoss(0.19, nan, 0)})


def test_summary_tells_losses_beside_graded_fractures():
    fractured = {"grade": 2, "shape": "crush", "height_loss": HeightLoss(0.1, 0.1, 0.3)}
    text = summary_of(fractured, {"height_loss": WEDGE}, {"height_loss": WEDGE, "grade": None})
    assert "Deformed: L1 grade 2 (moderate, crush)." in text
    losses = "Height losses of 20 % or more without a graded fracture"
    assert f"{losses}: L2 24 % (wedge); L3 24 % (wedge)." in text


@pytest.mark.parametrize(
    ("grade", "morphometric", "learned", "said"),
    [
        (1, 1, 0, "Measured and learned grade disagree: L1."),
        (1, 1, 1, "Opinions on the grade are split: L1."),
        (1, 1, None, "Opinions on the grade are split: L1."),
    ],
)
def test_summary_says_what_is_disputed_about_a_grade(grade, morphometric, learned, said):
    own = {"grade": grade, "morphometric_grade": morphometric, "learned_grade": learned}
    text = summary_of({**own, "flags": DISPUTED})
    assert said in text
    assert text.count("isagree") == (morphometric != learned and learned is not None)


def test_summary_counts_levels_that_the_network_names_differently_as_uncertain():
    unsure = (
        Flag("low_level_margin", "Seen singly, 2 of 2 vertebrae would be named differently."),
    )
    text = summary_of({"flags": unsure}, {}, {"level_probability": 0.5})
    assert "Level uncertain: L1, L3." in text


def test_a_given_level_is_not_uncertain():
    assert "uncertain" not in summary_of({"level_probability": None, "runner_up_probability": None})


COARSE = Flag("not_graded", "Voxels of 5.5 mm are too coarse to measure heights.")
UNGRADED = {"grade": None, "borderline": None, "height_loss": None}
NOTHING = "No vertebra could be graded; nothing is said about fractures."


def test_nothing_is_said_about_fractures_where_nothing_was_graded():
    text = summary_of({**UNGRADED, "flags": (COARSE,)}, {**UNGRADED, "flags": (COARSE,)})
    assert f"{NOTHING} {COARSE.reason}" in text
    assert "No height loss" not in text and "Not graded" not in text
    other = Flag("not_graded", "The atlas has no vertebral body, so it has no Genant grade.")
    text = summary_of({**UNGRADED, "flags": (COARSE,)}, {**UNGRADED, "flags": (other,)})
    assert f"{NOTHING} The reasons are in the table." in text
    assert "mm are" not in text and "No height loss" not in text


def test_how_many_were_graded_is_said_where_nothing_was_found():
    text = summary_of({}, {}, {**UNGRADED, "flags": (COARSE,)})
    assert "No height loss of 20 % or more was found; 2 of 3 vertebrae could be graded." in text
    assert "Not graded: L3" in text


def test_suspected_lesions_are_told_first_and_counted():
    lesion = Flag("lesion_candidate", "A lytic lesion is suspected.", (0.0, 0.0, 0.0), 0.9)
    text = summary_of({}, {"flags": (lesion,)}, {"flags": (lesion, lesion), "borderline": True})
    assert "Suspected lesion: L2, L3 (2)." in text
    assert text.index("Suspected lesion") < text.index("Near a threshold")
    assert "esion" not in summary_of({})


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("implausible_shape", "Doubtful outline: L2."),
        ("touching_neighbour", "Touching a neighbour (fused, or not well separated): L2."),
        ("possibly_missed_neighbour", "A neighbour may have been missed beside: L2."),
        ("metal", "Metal in the body: L2."),
        ("cement", "Cement or very dense bone in the body: L2."),
    ],
)
def test_what_a_reader_must_know_of_a_vertebra_is_told(code, said):
    assert said in summary_of({}, {"flags": (Flag(code, "So."),)})
    assert said not in summary_of({}, {})
