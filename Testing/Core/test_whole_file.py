"""Files of any kind appear whole or not at all, and lie on the disk before they appear."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from full_disk import room_for
from vertebra_core.errors import OutputError
from vertebra_core.whole_file import whole_file, write_whole


def test_a_file_is_seen_once_it_is_whole(tmp_path):
    path = tmp_path / "figures.bin"
    with whole_file(path, "The figures") as file:
        file.write(b"new")
        assert not path.exists()
    write_whole(tmp_path / "other", b"more", "The figures")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {
        "figures.bin": b"new",
        "other": b"more",
    }


def test_what_does_not_fit_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "figures.bin"
    path.write_bytes(b"old")
    with room_for(4096), pytest.raises(OutputError, match="The figures") as told:
        write_whole(path, bytes(10_000), "The figures")
    assert str(path) in told.value.message and told.value.hint
    with pytest.raises(ZeroDivisionError), whole_file(path, "The figures") as file:
        file.write(b"half")
        file.write(b"%d" % (1 // 0))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {path.name: b"old"}


def test_a_file_lies_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    told: list[str] = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (told.append("disk"), sync(number))[1])
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (told.append("name"), replace(self, to))[1]
    )
    write_whole(tmp_path / "file", b"x", "The figures")
    assert told[:2] == ["disk", "name"]
