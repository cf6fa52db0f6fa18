"""The command line as others start it: a process of its own."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from example_analysis import example
from fake_stages import LEVELS, fake_stages, trunk_ct
from vertebra_core.analysis_json import analysis_to_json, read_analysis
from vertebra_core.command_line import COMMANDS, main
from vertebra_core.output.atomic_output import RESULT_FILES
from vertebra_core.output.scene_mrb import scene_available
from vertebra_core.reading import read_label_map
from vertebra_core.volume import CtVolume, same_grid, to_sitk

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "VertebraAnalysis"
# The real program, with stages that need no weights.
DRIVER = """
import sys
sys.path.insert(0, {here!r})
import fake_stages, vertebra_core.pipeline
stages = fake_stages.fake_stages(seconds={seconds})
vertebra_core.pipeline.bundled_stages = lambda *_: stages
from vertebra_core.command_line import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def ct_file(tmp_path_factory) -> Path:
    import SimpleITK as sitk  # noqa: N813

    path = tmp_path_factory.mktemp("input") / "ct.nii.gz"
    sitk.WriteImage(to_sitk(trunk_ct()), str(path))
    return path


def start(*words: object, seconds: float | None = None) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    program = ["-m", "vertebra_core"]
    if seconds is not None:
        program = ["-c", DRIVER.format(here=str(HERE), seconds=seconds)]
    return subprocess.Popen(
        [sys.executable, *program, *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_bad_input_is_one_sentence_and_status_2(tmp_path):
    (tmp_path / "ct.nii.gz").write_bytes(b"this is no image")
    status, out, err = finish(start("analyze", tmp_path / "ct.nii.gz", "-o", tmp_path / "out"))
    assert status == 2 and out == ""
    assert err.count("\n") == 1 and "not a NIfTI" in err
    assert not (tmp_path / "out").exists()


def test_bad_input_as_json_is_an_error_line(tmp_path):
    process = start("analyze", tmp_path / "no.nii", "-o", tmp_path / "out", "--progress", "json")
    status, out, _ = finish(process)
    lines = [json.loads(line) for line in out.splitlines()]
    assert status == 2
    assert lines[-1]["type"] == "error" and lines[-1]["code"] == "not_found"
    assert lines[-1]["message"] and lines[-1]["hint"]
    assert all(line["type"] == "progress" for line in lines[:-1])


def test_analysis_writes_everything_and_tells_progress_as_json(ct_file, tmp_path):
    out_folder = tmp_path / "out"
    words = ("analyze", ct_file, "-o", out_folder, "--progress", "json", "--no-scene")
    status, out, err = finish(start(*words, seconds=2.5))
    assert status == 0, err
    *progress, result = [json.loads(line) for line in out.splitlines()]
    assert {line["type"] for line in progress} == {"progress"}
    fractions = [line["fraction"] for line in progress]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert sum(line["stage"] == "grading" for line in progress) >= 3
    assert result["type"] == "result" and result["levels"] == list(LEVELS)
    written = set(RESULT_FILES) - {"scene.mrb"}
    assert set(result["files"]) == written == {p.name for p in out_folder.iterdir()}
    analysis = read_analysis(out_folder / "analysis.json")
    assert [v.level for v in analysis.vertebrae] == list(LEVELS)
    labels = read_label_map(out_folder / "labels.nii.gz")
    assert same_grid(labels, trunk_ct()) and set(labels.labels.ravel()) == {0, 19, 20, 21, 22}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM between processes")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_cancelling_takes_two_seconds_at_most_and_leaves_nothing(ct_file, tmp_path, number):
    out_folder = tmp_path / "out"
    process = start("analyze", ct_file, "-o", out_folder, "--progress", "json", seconds=60)
    for line in process.stdout:
        if json.loads(line)["stage"] == "grading":
            break
    assert out_folder.exists()
    process.send_signal(number)
    sent = time.monotonic()
    status, out, _ = finish(process)
    assert time.monotonic() - sent < 2
    assert status == 3
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["type"] for line in lines if line["type"] != "progress"] == ["error"]
    assert lines[-1]["code"] == "cancelled"
    assert not out_folder.exists()


EARLIER = analysis_to_json(example()[3])

# Writing stops before the report: the label maps are there, under names for the time being.
STUCK_WRITING = """
import time, vertebra_core.output.write_results as writing
writing.report_html = lambda *_: time.sleep(600)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize(("stage", "earlier"), [("grading", False), ("writing", True)])
def test_a_killed_run_leaves_nothing_under_final_names(ct_file, tmp_path, stage, earlier):
    out_folder = tmp_path / "out"
    if earlier:
        out_folder.mkdir()
        (out_folder / "analysis.json").write_text(EARLIER, "utf-8")
    seconds, before = (60, "") if stage == "grading" else (0, STUCK_WRITING)
    program = before + DRIVER.format(here=str(HERE), seconds=seconds)
    words = ["analyze", ct_file, "-o", out_folder, "--progress", "json"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    for line in process.stdout:
        told = json.loads(line)
        half = list(out_folder.glob(".*/bodies.nii.gz"))
        if told["stage"] == stage and (stage == "grading" or half):
            break
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    process.stdout.close()
    there = [p for p in out_folder.iterdir() if not p.name.startswith(".")]
    seen = {p.name: p.read_text("utf-8") for p in there}
    assert seen == ({"analysis.json": EARLIER} if earlier else {})
    # What it left hidden is in nobody's way.
    status, _, err = finish(start("analyze", ct_file, "-o", out_folder, "--no-scene", seconds=0))
    assert status == 0, err
    assert read_analysis(out_folder / "analysis.json").vertebrae


def test_earlier_results_survive_a_failed_run(ct_file, tmp_path):
    (tmp_path / "analysis.json").write_text(EARLIER, "utf-8")
    status, _, err = finish(start("analyze", tmp_path / "no.nii", "-o", tmp_path))
    assert status == 2 and "no.nii" in err, err
    assert [p.name for p in tmp_path.iterdir()] == ["analysis.json"]
    assert (tmp_path / "analysis.json").read_text("utf-8") == EARLIER


@pytest.fixture
def small_disk(tmp_path) -> list[str]:
    """Words before a command that puts an empty disk of 300 kB in place of ``tmp_path/disk``."""
    (tmp_path / "disk").mkdir()
    mount = 'mount -t tmpfs -o size=300k tmpfs "$0" && exec "$@"'
    words = ["unshare", "-Urm", "sh", "-c", mount, str(tmp_path / "disk")]
    try:
        subprocess.run([*words, "true"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("this system mounts no disks for users")
    return words


@pytest.mark.skipif(not scene_available(), reason="slicer-core is not installed")
def test_a_disk_that_the_scene_fills_is_called_full(ct_file, tmp_path, small_disk):
    program = DRIVER.format(here=str(HERE), seconds=0)
    words = ["analyze", ct_file, "-o", tmp_path / "disk" / "out", "--progress", "json"]
    done = subprocess.run(
        [*small_disk, sys.executable, "-c", program, *words], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)}, timeout=300,
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 2 and told["type"] == "error"
    assert told["code"] == "disk_full" and "full" in told["message"] and "room" in told["hint"]


def test_a_folder_that_cannot_be_written_is_told_before_the_work(ct_file, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    started = time.monotonic()
    assert main(["analyze", str(ct_file), "-o", str(tmp_path / "file")]) == 2
    assert time.monotonic() - started < 2
    captured = capsys.readouterr()
    assert captured.out == "" and "cannot be written" in captured.err
    assert captured.err.count("\n") == 1


def test_a_person_sees_a_table_and_where_the_files_are(ct_file, tmp_path):
    status, out, err = finish(
        start("analyze", ct_file, "-o", tmp_path / "out", "--no-scene", seconds=0)
    )
    assert status == 0 and err == ""
    lines = out.splitlines()
    assert lines[0].split()[:3] == ["level", "sure", "grade"]
    assert [line.split()[0] for line in lines[1:5]] == list(LEVELS)
    assert str(tmp_path / "out" / "report.html") in lines


def test_a_defect_is_status_1_with_details_on_stderr(ct_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("vertebra_core.reading.read_ct", lambda *_: 1 / 0)
    assert main(["analyze", str(ct_file), "-o", str(tmp_path / "out")]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err and "The program failed (ZeroDivisionError" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seam", ["reading.read_ct", "output.write_results.report_html"])
def test_a_file_that_the_program_lacks_is_a_defect_and_not_the_folders_fault(
    ct_file, tmp_path, monkeypatch, capsys, seam
):
    def lack(*_: object) -> None:
        raise OSError("libcudnn.so.9: cannot open shared object file")

    monkeypatch.setattr(f"vertebra_core.{seam}", lack)
    monkeypatch.setattr("vertebra_core.pipeline.bundled_stages", lambda *_: fake_stages())
    assert main(["analyze", str(ct_file), "-o", str(tmp_path / "out"), "--no-scene"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err and "libcudnn" in err and "cannot be written" not in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory")])
def test_too_little_memory_is_no_defect(ct_file, tmp_path, monkeypatch, capsys, error):
    def read(*_: object) -> CtVolume:
        raise error

    monkeypatch.setattr("vertebra_core.reading.read_ct", read)
    assert main(["analyze", str(ct_file), "-o", str(tmp_path / "out")]) == 2
    assert "not enough memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [[], ["cook"], ["analyze"], ["analyze", "ct", "-o", "x", "--quality", "superb"],
              ["evaluate"], ["train", "nothing"], ["phantom"]]
)  # fmt: skip
def test_wrong_arguments_are_a_sentence_and_status_2(words, capsys):
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1 and "--help" in captured.err


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert command in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["--version"], ["--help"], ["train", "--help"], ["evaluate", "--help"]], ids=" ".join
)
def test_help_and_version_load_nothing_heavy(words):
    program = (
        "import sys; from vertebra_core.command_line import main\n"
        f"try: main({words})\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'numpy', 'SimpleITK', 'vtk') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert shown.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("words", [["train", "locnet"], ["evaluate", "cases"]], ids=" ".join)
def test_what_is_chosen_of_a_command_explains_its_own_options(words, capsys):
    with pytest.raises(SystemExit) as left:
        main([*words, "--help"])
    assert left.value.code == 0
    assert "--device" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="Shells of Windows close no streams")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("progress", ["none", "bar", "json"])
def test_closed_streams_are_no_defect(tmp_path, closed, progress):
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    words = f"-m vertebra_core analyze no.nii -o out --progress {progress} {closed}"
    done = subprocess.run(
        ["sh", "-c", f"exec '{sys.executable}' {words}"], cwd=tmp_path, env=environment,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and done.stdout.count("Error") == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="There is no full device")
def test_output_that_cannot_be_printed_is_told_and_results_stand(ct_file, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    program = DRIVER.format(here=str(HERE), seconds=0)
    words = [sys.executable, "-c", program, "analyze", ct_file, "-o", tmp_path / "out"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*words, "--no-scene"], stdout=full, stderr=subprocess.PIPE, text=True, env=environment
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "cannot be printed" in done.stderr
    assert (tmp_path / "out" / "analysis.json").exists()
