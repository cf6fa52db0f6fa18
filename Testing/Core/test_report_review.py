"""What a reader changed, in the report."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from example_analysis import example
from test_report import text_of
from vertebra_core.output.report_html import report_html
from vertebra_core.output.report_review import Correction, Reading

READING = Reading(
    vertebrae=3,
    reviewed=2,
    readers=("Dr Müller", "<b>Öz</b>"),
    corrections=(
        Correction("L1", "G1 wedge", "G2 crush", "Dr Müller", "2026-03-01T12:00:01.000+00:00",
                   "Burst & seen"),
        Correction("T11", "T11", "not a vertebra", "<b>Öz</b>", "2026-03-02T08:09:10.000+00:00"),
    ),
    rejected=("T11",),
)  # fmt: skip


@pytest.fixture(scope="module")
def page() -> str:
    ct, labels, bodies, analysis = example()
    return report_html(analysis, ct, labels, bodies, reading=READING)


def test_the_report_says_who_changed_what_when_and_why(page):
    text = text_of(page)
    for wanted in ("Review", "G1 wedge", "G2 crush", "Dr Müller", "2026-03-01 12:00",
                   "Burst & seen"):  # fmt: skip
        assert wanted in text, wanted
    assert "<b>Öz</b>" in text, "names are no markup"


def test_a_row_of_the_table_says_what_a_reader_changed_in_it(page):
    rows = dict(re.findall(r"scope='row'>(\w+)(.*?)</tr>", page, re.DOTALL))
    note = "Changed by a reader: G1 wedge \N{RIGHTWARDS ARROW} G2 crush."
    assert [name for name, row in rows.items() if note in row] == ["L1"]


def test_the_report_says_how_much_is_reviewed_and_what_was_rejected(page):
    text = " ".join(text_of(page).split())
    assert "2 of 3 vertebrae were marked as reviewed" in text
    assert "Not a vertebra, and left out here: T11" in text


def test_a_review_without_changes_says_so():
    ct, labels, bodies, analysis = example()
    nothing = replace(READING, reviewed=3, corrections=(), rejected=())
    page = report_html(analysis, ct, labels, bodies, reading=nothing)
    text = " ".join(text_of(page).split())
    assert "3 of 3 vertebrae were marked as reviewed" in text and "Nothing was changed" in text
    assert "left out here" not in text


def test_nothing_is_said_about_a_review_where_there_is_none():
    ct, labels, bodies, analysis = example()
    assert "eview" not in text_of(report_html(analysis, ct, labels, bodies))


def test_a_report_without_label_maps_has_its_table_but_no_pictures():
    ct, _, _, analysis = example()
    page = report_html(analysis, ct, None, None, reading=READING)
    assert "<svg" not in page and "The spine" not in text_of(page)
    assert "G1 wedge, borderline" in text_of(page) and "G2 crush" in text_of(page)
