"""`benchmark` and `evaluate keypoints`: what they print, with the work itself replaced."""

from __future__ import annotations

import argparse
import json
import sys
import time
from types import SimpleNamespace

import pytest
import SimpleITK as sitk  # noqa: N813
import torch
from simple_ct import simple_ct
from vertebra_core.errors import InputError, VertebraError
from vertebra_core.evaluation import benchmark, evaluate_keypoints
from vertebra_core.evaluation.benchmark import Timing, time_analysis
from vertebra_core.evaluation.reference_network import ReferenceUNet, time_reference
from vertebra_core.volume import to_sitk


def _parse(module, *words):
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return parser.parse_args([str(w) for w in words])


def test_benchmark_states_medians_the_greatest_memory_and_reference_units(tmp_path, capsys):
    ct = tmp_path / "ct.nii.gz"
    ct.touch()
    timings = iter(
        Timing(wall, {"localisation": wall / 2, "grading": 1.0}, memory)
        for wall, memory in ((10.0, 900.0), (30.0, 1500.0), (12.0, 800.0))
    )
    arguments = _parse(benchmark, ct, "--repeat", 3, "--json")
    assert benchmark.run(arguments, lambda *_: next(timings), lambda n: [4.0] * n) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["wall_s"] == 12.0
    assert figures["seconds_per_stage"] == {"start-up": 5.0, "localisation": 6.0, "grading": 1.0}
    assert figures["peak_memory_mb"] == 1500.0
    assert figures["wall_in_references"] == pytest.approx(3.0)
    assert "128^3" in figures["reference"]


@pytest.mark.parametrize("n_runs", [1, 2, 3])
def test_the_stages_of_a_benchmark_add_up_to_the_whole(n_runs, tmp_path, capsys):
    ct = tmp_path / "ct.nii.gz"
    ct.touch()
    runs = [Timing(9.0, {"reading": 2.0, "grading": 3.0}, None),
            Timing(7.5, {"reading": 4.0, "grading": 1.0}, None),
            Timing(8.0, {"reading": 1.0, "grading": 6.5}, None)]  # fmt: skip
    timings = iter(runs)
    arguments = _parse(benchmark, ct, "--repeat", n_runs, "--no-reference", "--json")
    benchmark.run(arguments, lambda *_: next(timings))
    figures = json.loads(capsys.readouterr().out)
    assert list(figures["seconds_per_stage"]) == ["start-up", "reading", "grading"]
    assert sum(figures["seconds_per_stage"].values()) == pytest.approx(figures["wall_s"])
    assert figures["wall_s"] == {1: 9.0, 2: 7.5, 3: 8.0}[n_runs]


def test_reading_the_file_counts_beside_reading_the_weights(tmp_path, monkeypatch):
    monkeypatch.setattr("vertebra_core.reading.read_ct", lambda path: time.sleep(0.05))
    manifest = SimpleNamespace(seconds_per_stage={"reading": 1.0, "grading": 2.0})
    result = SimpleNamespace(analysis=SimpleNamespace(manifest=manifest))
    monkeypatch.setattr("vertebra_core.pipeline.analyze", lambda ct, options: result)
    seconds = benchmark.analyse_once(str(tmp_path / "ct.nii.gz"), "cpu", "best")
    assert seconds["seconds_per_stage"]["reading"] >= 1.05
    assert seconds["seconds_per_stage"]["grading"] == 2.0


def test_benchmark_can_leave_out_the_reference(tmp_path, capsys):
    ct = tmp_path / "ct.nii.gz"
    ct.touch()
    arguments = _parse(benchmark, ct, "--repeat", 1, "--no-reference")
    benchmark.run(arguments, lambda *_: Timing(5.0, {"grading": 1.0}, 1024.0))
    text = capsys.readouterr().out
    assert "whole process" in text and "5.00" in text and "1.00 GB" in text
    assert "Reference" not in text


