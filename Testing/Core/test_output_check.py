"""Results never take the place of what a reader gave or made."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import ZipFile

import pytest
from example_analysis import example
from vertebra_core.analysis_json import analysis_to_json
from vertebra_core.command_line import main
from vertebra_core.errors import OutputError
from vertebra_core.output.atomic_output import RESULT_FILES, AtomicOutput
from vertebra_core.output.label_map import write_label_map
from vertebra_core.output.output_check import check_output
from vertebra_core.output.scene_keys import PLAIN_ATTRIBUTE, RESULT_SET_ATTRIBUTE


def refused(folder: Path, *inputs: Path) -> OutputError:
    with pytest.raises(OutputError) as caught:
        check_output(folder, inputs)
    assert caught.value.exit_code == 2 and "another folder" in caught.value.hint
    return caught.value


def test_an_empty_or_a_new_folder_and_strangers_in_it_are_no_hindrance(tmp_path):
    (tmp_path / "ct.nii.gz").write_text("")
    (tmp_path / "notes").mkdir()
    check_output(tmp_path, [tmp_path / "ct.nii.gz", None])
    check_output(tmp_path / "new" / "folder", [tmp_path / "ct.nii.gz"])


def test_earlier_results_may_be_replaced(tmp_path):
    (tmp_path / "analysis.json").write_text(analysis_to_json(example()[3]))
    for name in ("labels.nii.gz", "bodies.nii.gz", "report.html"):
        (tmp_path / name).write_text("")
    check_output(tmp_path, [])


@pytest.mark.parametrize("name", [n for n in RESULT_FILES if n != "analysis.json"])
@pytest.mark.parametrize("beside", [None, "earlier", "[]", '{"schema_version": "1.0"}'])
def test_files_that_no_analysis_wrote_are_kept(tmp_path, name, beside):
    (tmp_path / name).write_text("true")
    if beside is not None:
        (tmp_path / "analysis.json").write_text(beside)
    error = refused(tmp_path)
    assert name in error.message and "move these files" in error.hint


def test_a_file_called_as_an_analysis_that_is_none_is_kept(tmp_path):
    (tmp_path / "analysis.json").write_text('{"mine": 1}')
    assert "analysis.json" in refused(tmp_path).message


def test_a_review_is_kept(tmp_path):
    content = {**json.loads(analysis_to_json(example()[3])), "review": {"version": "1.2"}}
    (tmp_path / "analysis.json").write_text(json.dumps(content))
    error = refused(tmp_path)
    assert "review" in error.message and "move" in error.hint


def write_scene(path: Path, attributes: str) -> None:
    with ZipFile(path, "w") as packed:
        packed.writestr("scene/scene.mrml", f"<MRML><Text attributes='{attributes}'/></MRML>")


def test_a_scene_is_replaced_as_it_was_written_but_not_once_it_was_saved_anew(tmp_path):
    (tmp_path / "analysis.json").write_text(analysis_to_json(example()[3]))
    scene = tmp_path / "scene.mrb"
    write_scene(scene, f"{RESULT_SET_ATTRIBUTE}:1;{PLAIN_ATTRIBUTE}:1")
    check_output(tmp_path, [])
    # The panel takes the mark away when it fills in what only it adds.
    write_scene(scene, f"{RESULT_SET_ATTRIBUTE}:1")
    assert "scene.mrb" in refused(tmp_path).message
    scene.write_text("mine")
    assert "scene.mrb" in refused(tmp_path).message


def test_an_input_is_not_replaced_even_among_earlier_results(tmp_path, monkeypatch):
    (tmp_path / "analysis.json").write_text(analysis_to_json(example()[3]))
    (tmp_path / "labels.nii.gz").write_text("given")
    assert "labels.nii.gz" in refused(tmp_path, None, tmp_path / "labels.nii.gz").message
    (tmp_path / "link").symlink_to(tmp_path)
    refused(tmp_path / "link", tmp_path / "labels.nii.gz")
    monkeypatch.chdir(tmp_path)
    refused(Path(), Path("labels.nii.gz"))
    check_output(tmp_path / "other", [tmp_path / "labels.nii.gz"])


@pytest.mark.parametrize("name", ["report.html", "labels.nii.gz", "analysis.json"])
def test_a_folder_with_the_name_of_a_result_is_kept(tmp_path, name):
    (tmp_path / name).mkdir()
    assert name in refused(tmp_path).message


@pytest.mark.parametrize("as_json", [False, True])
def test_commands_refuse_before_they_compute(tmp_path, monkeypatch, capsys, as_json):
    monkeypatch.setattr("vertebra_core.reading.read_label_map", lambda *_: 1 / 0)
    monkeypatch.setattr("vertebra_core.reading.read_ct", lambda *_: 1 / 0)
    _, labels, bodies, _ = example()
    write_label_map(tmp_path / "labels.nii.gz", labels.labels, labels)
    (tmp_path / "ct.nii.gz").write_text("")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    more = ["--progress", "json"] if as_json else []
    for words in (
        ["analyze", str(tmp_path / "ct.nii.gz")],
        ["grade", "--segmentation", str(tmp_path / "labels.nii.gz")],
    ):
        assert main([*words, "-o", str(tmp_path), *more]) == 2
        captured = capsys.readouterr()
        if as_json:
            (told,) = map(json.loads, captured.out.splitlines())
            assert told["code"] == "would_replace" and told["hint"]
        else:
            assert captured.out == "" and captured.err.count("\n") == 1
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_looked_into_is_told_as_one_that_cannot_be_written(tmp_path):
    folder = tmp_path / ("x" * 300)
    with pytest.raises(OutputError) as caught, AtomicOutput(folder):
        pytest.fail("opened")
    assert caught.value.code == "not_writable"
    check_output(folder, [tmp_path / "ct.nii.gz"])


def test_a_command_replaces_its_own_results(tmp_path, capsys):
    _, labels, bodies, _ = example()
    write_label_map(tmp_path / "seg.nii.gz", labels.labels, labels)
    write_label_map(tmp_path / "body.nii.gz", bodies, labels)
    given = ["--segmentation", tmp_path / "seg.nii.gz", "--bodies", tmp_path / "body.nii.gz"]
    words = ["grade", *given, "-o", tmp_path / "out", "--no-scene", "--threads", "1"]
    assert main([str(word) for word in words]) == 0
    assert "removed" not in capsys.readouterr().out
    write_scene(tmp_path / "out" / "scene.mrb", f"{PLAIN_ATTRIBUTE}:1")
    assert main([str(word) for word in words]) == 0
    told = capsys.readouterr().out
    assert "T12" in told and "The scene.mrb of the earlier results was removed." in told
    assert not (tmp_path / "out" / "scene.mrb").exists()
