"""Phantoms on disk: whole, with their truth, or not there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from toy_phantom import quiet_scan, toy_scene
from vertebra_core.command_line import main
from vertebra_core.errors import Cancelled, InputError
from vertebra_core.evaluation.case_files import find_cases
from vertebra_core.phantom.case_writing import write_case

FILES = ["bodies.nii.gz", "ct.nii.gz", "labels.nii.gz", "truth.json"]


@pytest.fixture(scope="module")
def scene():
    return toy_scene()


@pytest.fixture(scope="module")
def case(scene):
    return quiet_scan(scene)


def _stop_writing(monkeypatch) -> None:
    """Let writing be cancelled after two images."""
    write, written = SimpleITK.WriteImage, []

    def write_two(image, name, **how):
        if len(written) == 2:
            raise Cancelled()
        written.append(name)
        write(image, name, **how)

    monkeypatch.setattr(SimpleITK, "WriteImage", write_two)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_written_case_reads_back(scene, case, tmp_path):
    ct, labels, bodies = case
    write_case(tmp_path / "case", scene, ct, labels, bodies)
    image = SimpleITK.ReadImage(str(tmp_path / "case" / "ct.nii.gz"))
    np.testing.assert_allclose(image.GetSpacing(), ct.spacing_xyz_mm, rtol=1e-5)
    assert (SimpleITK.GetArrayFromImage(image) == ct.hu).all()
    stored = SimpleITK.ReadImage(str(tmp_path / "case" / "labels.nii.gz"))
    assert (SimpleITK.GetArrayFromImage(stored) == labels).all()
    truth = json.loads((tmp_path / "case" / "truth.json").read_text())
    assert [v["level"] for v in truth["vertebrae"]] == [20, 21, 22]
    assert [v["level_name"] for v in truth["vertebrae"]] == ["L1", "L2", "L3"]
    first = truth["vertebrae"][0]
    assert first["center_lps_mm"] == [50.0, 60.0, 78.0]
    assert first["labelled_voxels"] == int((labels == 20).sum())
    assert _names(tmp_path / "case") == FILES and _names(tmp_path) == ["case"]


def test_a_case_is_not_there_when_its_writing_was_stopped(scene, case, tmp_path, monkeypatch):
    _stop_writing(monkeypatch)
    with pytest.raises(Cancelled):
        write_case(tmp_path / "case", scene, *case)
    assert _names(tmp_path) == []


def test_a_case_is_written_over_an_earlier_one_as_a_whole(scene, case, tmp_path):
    ct, labels, bodies = case
    folder = tmp_path / "case"
    write_case(folder, scene, ct, labels * 0, bodies * 0)
    (folder / "note.txt").write_text("my own")
    write_case(folder, scene, *case)
    assert _names(folder) == sorted([*FILES, "note.txt"]) and _names(tmp_path) == ["case"]
    stored = SimpleITK.ReadImage(str(folder / "labels.nii.gz"))
    assert (SimpleITK.GetArrayFromImage(stored) == labels).all()


def test_an_earlier_case_stays_when_writing_over_it_was_stopped(scene, case, tmp_path, monkeypatch):
    ct, labels, bodies = case
    folder = tmp_path / "case"
    write_case(folder, scene, *case)
    before = {name: (folder / name).read_bytes() for name in FILES}
    _stop_writing(monkeypatch)
    with pytest.raises(Cancelled):
        write_case(folder, scene, ct, labels * 0, bodies * 0)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert _names(tmp_path) == ["case"]


def test_what_a_killed_process_left_is_no_case(scene, case, tmp_path):
    write_case(tmp_path / ".case.partial", scene, *case)
    with pytest.raises(InputError) as caught:
        find_cases(tmp_path)
    assert caught.value.code == "no_cases"
    write_case(tmp_path / "case", scene, *case)
    assert [found.name for found in find_cases(tmp_path)] == ["case"]
    assert _names(tmp_path) == ["case"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no files")
def test_a_disk_that_takes_no_more_is_told(scene, case, tmp_path):
    import resource

    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, kept[1]))
    try:
        with pytest.raises(OSError, match="ct.nii.gz"):
            write_case(tmp_path / "case", scene, *case)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    assert _names(tmp_path) == []


@pytest.mark.parametrize("bank", [[], ["--bank"]])
def test_a_cancelled_command_leaves_no_empty_folder(bank, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise Cancelled()

    monkeypatch.setattr("vertebra_core.phantom.bank.make_scene", stop)
    (tmp_path / "there").mkdir()
    for place in ("new", "new/deeper", "there"):
        assert main(["phantom", "-o", str(tmp_path / place), *bank]) == 3
    assert _names(tmp_path) == ["there"] and _names(tmp_path / "there") == []
