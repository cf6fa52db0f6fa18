"""Labelling metrics on small spines whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from vertebra_core.evaluation.labelling_metrics import (
    before_positional_logic,
    identified,
    level_shift,
    summarise_labelling,
)
from vertebra_core.evaluation.records import CaseRecord, FoundVertebra, TrueVertebra
from vertebra_core.evaluation.report import labelling_tables

HEIGHT = {"T11": 60.0, "T12": 30.0, "L1": 0.0, "L2": -32.0}


def _case(named: dict[str, str | None], offset_mm: float = 0.0, network=None, incomplete=()):
    """One scan: true level -> level given (None: missed)."""
    truth = tuple(
        TrueVertebra(level, (0.0, 0.0, HEIGHT[level]), level not in incomplete) for level in named
    )
    found = tuple(
        FoundVertebra(
            given,
            (0.0, offset_mm, HEIGHT[level]),
            network_level=network[level] if network else None,
        )
        for level, given in named.items()
        if given is not None
    )
    return CaseRecord("case", "real", (1.0, 1.0, 1.0), truth, found)


def test_a_right_name_beyond_twenty_mm_does_not_identify():
    assert identified(_case({"L1": "L1"}, offset_mm=19.9)) == (True,)
    assert identified(_case({"L1": "L1"}, offset_mm=20.1)) == (False,)


def test_a_right_name_nearer_to_the_neighbour_does_not_identify():
    case = CaseRecord(
        "case",
        "real",
        (1.0, 1.0, 1.0),
        (TrueVertebra("C3", (0, 0, 15)), TrueVertebra("C4", (0, 0, 0))),
        (FoundVertebra("C3", (0, 0, 2)),),
    )
    assert identified(case) == (False, False)


def test_summary_counts_missed_ones_against_identification_but_not_against_naming():
    summary = summarise_labelling(
        [
            _case({"T11": "T11", "T12": "T12", "L1": None}),
            _case({"T12": "T12", "L1": "L2"}),
            _case({"L1": "L1", "L2": "L2"}),
        ]
    )
    assert summary.n_true == 7
    assert summary.identification_rate == pytest.approx(5 / 7)
    assert summary.accuracy_of_found == pytest.approx(5 / 6)
    assert summary.scans_all_right == pytest.approx(1 / 3)
    assert summary.levels["L1"].recall == pytest.approx(1 / 3)
    assert summary.levels["L1"].precision == pytest.approx(1.0)
    assert summary.levels["L2"].precision == pytest.approx(1 / 2)
    assert summary.levels["L2"].accuracy == 1.0
    assert summary.levels["L2"].one_vs_rest_accuracy == pytest.approx(6 / 7)
    assert summary.regions["lumbar"].n_true == 4
    assert summary.regions["lumbar"].recall == pytest.approx(2 / 4)
    assert summary.regions["lumbar"].accuracy == pytest.approx(2 / 3)
    assert summary.regions["lumbar"].one_vs_rest_accuracy is None


def test_the_accuracy_of_a_level_means_what_that_of_its_region_does():
    records = [_case({"T12": "T12", "L1": "L2", "L2": "L2"}), _case({"T11": "T11", "L1": "T12"})]
    summary = summarise_labelling(records)
    # No L1 was named L1, though nearly all decisions for or against L1 are right.
    assert summary.levels["L1"].recall == summary.levels["L1"].accuracy == 0.0
    assert summary.levels["L1"].one_vs_rest_accuracy == pytest.approx(3 / 5)
    lumbar = summary.regions["lumbar"].accuracy
    assert lumbar == pytest.approx((0 + 0 + summary.levels["L2"].accuracy) / 3)
    missed = summarise_labelling([_case({"L1": None, "L2": "L2"})])
    assert missed.levels["L1"].accuracy is None and missed.levels["L1"].recall == 0.0
    (table,) = labelling_tables(records, "Phantoms")
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert rows["L1"]["accuracy"] == "0.0 %" and rows["L1"]["one vs. rest"] == "60.0 %"
    assert rows["lumbar"]["accuracy"] == "33.3 %" and rows["lumbar"]["one vs. rest"] is None


def test_a_spine_named_one_too_low_is_called_shifted():
    case = _case({"T11": "T12", "T12": "L1", "L1": "L2"})
    assert level_shift(case) == 1
    assert level_shift(_case({"T11": "T10", "L1": "L1"})) is None
    assert summarise_labelling([case]).shifted_scans == 1
    assert summarise_labelling([_case({"L1": "L1"})]).shifted_scans == 0


def test_a_wrong_spurious_name_lowers_precision():
    case = _case({"L1": "L1"})
    spurious = FoundVertebra("L1", (100.0, 0.0, 0.0))
    with_spurious = CaseRecord("case", "real", (1.0, 1.0, 1.0), case.truth, (*case.found, spurious))
    assert summarise_labelling([with_spurious]).levels["L1"].precision == pytest.approx(0.5)
    assert summarise_labelling([with_spurious]).identification_rate == 1.0


def test_a_cut_vertebra_may_be_missed_but_not_misnamed():
    assert summarise_labelling(
        [_case({"T12": None, "L1": "L1"}, incomplete=("T12",))]
    ).scans_all_right == pytest.approx(1.0)
    assert summarise_labelling(
        [_case({"T12": "T11", "L1": "L1"}, incomplete=("T12",))]
    ).scans_all_right == pytest.approx(0.0)


def test_before_positional_logic_takes_the_network_s_own_levels():
    case = _case({"T12": "T12", "L1": "L1"}, network={"T12": "T12", "L1": "T12"})
    before = before_positional_logic(case)
    assert before is not None
    assert summarise_labelling([before]).identification_rate == pytest.approx(0.5)
    assert summarise_labelling([case]).identification_rate == pytest.approx(1.0)
    assert before_positional_logic(_case({"L1": "L1"})) is None


def test_a_scan_whose_truth_is_unknown_says_nothing_of_levels():
    unknown = replace(_case({"L1": "L2"}), truth=())
    summary = summarise_labelling([_case({"L1": "L1"}), unknown])
    assert summary.n_scans == 1 and summary.scans_all_right == 1.0
    assert summary.levels["L1"].one_vs_rest_accuracy == 1.0 and "L2" not in summary.levels
    alone = summarise_labelling([unknown])
    assert alone.scans_all_right is None and alone.n_scans == 0


def test_the_table_says_what_vertebrae_where_there_is_none_do_to_a_scan():
    right = _case({"L1": "L1"})
    more = replace(right, found=(*right.found, FoundVertebra("L5", (0.0, 0.0, -150.0))))
    (table,) = labelling_tables([more], "x")
    said = "every level right (vertebrae reported where there is none do not count): 100.0 % of 1"
    assert said in table.note


def test_a_share_of_nothing_is_a_dash_in_the_sentence_below_the_table():
    (table,) = labelling_tables([_case({"L1": None})], "x")
    assert "named rightly of those found: -;" in table.note and "None" not in table.note
