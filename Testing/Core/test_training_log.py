"""Logs of a training go on after a cut, whatever another program has made of them meanwhile."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from full_disk import room_for
from vertebra_core.errors import OutputError
from vertebra_core.training.log import TrainingLog


def rows(path: Path) -> list[tuple[str, str]]:
    with path.open(newline="") as file:
        return [(row["step"], row["loss"]) for row in csv.DictReader(file)]


def new_log(folder: Path, resume_step: int = 0) -> TrainingLog:
    return TrainingLog(folder, "training", resume_step, tensorboard=False)


@pytest.fixture
def path(tmp_path) -> Path:
    log = new_log(tmp_path)
    for step in (2, 4, 6):
        log.write(step, {"loss": step / 10})
    return tmp_path / "training.csv"


def test_a_log_goes_on_from_the_step_of_the_checkpoint(path):
    new_log(path.parent, 5).write(8, {"loss": 0.5})
    assert rows(path) == [("2", "0.2"), ("4", "0.4"), ("8", "0.5")]


@pytest.mark.parametrize("half", ["5", "5,", "5,0.", "5,0.5,7"])
def test_a_last_row_that_was_cut_off_is_left_out(half, path):
    path.write_bytes(path.read_bytes() + half.encode())
    new_log(path.parent, 8).write(8, {"loss": 0.8})
    assert rows(path) == [("2", "0.2"), ("4", "0.4"), ("6", "0.6"), ("8", "0.8")]


SPOILT = {
    "semicolons": lambda text: text.replace(",", ";").encode(),
    "no header": lambda text: text.split("\n", 1)[1].encode(),
    "a damaged row": lambda text: text.replace("\n2,", "\nx2,").encode(),
    "a short row": lambda text: text.replace("2,0.2", "2").encode(),
    "utf-16": lambda text: text.encode("utf-16"),
    "zeros": lambda text: bytes(len(text)),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_log_that_cannot_be_read_is_set_aside_for_a_new_one(how, path, caplog):
    spoilt = SPOILT[how](path.read_bytes().decode())
    for number in (1, 2):
        path.write_bytes(spoilt)
        new_log(path.parent, 8).write(8, {"loss": 0.5})
        assert rows(path) == [("8", "0.5")]
        aside = path.with_name(f"training_unreadable_{number}.csv")
        assert aside.read_bytes() == spoilt
        assert aside.name in caplog.text


def test_a_byte_order_mark_does_not_spoil_a_log(path):
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    new_log(path.parent, 5)
    assert rows(path) == [("2", "0.2"), ("4", "0.4")]


def test_a_log_that_does_not_fit_is_told_and_the_earlier_rows_stay(path):
    before = path.read_bytes()
    with room_for(len(before)), pytest.raises(OutputError, match=r"training\.csv"):
        new_log(path.parent, 8).write(8, {"loss": 0.5})
    assert path.read_bytes() == before
    with room_for(10), pytest.raises(OutputError):
        new_log(path.parent, 5)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]
