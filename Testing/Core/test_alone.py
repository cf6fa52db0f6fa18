"""Modules that are run by themselves tell a mistake as the program does."""

from __future__ import annotations

import runpy
import sys

import pytest
from toy_bank import toy_bank
from vertebra_core.alone import run_alone
from vertebra_core.errors import InputError
from vertebra_core.models import MODELS_FOLDER


@pytest.mark.parametrize(
    ("error", "told", "status"),
    [
        (InputError("code", "It is wrong.", "Mend it."), "It is wrong. Mend it.", 2),
        (ValueError("there is none."), "The run cannot go on: there is none.", 2),
        (FileNotFoundError(2, "No such file", "x"), "The run cannot go on: x: No such file.", 2),
        (KeyboardInterrupt(), "The run was cancelled.", 3),
    ],
)
def test_what_a_user_can_mend_or_wanted_is_one_line(error, told, status, capsys):
    def fail() -> int:
        raise error

    assert run_alone(fail) == status
    assert capsys.readouterr().err == told + "\n"


def test_a_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_alone(lambda: 1 // 0)
    assert run_alone(lambda: 0) == 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("module", ["calibrate_grades", "calibrate_levels", "segmented_bodies"])
@pytest.mark.parametrize("spoil", ["missing", "damaged"])
def test_bad_weights_of_what_runs_by_itself_are_told_in_a_sentence(
    module, spoil, tmp_path, capsys, monkeypatch
):
    path = tmp_path / "grading.safetensors"
    if spoil == "damaged":
        path.write_bytes((MODELS_FOLDER / path.name).read_bytes()[:-1000])
    words = ["--bank", toy_bank(tmp_path), "--weights", path]
    if module == "segmented_bodies":
        words = [*words[:2], "--segmentation", path, "-o", tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", [module, *map(str, words)])
    with pytest.raises(SystemExit) as left:
        runpy.run_module(f"vertebra_core.training.{module}", run_name="__main__")
    said = capsys.readouterr().err
    assert left.value.code == 2 and "Traceback" not in said
    assert path.name in said.splitlines()[-1]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_level_statistics_of_a_missing_file_are_told_in_a_sentence(tmp_path, capsys, monkeypatch):
    words = ["level_statistics", str(tmp_path / "no.jsonl.gz"), str(tmp_path / "out.json")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as left:
        runpy.run_module("vertebra_core.labelling.level_statistics", run_name="__main__")
    said = capsys.readouterr().err
    assert left.value.code == 2 and "Traceback" not in said
    assert said.count("\n") == 1 and "no.jsonl.gz" in said
