"""Tables of Genant grades in both of their forms."""

from __future__ import annotations

import unicodedata

import pytest
from vertebra_core.errors import InputError
from vertebra_core.evaluation.grade_matching import grades_by_case, names_without_case
from vertebra_core.evaluation.grade_table import read_grades

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


OWN = "case,label,genant_grade\n"


def test_published_grades_find_their_scans(tmp_path):
    names = [
        "sub-verse014/sub-verse014",
        "sub-verse401/sub-verse401_split-verse254",
        "sub-verse020",
    ]
    grades = read_grades(written(tmp_path, PUBLISHED))
    assert grades_by_case(names, grades) == (GRADES["verse014"], GRADES["verse254"], {})
    # A scan's own number, not its patient's.
    assert grades_by_case(["sub-verse004_split-verse014"], grades) == (GRADES["verse014"],)


def test_a_number_alone_is_never_a_word_of_another_scans_name(tmp_path):
    grades = read_grades(written(tmp_path, OWN + "1,L1,1\n2,L1,2\n"))
    assert grades_by_case(["1", "cts/2", "sub-2_ses-1"], grades) == ({"L1": 1}, {"L1": 2}, {})


def test_a_table_that_names_none_of_the_scans_is_refused(tmp_path):
    grades = read_grades(written(tmp_path, OWN + "ward 7,L1,1\n"))
    with pytest.raises(InputError, match="ward 7, for one, where a scan is called ward_7"):
        grades_by_case(["ward_7", "ward_8"], grades)
    assert grades_by_case(["ward_7"], {}) == ({},)


def test_a_name_that_could_mean_two_scans_is_refused(tmp_path):
    grades = read_grades(written(tmp_path, OWN + "7,L1,1\n"))
    for names in (["a/7", "b/7"], ["7", "7"]):
        with pytest.raises(InputError, match=f"could mean {names[0]} or {names[1]}"):
            grades_by_case(names, grades)
    assert grades_by_case(["a/7", "7"], grades) == ({}, {"L1": 1})
    both = ["dataset-verse19training/sub-verse004", "dataset-verse20training/sub-verse004"]
    assert grades_by_case(both, GRADES) == (GRADES["verse004"],) * 2


@pytest.mark.parametrize(("patient", "names"), [
    ("verse401", ["sub-verse401_split-verse253", "sub-verse401_split-verse254"]),
    ("ward 7", ["ward 7/first", "ward 7/second"]),
])  # fmt: skip
def test_a_patient_with_two_scans_is_refused_with_their_names(patient, names, tmp_path):
    grades = read_grades(written(tmp_path, f"{OWN}{patient},L1,1\nother,L1,0\n"))
    with pytest.raises(InputError, match=f"{patient} .* could mean {names[0]} or {names[1]}"):
        grades_by_case([*names, "other"], grades)
    # One scan alone is not looked for by its patient either, and that is told.
    assert grades_by_case([names[0], "other"], grades) == ({}, {"L1": 0})


def test_two_scans_by_one_number_of_verse_are_refused_and_a_second_copy_is_not():
    names = ["sub-verse004_dir-ax", "sub-verse004_dir-sag"]
    with pytest.raises(InputError, match=f"verse004 .* could mean {names[0]} or {names[1]}"):
        grades_by_case(names, GRADES)
    copies = ["sub-verse401_split-verse254", "verse254"]
    assert grades_by_case(copies, GRADES) == (GRADES["verse254"],) * 2


def test_names_of_a_table_that_are_of_no_scan_are_counted_and_one_is_told():
    left = names_without_case(["sub-verse014", "sub-verse020"], GRADES)
    assert left == "2 of the 3 names in it are of no scan here, for one verse004"
    assert names_without_case(["verse004", "verse014", "verse254", "more"], GRADES) is None
    assert names_without_case(["verse004"], {}) is None


def test_umlauts_are_one_letter_however_a_system_writes_them(tmp_path):
    grades = read_grades(written(tmp_path, OWN + "Müller,L1,1\n"))
    assert grades_by_case([unicodedata.normalize("NFD", "Müller")], grades) == ({"L1": 1},)


@pytest.mark.parametrize(
    "row",
    ["ward 7,20,2", "ward 7,20.0,2.0", "ward 7,L1,2", "ward 7, l1 , 2 ", '"ward 7";"20,0";"2,0"',
     "ward 7\t20\t2", "ward 7,20,2\nward 7,20,2", "ward 7,20,2\nward 7,21,\nward 7,22,x"],
)  # fmt: skip
def test_own_tables_are_read_as_people_write_them(row, tmp_path):
    delimiter = next((d for d in ";\t" if d in row), ",")
    text = OWN.replace(",", delimiter) + row + "\n"
    assert read_grades(written(tmp_path, text)) == {"ward 7": {"L1": 2}}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252"])
def test_own_tables_may_be_in_any_usual_encoding(encoding, tmp_path):
    text = "sep=;\r\ncase;label;genant_grade\r\nMüller;20;2\r\n"
    assert read_grades(written(tmp_path, text, encoding)) == {"Müller": {"L1": 2}}


@pytest.mark.parametrize("text", ["", "\n", OWN, OWN + "ward 7,20,\n", "verse_ID,L1_fx-g\n4,\n"])
def test_a_table_without_any_grade_is_refused(text, tmp_path):
    with pytest.raises(InputError, match="holds no grade"):
        read_grades(written(tmp_path, text))


def test_subjects_of_verse_may_be_named_as_their_folders_are(tmp_path):
    assert read_grades(written(tmp_path, "verse_ID,L1_fx-g\nsub-verse004,1\n")) == {
        "verse004": {"L1": 1}
    }
    assert read_grades(written(tmp_path, OWN + "sub-verse004,L1,1\n")) == {"verse004": {"L1": 1}}


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
        (OWN + "a,20,1\n\na,20,2\n", "row 4: L1 of a has grade 2, in an earlier row 1"),
        (OWN + "a,20,1\nb,20,two\n", "row 3: 'two' is no whole number"),
        ("sep=;\n" + OWN.replace(",", ";") + "a;20;5\n", "row 3: there is no grade 5"),
        (OWN + "a,L9,1\n", "row 2: there is no level L9"),
        (OWN + "a,20,1,0\n", "row 2 has more cells"),
        (OWN + ",20,1\n", "row 2: no scan"),
        ("PK\0\0", "no text"),
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
