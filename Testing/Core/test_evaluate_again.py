"""`evaluate` on an output folder of before: goes on, or says how its records were made."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from labelled_folder import write_plain_case
from refused_scans import refuse_all_scans
from toy_phantom import toy_scene
from vertebra_core.command_line import main
from vertebra_core.errors import InputError
from vertebra_core.evaluation.phantom_cases import EVALUATION_SEED_START
from vertebra_core.evaluation.record_log import RecordLog, open_log
from vertebra_core.evaluation.records import REAL, CaseRecord
from vertebra_core.phantom.scene import save_scene

RECORD = CaseRecord("a", REAL, (1.0, 1.0, 1.0), (), ())


@pytest.fixture
def asked(monkeypatch) -> list:
    """Options of all analyses; every scan is refused, which is a record too."""

    def weights_of(args):
        own = "b" if args.models else "a"
        return {"locnet": own * 64, "grading": "c" * 64}

    monkeypatch.setattr("vertebra_core.evaluation.predictor.weights_of", weights_of)
    return refuse_all_scans(monkeypatch)


@pytest.fixture
def words(tmp_path) -> dict[str, list[str]]:
    """Kind of evaluation -> its arguments, for a single scan and an output folder."""
    (tmp_path / "cases").mkdir()
    write_plain_case(tmp_path / "cases", "one")
    scene = replace(toy_scene(1.5), seed=EVALUATION_SEED_START)
    save_scene(scene, tmp_path / f"scene_{EVALUATION_SEED_START:08d}.npy")
    output = ["--json", "--output", str(tmp_path / "out")]
    phantoms = ["--count", "1", "--spacing", "2", "--pixel", "2", "--scenes", str(tmp_path)]
    return {
        "cases": ["evaluate", "cases", str(tmp_path / "cases"), *output],
        "phantoms": ["evaluate", "phantoms", *phantoms, *output],
    }


@pytest.mark.parametrize("kind", ["cases", "phantoms"])
def test_records_of_other_weights_are_refused(kind, words, asked, tmp_path, capsys):
    assert main(words[kind]) == 0
    assert main(words[kind]) == 0
    assert len(asked) == 1
    capsys.readouterr()
    assert main([*words[kind], "--models", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "made otherwise (other weights)" in told
    assert "another output folder" in told and "aaaa" not in told
    elsewhere = [*words[kind], "--models", str(tmp_path), "--output", str(tmp_path / "other")]
    assert main(elsewhere) == 0
    assert len(asked) == 2 and asked[1].models_folder == tmp_path


@pytest.mark.parametrize("kind", ["cases", "phantoms"])
def test_records_from_before_weights_were_noted_are_refused(kind, words, asked, tmp_path, capsys):
    assert main(words[kind]) == 0
    noted = tmp_path / "out" / "settings.json"
    settings = json.loads(noted.read_text())
    assert settings["weights"] == {"locnet": "a" * 64, "grading": "c" * 64}
    del settings["weights"]
    noted.write_text(json.dumps(settings))
    assert main(words[kind]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert "made otherwise (weights not noted)" in told
    noted.unlink()
    assert main(words[kind]) == 2


def test_records_of_other_numbers_or_grades_are_refused(words, asked, tmp_path, capsys):
    table = tmp_path / "grades.csv"
    table.write_text("case,label,genant_grade\none,20,1\n")
    graded = [*words["cases"], "--grades", str(table)]
    assert main(graded) == 0
    assert main(words["cases"]) == 2
    assert "other grades" in capsys.readouterr().err
    assert main([*graded, "--numbers", "totalsegmentator"]) == 2
    assert "numbers auto" in capsys.readouterr().err
    # What the table says counts, not where it lies.
    moved = table.rename(tmp_path / "moved.csv")
    graded[-1] = str(moved)
    assert main(graded) == 0
    moved.write_text("case,label,genant_grade\none,20,2\n")
    assert main(graded) == 2
    assert len(asked) == 1


def test_records_of_files_and_of_analyses_are_not_mixed(words, asked, tmp_path, capsys):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "analysis.json").write_text('{"vertebrae": []}')
    assert main([*words["cases"], "--results", str(tmp_path / "first")]) == 0
    assert main([*words["cases"], "--results", str(tmp_path / "first")]) == 0
    assert main([*words["cases"], "--results", str(tmp_path / "second")]) == 2
    assert f"results {tmp_path / 'first'}" in capsys.readouterr().err
    assert main(words["cases"]) == 2
    assert not asked


def test_records_made_in_several_ways_are_still_read_together(words, asked, tmp_path, capsys):
    assert main(words["cases"]) == 0
    models = ["--models", str(tmp_path), "--output", str(tmp_path / "other")]
    assert main([*words["phantoms"], *models]) == 0
    capsys.readouterr()
    folders = [str(tmp_path / "out"), str(tmp_path / "other")]
    assert main(["evaluate", "records", *folders, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["cases"]) == 2


@pytest.mark.parametrize("kind", ["cases", "phantoms"])
def test_damaged_records_are_told_before_anything_is_analysed(kind, words, asked, tmp_path, capsys):
    assert main(words[kind]) == 0
    damages = ('{"name": "x"}\n', "no JSON\n", "[]\n", '"text"\n', "\xff\n")
    for damage in damages:
        (tmp_path / "out" / "records.jsonl").write_bytes(damage.encode("latin-1"))
        capsys.readouterr()
        assert main(words[kind]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and "records.jsonl holds no records" in told
    assert len(asked) == 1


def test_records_with_fields_of_another_kind_are_no_records(tmp_path):
    open_log(tmp_path).add(replace(RECORD, centres_by_localiser={}))
    path = tmp_path / "records.jsonl"
    path.write_text(
        path.read_text().replace('"centres_by_localiser":{}', '"centres_by_localiser":[]')
    )
    with pytest.raises(InputError, match="holds no records"):
        RecordLog(path)


@pytest.mark.parametrize("content", ["{", "[1]", "7"])
def test_damaged_settings_are_told(content, words, asked, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "settings.json").write_text(content)
    assert main(words["cases"]) == 2
    assert "does not say how" in capsys.readouterr().err


def test_reading_records_leaves_a_half_line_and_going_on_drops_it(tmp_path):
    path = tmp_path / "records.jsonl"
    open_log(tmp_path).add(RECORD)
    with path.open("a") as file:
        file.write('{"name": "half')
    before = path.read_text()
    assert [r.name for r in RecordLog(path).all()] == ["a"]
    assert path.read_text() == before
    open_log(tmp_path).add(replace(RECORD, name="b"))
    assert [r.name for r in RecordLog(path).all()] == ["a", "b"]
