"""How sure a level is, in the table and at the points of the panel."""

from __future__ import annotations

import pytest
from review_examples import review_of
from VertebraAnalysisLib.MarkupsWriter import pointDescription
from VertebraAnalysisLib.TableWriter import COLUMNS
from VertebraAnalysisLib.VertebraCells import cells

TABLE = {column.title: column.value for column in COLUMNS}


def vertebra(**own: object):
    """L1 under review, with attributes of its own."""
    review = review_of(levels=("T12", "L1"), **{name: {"L1": v} for name, v in own.items()})
    return review.vertebrae[1]


def test_a_level_below_the_threshold_is_not_shown_as_reaching_it():
    unsure = vertebra(level_probability=0.897, runner_up_level="T12", runner_up_probability=0.0949)
    conf = cells(unsure)["Conf."]
    assert conf.text == "89%"
    assert conf.toolTip == "Probability that this is L1; otherwise it would be T12 (9%)"
    assert "level 89 %" in pointDescription(unsure)
    assert TABLE["Runner-up probability (%)"](unsure) == pytest.approx(9.49)


def test_results_of_earlier_versions_name_the_second_level_alone():
    old = vertebra(level_probability=0.95, runner_up_level="T12")
    conf = cells(old)["Conf."]
    assert conf.text == "95%"
    assert conf.toolTip == "Probability that this is L1; otherwise it would be T12"
    assert TABLE["Runner-up probability (%)"](old) is None


def test_a_level_that_was_given_has_no_confidence():
    given = vertebra(level_probability=None)
    conf = cells(given)["Conf."]
    assert (conf.text, "given" in conf.toolTip) == ("\N{EN DASH}", True)
    assert "level given" in pointDescription(given)
    assert TABLE["Level probability (%)"](given) is None
