"""Whoever fits constants with the wrong weights, folder or number is told so in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_calibrate_levels import LEVELS, a_row
from toy_bank import toy_bank
from vertebra_core.alone import run_alone
from vertebra_core.labelling.label import IMAGE_OPTIONS, IMAGE_TEMPERATURE
from vertebra_core.models import MODELS_FOLDER
from vertebra_core.training import calibrate_grades, calibrate_levels, segmented_bodies

MAINS = {
    "levels": calibrate_levels.main,
    "grades": calibrate_grades.main,
    "bodies": segmented_bodies.main,
}


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Path:
    return toy_bank(tmp_path_factory.mktemp("bank"))


def said(capsys, what: str, *words: object) -> str:
    assert run_alone(lambda: MAINS[what]([str(word) for word in words])) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("what", "flag", "wrong"),
    [
        ("levels", "--weights", "grading"),
        ("grades", "--weights", "labelling"),
        ("grades", "--segmentation", "locnet"),
        ("bodies", "--segmentation", "locnet"),
    ],
)
def test_weights_of_another_network_are_refused(what, flag, wrong, bank, tmp_path, capsys):
    path = MODELS_FOLDER / f"{wrong}.safetensors"
    more = ["-o", tmp_path / "out"] if what == "bodies" else []
    told = said(capsys, what, "--bank", bank, flag, path, *more)
    assert path.name in told and "another network" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["levels", "grades"])
def test_a_bank_that_is_not_there_or_empty_is_told_as_such(what, bank, tmp_path, capsys):
    for folder, words in ((tmp_path / "none", "no folder"), (tmp_path, "no scenes")):
        told = said(capsys, what, "--bank", folder)
        assert str(folder) in told and words in told and "phantom" in told


def test_banks_are_told_one_by_one(bank, tmp_path, capsys):
    assert "no folder" in said(capsys, "grades", "--bank", bank, tmp_path / "none")


@pytest.mark.parametrize("what", ["levels", "grades"])
def test_a_bank_with_nothing_held_aside_is_told_as_such(what, tmp_path, capsys):
    for path in toy_bank(tmp_path).glob("*19.*"):
        path.unlink()
    assert "held aside" in said(capsys, what, "--bank", tmp_path)


@pytest.mark.parametrize(
    ("what", "flag", "value"),
    [
        ("levels", "--rows", "0"),
        ("levels", "--seed", "-1"),
        ("grades", "--scans", "0"),
        ("grades", "--minutes", "-1"),
        ("grades", "--seed", "x"),
        ("bodies", "--scans", "0"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(what, flag, value, bank, tmp_path, capsys):
    more = ["-o", str(tmp_path)] if what == "bodies" else []
    with pytest.raises(SystemExit) as left:
        MAINS[what](["--bank", str(bank), flag, value, *more])
    assert left.value.code == 2 and flag in capsys.readouterr().err


def test_no_body_to_fit_on_is_told(bank, capsys, monkeypatch):
    monkeypatch.setattr(calibrate_grades, "collect_bodies", lambda *_: [])
    told = said(capsys, "grades", "--bank", bank)
    assert "no body" in told.lower() and "weights" in told


def test_the_levels_that_are_set_are_marked_among_all(monkeypatch, capsys, bank):
    monkeypatch.setattr(calibrate_levels, "collect_rows", lambda *_: [a_row(LEVELS)])
    assert calibrate_levels.main(["--bank", str(bank)]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    (now,) = [line.split() for line in lines if line.endswith("set now")]
    assert [float(n) for n in now[:2]] == [IMAGE_OPTIONS.emission_weight, IMAGE_TEMPERATURE]
    settings = len(calibrate_levels.EMISSION_WEIGHTS) * len(calibrate_levels.TEMPERATURES)
    assert len(lines) == settings
