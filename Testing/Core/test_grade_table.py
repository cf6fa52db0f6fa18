"""Tables of Genant grades in both of their forms."""

from __future__ import annotations

import pytest
from vertebra_core.errors import InputError
from vertebra_core.evaluation.grade_table import grades_of, read_grades

PUBLISHED = (
    "verse_ID,CT_device,BMD,T12_fx-s,T12_fx-g,L1_fx-s,L1_fx-g,L6_fx-s,L6_fx-g\n"
    "4,Philips,120.5,1,2,3,3,,\n"
    "14,,,0,0.0,x,x,0,1.0\n"
    "verse254,,,,,0,0,,\n"
    "20,,,,,,,,\n"
    ",,,,,,,,\n"
)
"""As VerSe'19's appendix E1 saved as CSV, with fewer levels."""
GRADES = {
    "verse004": {"T12": 2, "L1": 3},
    "verse014": {"T12": 0, "L6": 1},
    "verse254": {"L1": 0},
}


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "grades.csv"
    path.write_text(text, encoding)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_the_published_table_is_read_as_spreadsheets_save_it(tmp_path, delimiter, encoding):
    text = PUBLISHED.replace(",", delimiter)
    assert read_grades(written(tmp_path, text, encoding)) == GRADES


@pytest.mark.parametrize("scan", ["verse_scan", "case"])
def test_a_table_with_a_row_per_vertebra(tmp_path, scan):
    text = f"{scan},label,genant_grade,reader\nverse004,19,2,A\nverse004,20,3,B\nward 7,24,0,A\n"
    grades = read_grades(written(tmp_path, text))
    assert grades == {"verse004": {"T12": 2, "L1": 3}, "ward 7": {"L5": 0}}


def test_published_grades_find_their_scans(tmp_path):
    grades = read_grades(written(tmp_path, PUBLISHED))
    assert grades_of("sub-verse014/sub-verse014", grades) == GRADES["verse014"]
    assert grades_of("sub-verse401/sub-verse401_split-verse254", grades) == GRADES["verse254"]
    assert grades_of("sub-verse020/sub-verse020", grades) == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("scan,label,genant_grade\nverse004,20,1\n", "no column 'case'"),
        ("case,label\nverse004,20\n", "no column 'genant_grade'"),
        ("case,label,genant_grade\nverse004,20,4\n", "no grade 4"),
        ("case,label,genant_grade\nverse004,20,-1\n", "no grade -1"),
        ("case,label,genant_grade\nverse004,99,1\n", "99"),
        ("verse_ID,BMD\n4,120\n", "no column of grades"),
        ("verse_ID,L1_fx-g\n4,1.5\n", "no whole number"),
        ("verse_ID,L1_fx-g\n4,7\n", "no grade 7"),
        ("verse_ID,L9_fx-g\n4,1\n", "L9"),
        ("verse_ID,L1_fx-g\nfour,1\n", "four"),
    ],
)
def test_another_table_is_refused_in_a_sentence(tmp_path, text, reason):
    with pytest.raises(InputError, match=reason) as refused:
        read_grades(written(tmp_path, text))
    assert refused.value.code == "bad_grades" and "verse_scan" in refused.value.hint


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError) as refused:
        read_grades(tmp_path / "nothing.csv")
    assert refused.value.code == "bad_grades"