def test_memory_that_the_system_does_not_tell_is_left_out(tmp_path, monkeypatch, capsys):
    ct = tmp_path / "ct.nii.gz"
    ct.touch()
    assert benchmark.peak_memory_mb() > 10
    # As on Windows.
    monkeypatch.setitem(sys.modules, "resource", None)
    assert benchmark.peak_memory_mb() is None
    for form in ("--json", "--markdown"):
        arguments = _parse(benchmark, ct, "--repeat", 1, "--no-reference", form)
        assert benchmark.run(arguments, lambda *_: Timing(5.0, {"grading": 1.0}, None)) == 0
    out = capsys.readouterr().out
    assert '"peak_memory_mb": null' in out and "Peak memory - GB." in out


def test_benchmark_times_the_weights_asked_for_and_says_so(tmp_path, capsys):
    ct = tmp_path / "ct.nii.gz"
    ct.touch()
    asked = []

    def time_once(*how):
        asked.append(how)
        return Timing(5.0, {"grading": 1.0}, 1024.0)

    for words in ((), ("--models", tmp_path)):
        arguments = _parse(benchmark, ct, "--repeat", 1, "--no-reference", *words)
        benchmark.run(arguments, time_once)
    assert asked == [(ct, "auto", "best", None), (ct, "auto", "best", tmp_path)]
    bundled, own = capsys.readouterr().out.split("Peak memory", 1)
    assert "weights of" not in bundled and f"weights of {tmp_path}" in own


def test_benchmark_refuses_a_missing_ct_and_says_why_an_analysis_fails(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no file"):
        benchmark.run(_parse(benchmark, tmp_path / "absent.nii.gz"))
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"this is no image")
    # The process that is timed finds no such module on Windows.
    (tmp_path / "resource.py").write_text("raise ImportError('no resource here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(InputError, match="failed: .*not a NIfTI") as failed:
        time_analysis(broken)
    assert "Error" not in failed.value.message


def test_a_defect_in_the_timed_process_is_told_with_its_last_words(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['SimpleITK'] = None")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(VertebraError, match="failed: .*SimpleITK") as failed:
        time_analysis(tmp_path / "ct.nii.gz")
    assert failed.value.exit_code == 1


def test_weights_that_are_not_there_are_told_by_the_timed_process(tmp_path):
    ct = tmp_path / "ct.nii.gz"
    sitk.WriteImage(to_sitk(simple_ct()), str(ct))
    (tmp_path / "models.json").write_text("damaged")
    with pytest.raises(InputError, match="models.json") as failed:
        time_analysis(ct, "cpu", "fast", tmp_path)
    assert failed.value.hint


def test_the_reference_is_the_network_it_is_said_to_be():
    network = ReferenceUNet().eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, 32, 32, 32)).shape == (1, 26, 32, 32, 32)
    first = network.down[0][0]
    assert (first.out_channels, len(network.down)) == (32, 5)
    # Doubling up to 320 channels, as nnU-Net does: 16.5 million parameters.
    assert 15e6 < sum(p.numel() for p in network.parameters()) < 18e6
    assert len(time_reference(2, patch_voxels=32)) == 2


def test_keypoint_figures_are_printed_as_tables_and_as_json(tmp_path, capsys):
    file = tmp_path / "keypoints.jsonl.gz"
    file.touch()
    figures = {
        "identification_rate": 0.9731,
        "scans_all_found": 0.25,
        "n_scans": 12,
        "by_source": {"a": {"identification_rate": 0.5, "n": 3}, "b": {"n": 9}},
    }
    asked = []

    def evaluate(path, folds, on_fold):
        asked.append((path, folds))
        on_fold(1)
        return figures

    evaluate_keypoints.run(_parse(evaluate_keypoints, file, "--folds", 4), evaluate)
    text, told = capsys.readouterr()
    assert "1 of 4 parts" in told
    assert (
        "97.3 %" in text and "25.0 %" in text and "by source" in text.lower() and "50.0 %" in text
    )
    evaluate_keypoints.run(_parse(evaluate_keypoints, file, "--json"), evaluate)
    assert json.loads(capsys.readouterr().out) == figures
    assert asked == [(file, 4), (file, 5)]
    with pytest.raises(InputError, match="at least 2"):
        evaluate_keypoints.run(_parse(evaluate_keypoints, file, "--folds", 1), evaluate)
    with pytest.raises(InputError, match="no file"):
        evaluate_keypoints.run(_parse(evaluate_keypoints, tmp_path / "absent"), evaluate)
