"""Reliability of stated probabilities on records whose right answers are known."""

from __future__ import annotations

import argparse
import json
import re
from xml.etree import ElementTree

import pytest
from vertebra_core.errors import InputError
from vertebra_core.evaluation import evaluate_records
from vertebra_core.evaluation.calibration import expected_calibration_error, wilson_interval
from vertebra_core.evaluation.record_log import RecordLog
from vertebra_core.evaluation.records import CaseRecord, FoundVertebra, TrueVertebra
from vertebra_core.evaluation.reliability import (
    grade_calibration,
    level_calibration,
    reliability_tables,
)
from vertebra_core.evaluation.reliability_svg import (
    FILE_NAME,
    point_px,
    reliability_svg,
    write_reliability,
)
from vertebra_core.evaluation.report import report_tables

LEVELS = ("T12", "L1", "L2", "L3", "L4")


def spine(
    named=LEVELS, sure=0.95, grades=(0,) * 5, stated=(1.0, 0.0, 0.0, 0.0), name="spine",
    incomplete=(), kind="phantom",
):  # fmt: skip
    """Five true vertebrae of grade 0, and what is said of them."""
    truth, found = [], []
    for k, level in enumerate(LEVELS):
        centre = (0.0, 0.0, -30.0 * k)
        complete = level not in incomplete
        truth.append(TrueVertebra(level, centre, True, complete, 0, "normal"))
        found.append(FoundVertebra(named[k], centre, sure, None, grades[k], None, stated))
    return CaseRecord(name, kind, (1.0, 1.0, 1.0), tuple(truth), tuple(found))


def test_levels_right_in_one_scan_of_two_are_half_as_good_as_a_certainty():
    shifted = ("T11", "T12", "L1", "L2", "L3")
    calibration = level_calibration([spine(sure=1.0), spine(shifted, sure=1.0)])
    assert calibration.n == 10
    assert calibration.error == pytest.approx(0.5)
    (only,) = calibration.bins
    assert only.share_right == pytest.approx(0.5)


def test_levels_without_a_probability_and_cut_bodies_are_left_out():
    assert level_calibration([spine(sure=None)]).n == 0
    assert level_calibration([spine(incomplete=("T12", "L1"))]).n == 3


def test_the_probability_of_the_given_grade_counts_not_the_greatest_one():
    # Grade 1 is given as the median of two extremes: it was stated with 0.1, and is wrong.
    given = spine(grades=(1,) * 5, stated=(0.48, 0.1, 0.0, 0.42))
    calibration = grade_calibration([given])
    assert calibration.bins[0].mean_probability == pytest.approx(0.1)
    assert calibration.error == pytest.approx(0.1)


def test_a_table_states_each_bin_with_its_interval():
    records = [spine(sure=0.65), spine(("T11", *LEVELS[1:]), sure=0.95)]
    tables = {t.title: t for t in reliability_tables(records, "Phantoms")}
    rows = tables["Phantoms: calibration of levels"].rows
    assert [row[:4] for row in rows] == [
        ("0.6-0.7", 5, "65.0 %", "100.0 %"),
        ("0.9-1.0", 5, "95.0 %", "80.0 %"),
    ]
    assert rows[1][4] == "38-96 %"
    # (5 * 0.35 + 5 * 0.15) / 10
    assert "0.250 of 10" in tables["Phantoms: calibration of levels"].note
    assert set(tables) < {t.title for t in report_tables(records, "Phantoms")}


def test_wilson_s_interval_is_that_of_the_textbook():
    # Newcombe, Statistics in Medicine 17 (1998) 857, table I: 81 of 263, 15 of 148, 0 of 20.
    for part, whole, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)):
        assert wilson_interval(part, whole) == pytest.approx((low, high), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="whole"):
        wilson_interval(3, 2)


