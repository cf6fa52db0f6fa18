"""Patients of labelled scans: who trains, who validates, and who is never looked at."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from vertebra_core.evaluation.case_files import CaseFiles
from vertebra_core.training.patient_split import patient_of, split_patients

PLACES = ("verse19training/rawdata/sub-p1", "verse19test/rawdata/sub-p2",
          "verse20training/rawdata/sub-p2", "verse20validation/rawdata/sub-p3",
          "verse20training/rawdata/sub-p4")  # fmt: skip


def cases(root: Path, names: list[str]) -> tuple[Path, list[CaseFiles]]:
    return root, [CaseFiles(name, root / f"{name}_ct.nii.gz") for name in names]


def download(root: Path, places: tuple[str, ...] = PLACES) -> Path:
    for place in places:
        (root / f"dataset-{place}").mkdir(parents=True)
    return root


def part(root: Path, part: str) -> tuple[Path, list[CaseFiles]]:
    folder = root / f"dataset-{part}"
    subjects = sorted(p for p in (folder / "rawdata").iterdir())
    return folder, [CaseFiles(p.name, p / f"{p.name}_ct.nii.gz") for p in subjects]


def sides(found: list[tuple[Path, list[CaseFiles]]]) -> tuple[list[str], list[str]]:
    """Names of the cases that train and of those that validate."""
    split = split_patients(found)
    names = sorted({case.name for _, own in found for case in own})
    return tuple([n for n in names if split.takes(n, v)] for v in (False, True))


def test_patients_are_held_aside_with_all_their_scans(tmp_path):
    patients = [f"sub-a{n:02d}" for n in range(40)]
    names = [f"{patient}_{scan}" for patient in patients for scan in ("dir-ax", "split-x")]
    training, validating = sides([cases(tmp_path, names)])
    assert not {patient_of(n) for n in training} & {patient_of(n) for n in validating}
    assert len(training) + len(validating) == 80 and 2 <= len(validating) <= 16
    assert len(sides([cases(tmp_path, ["b", "a", "c"])])[1]) == 1
    assert sides([cases(tmp_path, ["a"])]) == (["a"], [])


def test_a_patient_who_is_added_moves_nobody_who_was_trained_on_to_validation(tmp_path):
    names = [f"sub-{n}_ct" for n in range(30)]
    for count in range(2, 30):
        trained = sides([cases(tmp_path, names[:count])])[0]
        assert not set(trained) & set(sides([cases(tmp_path, names[: count + 1])])[1])


def test_the_test_part_of_a_verse_download_is_never_trained_on(tmp_path):
    root = download(tmp_path)
    found = cases(root, ["sub-p1", "sub-p2", "sub-p3", "sub-p4"])
    assert sides([found]) == (["sub-p1", "sub-p4"], ["sub-p3"])


def test_parts_named_one_by_one_are_held_apart_as_in_the_whole_download(tmp_path):
    root = download(tmp_path)
    names = ("verse19training", "verse19test", "verse20training", "verse20validation")
    assert sides([part(root, n) for n in names]) == (["sub-p1", "sub-p4"], ["sub-p3"])
    # Without the test part, too: who is in it lies beside.
    assert sides([part(root, "verse20training")]) == (["sub-p4"], [])
    assert sides([part(root, "verse19test")]) == ([], [])
    assert sides([part(root, "verse20validation")]) == ([], ["sub-p3"])


@pytest.mark.parametrize(
    "name", ["dataset-03test", "dataset-verse19test (1)", "dataset-verse19test_copy"]
)
def test_a_copy_of_the_test_part_is_told_by_its_name(name, tmp_path):
    subject = tmp_path / name / "rawdata" / "sub-p1"
    subject.mkdir(parents=True)
    own = [CaseFiles(n, subject.with_name(n) / "ct.nii.gz") for n in ("sub-p1", "sub-p9")]
    assert sides([(tmp_path / name, own)]) == ([], [])
    (tmp_path / "link").symlink_to(tmp_path / name)
    own = [CaseFiles("sub-p1", tmp_path / "link" / "rawdata" / "sub-p1" / "ct.nii.gz")]
    assert sides([(tmp_path / "link", own)]) == ([], [])


def test_scans_of_ones_own_validate_though_verse_has_a_part_for_that(tmp_path):
    root = download(tmp_path / "verse")
    verse = cases(root, ["sub-p1", "sub-p3", "sub-p4"])
    own = cases(tmp_path / "own", ["a", "b", "c"])
    training, validating = sides([verse, own])
    assert {"sub-p1", "sub-p4"} < set(training) and "sub-p3" in validating
    assert len({"a", "b", "c"} & set(validating)) == 1


def test_patients_are_told_apart_in_any_language():
    assert patient_of("sub-Özil_1") == patient_of("scans/sub-Özil_2") == "sub-Özil"
    assert patient_of("sub-Müller_1") != patient_of("sub-Mümmel_1")
    assert patient_of(unicodedata.normalize("NFD", "sub-Özil_1")) == "sub-Özil"
    assert patient_of("sub-verse401/sub-verse401_split-verse253") == "sub-verse401"
    assert patient_of("ward/case 7") == "ward/case 7"
