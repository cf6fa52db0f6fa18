"""Mistakes in the arguments of `evaluate` and `benchmark`: a sentence and status 2."""

from __future__ import annotations

import pytest
from labelled_folder import write_plain_case
from vertebra_core.command_line import main
from vertebra_core.errors import InputError

COMPARE = ["evaluate", "--compare", "--count", "1"]
PHANTOMS = ["evaluate", "phantoms", "--count", "1"]

REFUSED = {
    "compared voxels of no number": [*COMPARE, "--spacing", "nan"],
    "compared voxels of no size": [*COMPARE, "--spacing", "0"],
    "infinite compared voxels": [*COMPARE, "--spacing", "inf"],
    "compared voxels below zero": [*COMPARE, "--spacing", "-1"],
    "compared anatomy of no number": [*COMPARE, "--scene-spacing", "nan"],
    "compared anatomy of no size": [*COMPARE, "--scene-spacing", "0"],
    "a share of lesions of no number": [*COMPARE, "--lesions", "nan"],
    "more phantoms than a seed has": ["evaluate", "--compare", "--count", "100001"],
    "fewer phantoms than none": ["evaluate", "--compare", "--count", "-1"],
    "compared shapes from nowhere": [*COMPARE, "--shapes", "{out}/nothing"],
    "a perturbation that does not exist": [*COMPARE, "--perturb", "earthquake"],
    "threads below zero to compare with": [*COMPARE, "--threads", "-2"],
    "no device to compare on": [*COMPARE, "--device", "quantum"],
    "threads below zero for cases": ["evaluate", "cases", "{cases}", "--threads", "-2"],
    "no device for cases": ["evaluate", "cases", "{cases}", "--device", "quantum"],
    "threads below zero for phantoms": [*PHANTOMS, "--threads", "-2"],
    "no device for phantoms": [*PHANTOMS, "--device", "quantum"],
    "half a thread": [*PHANTOMS, "--threads", "0.5"],
    "more threads than any computer has": [*PHANTOMS, "--threads", "99999"],
    "threads below zero for consistency": ["evaluate", "consistency", "{ct}", "--threads", "-2"],
    "no device for consistency": ["evaluate", "consistency", "{ct}", "--device", "quantum"],
    "cases into a file": ["evaluate", "cases", "{cases}", "--output", "{file}"],
    "cases below a file": ["evaluate", "cases", "{cases}", "--output", "{file}/deeper"],
    "phantoms into a file": [*PHANTOMS, "--output", "{file}"],
    "phantoms below a file": [*PHANTOMS, "--output", "{file}/deeper"],
    "anatomies into a file": [*PHANTOMS, "--scenes", "{file}"],
    "a comparison into a file": [*COMPARE, "--output", "{file}"],
    "cases that are not there": ["evaluate", "cases", "{out}/nothing", "--output", "{out}"],
    "fewer than one run": ["benchmark", "{ct}", "--repeat", "0"],
    "a truth that is not there": ["benchmark", "{ct}", "--settings", "--centres", "{out}/no.json"],
}  # fmt: skip


@pytest.fixture
def places(tmp_path, monkeypatch) -> dict[str, str]:
    def analyze(ct, options):
        pytest.fail("a scan was analysed")

    monkeypatch.setattr("vertebra_core.pipeline.analyze", analyze)
    monkeypatch.setattr("vertebra_core.evaluation.predictor.weights_of", lambda _: {})
    (tmp_path / "cases").mkdir()
    write_plain_case(tmp_path / "cases", "one")
    (tmp_path / "file").write_text("a file")
    names = {name: str(tmp_path / name) for name in ("out", "cases", "file")}
    return {**names, "ct": str(tmp_path / "cases" / "one_ct.nii.gz")}


@pytest.mark.parametrize("case", REFUSED)
def test_mistakes_are_a_sentence_and_nothing_is_written(case, places, tmp_path, capsys):
    before = sorted(tmp_path.rglob("*"))
    assert main([word.format(**places) for word in REFUSED[case]]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    for words in ("Error(", "defect", "nrecognized"):
        assert words not in captured.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", ["cases", "phantoms"])
def test_a_folder_that_cannot_be_written_is_told_before_the_first_analysis(
    kind, places, monkeypatch, capsys
):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    words = {"cases": ["evaluate", "cases", places["cases"]], "phantoms": PHANTOMS}[kind]
    assert main([*words, "--output", places["out"]]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "cannot be written" in told and "Permission denied" in told


def test_diagrams_of_records_go_into_no_file(places, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("vertebra_core.pipeline.analyze", _refuse)
    words = ["evaluate", "cases", places["cases"], "--output", places["out"]]
    assert main(words) == 0
    monkeypatch.setattr(
        "vertebra_core.evaluation.reliability_svg.level_calibration", lambda _: _Stated()
    )
    monkeypatch.setattr(
        "vertebra_core.evaluation.reliability_svg.reliability_svg", lambda rows: "<svg/>"
    )
    capsys.readouterr()
    assert main(["evaluate", "records", places["out"], "--output", places["file"]]) == 2
    assert "cannot be written" in capsys.readouterr().err


class _Stated:
    n = 1


def _refuse(ct, options):
    raise InputError("no_spine", "No vertebra was found in this scan.")
