"""A review as CSV and JSON files."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from review_examples import key_of, line_of, review_of
from vertebra_core.analysis_json import analysis_from_dict
from vertebra_core.output.analysis_csv import COLUMNS
from VertebraAnalysisLib.Review import Review
from VertebraAnalysisLib.ReviewExport import CSV_COLUMNS, reviewToCsv, writeCsv, writeJson
from VertebraAnalysisLib.UserError import UserError

READER = "Dr Müller"


@pytest.fixture
def review() -> Review:
    """T12 renamed and drawn anew, L2 overridden, T12 reviewed; of three vertebrae."""
    review = review_of(levels=("T12", "L1", "L2"), losses={"L1": (0.3, 0.1, 0.0)})
    review.shiftLevels(1, READER)
    line = line_of(review.vertebra("v01").center_lps_mm, -12.0, 13.0)
    review.setHeightLines("v01", {"anterior": line}, READER)
    review.overrideGrade("v03", 1, "biconcave", "=Schmorl; 'node'", "Dr Öz")
    review.setReviewed("v01", True, "Dr Öz")
    return review


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


def test_the_table_holds_the_columns_of_the_core_and_more():
    assert [c for c in CSV_COLUMNS if c in COLUMNS] == list(COLUMNS)
    assert len(set(CSV_COLUMNS)) == len(CSV_COLUMNS) > len(COLUMNS)


def test_the_table_holds_both_values_side_by_side(review, tmp_path):
    writeCsv(review, tmp_path / "review.csv")
    rows = rows_of(tmp_path / "review.csv")
    assert list(rows) == ["v01", "v02", "v03"]
    first = rows["v01"]
    assert (first["level"], first["ai_level"], first["level_changed"]) == ("L1", "T12", "yes")
    assert (first["grade"], first["shape"], first["ai_grade"]) == ("3", "wedge", "0")
    assert (first["height_anterior_mm"], first["heights_changed"]) == ("13", "yes")
    assert float(first["ai_height_anterior_mm"]) == pytest.approx(21.1, abs=0.05)
    third = rows["v03"]
    assert (third["grade"], third["shape"], third["ai_shape"]) == ("1", "biconcave", "normal")
    assert (third["grade_overridden"], first["grade_overridden"]) == ("yes", "no")


def test_the_table_says_who_changed_and_reviewed_what_when(review, tmp_path):
    writeCsv(review, tmp_path / "review.csv")
    rows = rows_of(tmp_path / "review.csv")
    assert (rows["v01"]["changed_by"], rows["v01"]["reviewed_by"]) == (READER, "Dr Öz")
    assert rows["v01"]["reviewed_at"] > rows["v01"]["changed_at"] >= "2026-03-01T12:00"
    assert (rows["v02"]["reviewed"], rows["v02"]["reviewed_by"]) == ("no", "")
    assert rows["v03"]["changed_by"] == "Dr Öz"


def test_what_was_undone_is_nobody_s_change(review, tmp_path):
    while review.canUndo:
        review.undo("Dr Öz")
    writeCsv(review, tmp_path / "review.csv")
    for row in rows_of(tmp_path / "review.csv").values():
        assert (row["changed_by"], row["changed_at"], row["reviewed_by"]) == ("", "", "")
        assert row["level"] == row["ai_level"] and row["grade"] == row["ai_grade"]


def test_a_reason_never_runs_as_a_formula(review, tmp_path):
    writeCsv(review, tmp_path / "review.csv")
    assert rows_of(tmp_path / "review.csv")["v03"]["reason"] == "'=Schmorl; 'node'"


def test_nothing_is_left_empty_without_a_reason(review):
    review.overrideGrade("v02", None, None, "Metal", READER)
    row = next(r for r in csv.DictReader(reviewToCsv(review).splitlines()) if r["key"] == "v02")
    assert row["grade"] == row["shape"] == ""
    assert "grade: Not graded by the reader: Metal" in row["not_measured"]


def test_the_json_holds_analysis_review_and_what_holds_now(review, tmp_path):
    writeJson(review, tmp_path / "review.json")
    content = json.loads((tmp_path / "review.json").read_text("utf-8"))
    assert analysis_from_dict(content) == review.analysis
    assert [c["action"] for c in content["review"]["changes"][-2:]] == ["grade", "reviewed"]
    first, _, third = content["review"]["current"]
    assert (first["key"], first["level"], first["grade"]) == ("v01", "L1", 3)
    assert (first["reviewed"], first["reviewed_by"]) == (True, "Dr Öz")
    assert (third["reason"], third["changed_by"]) == ("=Schmorl; 'node'", "Dr Öz")


def test_an_exported_json_opens_as_the_same_review(review, tmp_path):
    writeJson(review, tmp_path / "review.json")
    again = Review.fromJson((tmp_path / "review.json").read_text("utf-8"))
    assert again.vertebrae == review.vertebrae and again.changes == review.changes
    assert again.toJson() == review.toJson()


@pytest.mark.parametrize("write", [writeCsv, writeJson])
def test_paths_with_spaces_and_other_scripts_are_written(review, tmp_path, write):
    folder = tmp_path / "Ergebnisse für 山田"
    folder.mkdir()
    write(review, folder / "Befund Nr. 1 ü.txt")
    assert [p.name for p in folder.iterdir()] == ["Befund Nr. 1 ü.txt"]


@pytest.mark.parametrize("write", [writeCsv, writeJson])
def test_an_earlier_file_is_replaced_and_nothing_else_stays(review, tmp_path, write):
    path = tmp_path / "out"
    path.write_text("earlier " * 10000)
    write(review, str(path))
    assert "earlier" not in path.read_text("utf-8-sig")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [writeCsv, writeJson])
def test_a_folder_that_is_not_there_is_told_in_one_sentence(review, tmp_path, write):
    with pytest.raises(UserError, match="cannot be written") as caught:
        write(review, tmp_path / "missing" / "out")
    assert caught.value.hint and not (tmp_path / "missing").exists()


def test_a_file_that_cannot_be_replaced_stays_and_leaves_no_rest(review, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept").touch()
    with pytest.raises(UserError, match="cannot be written"):
        writeCsv(review, tmp_path / "out")
    assert os.listdir(tmp_path) == ["out"] and os.listdir(tmp_path / "out") == ["kept"]


def test_a_full_disk_is_told_and_an_earlier_file_stays(review, tmp_path, monkeypatch):
    path = tmp_path / "out.csv"
    path.write_text("earlier")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="disk of .* is full"):
        writeCsv(review, path)
    assert path.read_text() == "earlier" and os.listdir(tmp_path) == ["out.csv"]


def test_a_relabelled_spine_is_exported_with_its_new_names(tmp_path):
    review = review_of()
    review.setLevel(key_of(review, "L1"), "T13", READER)
    writeCsv(review, tmp_path / "review.csv")
    levels = [row["level"] for row in rows_of(tmp_path / "review.csv").values()]
    assert levels == ["T8", "T9", "T10", "T11", "T12", "T13", "L1", "L2", "L3", "L4"]
