"""Cases found in folders: which files belong together, and none lost among others of its name."""

from __future__ import annotations

from pathlib import Path

from vertebra_core.evaluation.case_files import find_cases


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    return root


def test_cases_of_one_name_in_two_parts_are_two_cases(tmp_path):
    for part in ("dataset-A", "dataset-B"):
        touch(tmp_path, f"{part}/001_ct.nii.gz", f"{part}/001_labels.nii.gz")
    touch(tmp_path, "dataset-A/002_ct.nii.gz", "dataset-A/002_labels.nii.gz")
    found = find_cases(tmp_path)
    assert [c.name for c in found] == ["002", "dataset-A/001", "dataset-B/001"]
    assert all(c.ct.parent == c.labels.parent for c in found)
    assert [c.name for c in find_cases(tmp_path / "dataset-B")] == ["001"]


def test_a_subject_of_both_years_keeps_the_files_of_each_together(tmp_path):
    subject = "sub-verse004"
    for year, centroids in (("19", "seg-vb_ctd"), ("20", "seg-subreg_ctd")):
        root = tmp_path / f"dataset-verse{year}training"
        touch(root, f"rawdata/{subject}/{subject}_ct.nii.gz")
        touch(root, f"derivatives/{subject}/{subject}_seg-vert_msk.nii.gz")
        touch(root, f"derivatives/{subject}/{subject}_{centroids}.json")
    found = find_cases(tmp_path)
    assert [c.name for c in found] == [
        f"dataset-verse{year}training/{subject}" for year in ("19", "20")
    ]
    for case in found:
        parts = {p.relative_to(tmp_path).parts[0] for p in (case.ct, case.labels, case.centroids)}
        assert len(parts) == 1


def test_links_to_folders_are_followed_and_never_in_a_circle(tmp_path):
    store = touch(tmp_path / "disk", "a_ct.nii.gz", "a_labels.nii.gz")
    (store / "back").symlink_to(tmp_path / "scans")
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "link").symlink_to(store)
    (tmp_path / "scans" / "again").symlink_to(store)
    assert [c.ct.name for c in find_cases(tmp_path / "scans")] == ["a_ct.nii.gz"]


def test_hidden_files_are_passed_over(tmp_path):
    touch(tmp_path, "a_ct.nii.gz", "a_labels.nii.gz")
    touch(tmp_path, "._b_ct.nii.gz", "._b_labels.nii.gz", ".old/c_ct.nii", ".old/c_labels.nii")
    assert [c.name for c in find_cases(tmp_path)] == ["a"]


def test_a_ct_with_bodies_alone_has_no_levels_and_is_no_case(tmp_path):
    touch(tmp_path, "a_ct.nii.gz", "a_bodies.nii.gz", "b_ct.nii.gz", "b_truth.json")
    assert [c.name for c in find_cases(tmp_path)] == ["b"]
