"""Arguments that make no sense are a sentence and status 2, told before any work."""

from __future__ import annotations

import gzip
import json
import time

import pytest
from vertebra_core.command_line import main

REFUSED = {
    "an empty input, as from an unset variable": ["analyze", "", "-o", "{out}"],
    "an empty output folder": ["analyze", "{ct}", "-o", ""],
    "an empty output folder with a sign": ["analyze", "{ct}", "--output="],
    "more threads than any computer has": ["analyze", "{ct}", "-o", "{out}", "--threads", "99999"],
    "a negative number of threads": ["grade", "--segmentation", "{ct}", "-o", "{out}",
                                     "--threads", "-2"],
    "a setting that does not exist": ["analyze", "{ct}", "-o", "{out}", "--setting", "turbo"],
    "a setting to evaluate that does not exist": ["evaluate", "cases", "{cases}", "--setting", "2"],
    "a setting to time that does not exist": ["benchmark", "{ct}", "--setting", "turbo"],
    "a series UID for a file": ["analyze", "{ct}", "-o", "{out}", "--series-uid", "1.2.3"],
    "pixels of no number": ["phantom", "-o", "{out}", "--pixel", "nan"],
    "infinite slices": ["phantom", "-o", "{out}", "--slice", "inf"],
    "pixels of a micrometre": ["phantom", "-o", "{out}", "--pixel", "0.001"],
    "a share above one": ["phantom", "-o", "{out}", "--lesions", "7"],
    "more fused spines than spines": ["phantom", "-o", "{out}", "--fused", "2"],
    "more fractures than bodies": ["phantom", "-o", "{out}", "--fractures", "40"],
    "fewer mild deformities than none": ["phantom", "-o", "{out}", "--mild", "-1"],
    "more deformed bodies together than a spine has": [
        *["phantom", "-o", "{out}", "--fractures", "12", "--mild", "12"],
    ],
    "more evaluated deformed bodies than a spine has": [
        *["evaluate", "phantoms", "--count", "1", "--fractures", "12", "--mild", "12"],
    ],
    "shapes from nowhere": ["phantom", "-o", "{out}", "--shapes", "{out}/nothing"],
    "evaluated pixels of no number": ["evaluate", "phantoms", "--count", "1", "--pixel", "nan"],
    "evaluated slices of no number": ["evaluate", "phantoms", "--count", "1", "--spacing", "nan"],
    "evaluated shapes from nowhere": ["evaluate", "phantoms", "--shapes", "{out}/nothing"],
    "a table of grades that is not there": ["evaluate", "cases", "{cases}", "--grades",
                                            "{out}/no.csv"],
    "a table of grades without its columns": ["evaluate", "cases", "{cases}", "--grades", "{csv}"],
    "key points in a binary file": ["evaluate", "keypoints", "{ct}"],
    "key points cut short": ["evaluate", "keypoints", "{cut}"],
    "no key points at all": ["evaluate", "keypoints", "{blank}"],
    "key points of fewer scans than parts": ["evaluate", "keypoints", "{blank}", "--folds", "900"],
}  # fmt: skip


@pytest.fixture
def places(tmp_path) -> dict[str, str]:
    names = {name: str(tmp_path / name) for name in ("out", "cases", "csv", "cut", "blank")}
    names["cut"] += ".jsonl.gz"
    names["blank"] += ".jsonl"
    names["ct"] = str(tmp_path / "ct.nii.gz")
    (tmp_path / "ct.nii.gz").write_bytes(gzip.compress(b"\x80\x81\xff" * 300))
    (tmp_path / "csv").write_text("name,value\na,1\n")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"scan": "a"}\n' * 99)[:-12])
    (tmp_path / "blank.jsonl").write_text("\n\n")
    (tmp_path / "cases").mkdir()
    for name in ("a_ct.nii.gz", "a_labels.nii.gz"):
        (tmp_path / "cases" / name).write_bytes(b"")
    return names


@pytest.mark.parametrize("case", REFUSED)
def test_arguments_without_sense_are_refused_at_once(case, places, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main([word.format(**places) for word in REFUSED[case]]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert "Error(" not in captured.err and "defect" not in captured.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["grade", "--segmentation", "{ct}", "-o", "{out}", "--lesions"], "grade"),
        (["phantom", "-o", "{out}", "--progress", "json"], "phantom"),
        (["analyze", "{ct}", "-o", "{out}", "more"], "analyze"),
        (["analyze", "{ct}"], "analyze"),
        (["evaluate", "cases", "{cases}", "--lesions"], "evaluate cases"),
        (["cook"], ""),
    ],
)
def test_the_hint_leads_to_the_help_of_the_command(words, command, places, capsys):
    program = "python -m vertebra_core"
    assert main([word.format(**places) for word in words]) == 2
    captured = capsys.readouterr()
    told = captured.err or json.loads(captured.out)["hint"]
    assert told.rstrip().endswith(" ".join(filter(None, (f"See: {program}", command, "--help"))))
    with pytest.raises(SystemExit) as left:
        main([*command.split(), "--help"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {program}")


def test_a_bad_number_of_threads_is_told_before_the_ct_is_read(places, monkeypatch):
    monkeypatch.setattr("vertebra_core.reading.read_ct", lambda *_: time.sleep(60))
    assert main(["analyze", places["ct"], "-o", places["out"], "--threads", "-1"]) == 2
