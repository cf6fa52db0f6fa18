"""The cache of labelled scans: what a power cut or a full disk spoils is made anew or told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from full_disk import room_for
from labelled_folder import write_plain_case
from vertebra_core.errors import OutputError
from vertebra_core.training import labelled_scans
from vertebra_core.training.labelled_scans import LabelledScans


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("scans")
    write_plain_case(root, "case1")
    return root


def scans_of(folder: Path, cache: Path) -> LabelledScans:
    # What one process has read before hides what lies on the disk.
    labelled_scans._read.cache_clear()
    return LabelledScans([folder], cache, 3.0, validation=False)


@pytest.mark.parametrize(
    ("suffix", "left"), [(".npy", 0), (".npy", 200), (".json", 0), (".json", 40)]
)
def test_a_damaged_file_of_the_cache_is_made_anew(suffix, left, folder, tmp_path):
    scans = scans_of(folder, tmp_path)
    (name,) = scans.names()
    first = np.array(scans.load(name).labels)
    (path,) = tmp_path.glob(f"*{suffix}")
    path.write_bytes(path.read_bytes()[:left])
    again = scans_of(folder, tmp_path).load(name)
    assert np.array_equal(again.labels, first)
    assert again.numbers.tolist() == [20, 21, 22]


def test_a_scan_that_does_not_fit_is_told_and_leaves_nothing(folder, tmp_path):
    scans = scans_of(folder, tmp_path / "cache")
    with room_for(2000), pytest.raises(OutputError) as told:
        scans.load(scans.names()[0])
    assert str(tmp_path / "cache") in told.value.message and "requested" not in str(told.value)
    assert list((tmp_path / "cache").glob("*.npy")) == []
    assert [p for p in (tmp_path / "cache").iterdir() if p.suffix != ".json"] == []


def test_a_cache_that_cannot_be_made_is_told(folder, tmp_path):
    (tmp_path / "file").write_text("")
    scans = scans_of(folder, tmp_path / "file" / "cache")
    with pytest.raises(OutputError, match="is a file"):
        scans.load(scans.names()[0])