def test_points_lie_where_stated_and_right_meet():
    calibration = level_calibration([spine(sure=0.65), spine(("T11", *LEVELS[1:]), sure=0.95)])
    svg = reliability_svg({"A <b> & c": {"Levels": calibration}})
    root = ElementTree.fromstring(svg)
    circles = root.findall(".//{*}circle")
    places = [(float(c.get("cx")), float(c.get("cy"))) for c in circles]
    assert places == [pytest.approx(point_px(0.65, 1.0)), pytest.approx(point_px(0.95, 0.8))]
    assert "A <b> & c" in [t.text for t in root.findall(".//{*}text")]
    # Up is right more often, and the diagonal runs from corner to corner.
    assert point_px(0, 1)[1] < point_px(0, 0)[1]
    assert not re.search(r"href|<script", svg)


def test_diagrams_are_written_only_where_probabilities_were_stated(tmp_path):
    silent = spine(sure=None, grades=(None,) * 5, stated=None)
    assert write_reliability(tmp_path / "a", {"Real scans": [silent]}) is None
    assert not (tmp_path / "a").exists()
    path = write_reliability(tmp_path / "b", {"Real scans": [silent], "Phantoms": [spine()]})
    words = [t.text for t in ElementTree.parse(path).findall(".//{*}text")]
    assert "Phantoms" in words and "Real scans" not in words
    assert "Levels" in words and "Grades" in words


def records_arguments(*words):
    parser = argparse.ArgumentParser()
    evaluate_records.add_arguments(parser)
    return parser.parse_args([str(w) for w in words])


def test_the_report_of_stored_records_needs_no_analysis(tmp_path, capsys):
    log = RecordLog(tmp_path / "records.jsonl")
    log.add(spine(name="a", sure=1.0))
    log.add(spine(("T11", "T12", "L1", "L2", "L3"), name="b", sure=1.0))
    log.add(spine(name="c", kind="real"))
    assert evaluate_records.run(records_arguments(tmp_path, "--json")) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["n_real_scans"] == 1
    phantoms = figures["Phantoms, 1 mm slices of 1 mm pixels"]
    assert phantoms["n_scans"] == 2
    assert phantoms["level_calibration_error"] == pytest.approx(0.5)
    assert phantoms["level_calibration_bins"][0]["n"] == 10
    reached = {r["what"]: r["reached"] for r in figures["requirements"]}
    assert reached["levels: expected calibration error"] == "NO"
    assert reached["grades: expected calibration error"] == "yes"
    assert (tmp_path / FILE_NAME).exists()
    evaluate_records.run(records_arguments(tmp_path, "--output", tmp_path / "other"))
    assert "what flags promise" in capsys.readouterr().out
    assert (tmp_path / "other" / FILE_NAME).exists()


def test_records_of_several_folders_are_read_together(tmp_path, capsys):
    for folder, names in (("a", ("one", "two")), ("b", ("two", "three"))):
        log = RecordLog(tmp_path / folder / "records.jsonl")
        for name in names:
            log.add(spine(name=name, sure=1.0))
    assert evaluate_records.run(records_arguments(tmp_path / "a", tmp_path / "b", "--json")) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["n_phantom_scans"] == 3
    assert (tmp_path / "a" / FILE_NAME).exists() and not (tmp_path / "b" / FILE_NAME).exists()
    with pytest.raises(InputError, match="no records"):
        evaluate_records.run(records_arguments(tmp_path / "a", tmp_path / "c"))


def test_a_folder_without_records_is_refused_with_a_hint(tmp_path):
    with pytest.raises(InputError, match="no records") as caught:
        evaluate_records.run(records_arguments(tmp_path))
    assert "--output" in caught.value.hint
    (tmp_path / "records.jsonl").write_text('{"name": "x"}\n')
    with pytest.raises(InputError, match="no records"):
        evaluate_records.run(records_arguments(tmp_path))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -0.1, 1.1])
def test_what_is_no_probability_has_no_calibration(number):
    with pytest.raises(ValueError, match="between 0 and 1"):
        expected_calibration_error([0.5, number], [True, False])
