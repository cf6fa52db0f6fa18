"""What cannot be written is told in a sentence that says why and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from vertebra_core.command_line import main
from vertebra_core.errors import OutputError
from vertebra_core.evaluation.writing import writing_to
from vertebra_core.output.atomic_output import AtomicOutput
from vertebra_core.output_errors import output_error
from vertebra_core.training.run_folder import open_folders
from vertebra_core.whole_file import write_whole


def _raised(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (errno.ENOSPC, "disk_full", "is full"),
        (errno.EACCES, "not_writable", "Permission denied"),
        (errno.EEXIST, "not_writable", "is a file"),
        (errno.ENOTDIR, "not_writable", "is a file"),
        (errno.EROFS, "not_writable", "only be read"),
        (errno.ENAMETOOLONG, "not_writable", "too long"),
    ],
)
def test_the_reason_is_told_in_plain_words(number, code, words):
    error = output_error(_raised(number), "The figures", Path("out"))
    assert (error.code, error.exit_code) == (code, 2)
    assert error.message.startswith("The figures ") and words in error.message
    assert "out" in error.message and error.message.endswith(".") and error.hint.endswith(".")


def test_a_reason_without_a_number_is_told_as_it_is():
    assert "no such luck." in output_error(OSError("no such luck"), "They", "out").message


def test_a_file_that_may_be_open_elsewhere_is_to_be_closed_there():
    assert "other programs" in output_error(_raised(errno.EACCES), "They", "out").hint
    assert "other programs" not in output_error(_raised(errno.EIO), "They", "out").hint


def test_a_full_disk_is_told_of_weights_results_and_phantoms(tmp_path, monkeypatch, capsys):
    def full(self, *_, **__):
        raise _raised(errno.ENOSPC)

    with pytest.raises(OutputError) as results, writing_to(tmp_path):
        full(None)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError) as weights:
        write_whole(tmp_path / "net.safetensors", b"weights", "The weights")
    assert results.value.code == weights.value.code == "disk_full"
    monkeypatch.setattr("vertebra_core.phantom.bank.make_scene", full)
    assert main(["phantom", "-o", str(tmp_path / "out")]) == 2
    assert "The phantoms do not fit: the disk of" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_results_and_trainings_tell_the_reason_in_the_same_words(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    deep = tmp_path / "file" / "deeper"

    def analyse(folder: Path) -> None:
        with AtomicOutput(folder):
            pytest.fail("opened")

    for write, what in ((analyse, "The results"), (lambda f: open_folders(f, "n", False), "The w")):
        for folder in (tmp_path / "file", deep):
            with pytest.raises(OutputError, match="is a file") as told:
                write(folder)
            assert told.value.message.startswith(what) and str(folder) in told.value.message
        monkeypatch.setattr("pathlib.Path.mkdir", lambda *_, **__: _fail(errno.ENOSPC))
        with pytest.raises(OutputError, match="is full"):
            write(tmp_path / "new")
        monkeypatch.undo()


def _fail(number: int) -> None:
    raise _raised(number)
