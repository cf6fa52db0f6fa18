"""`benchmark` and `evaluate keypoints`: what they print, with the work itself replaced."""

from __future__ import annotations

import argparse
import json

import pytest
import torch
from vertebra_core.errors import InputError, VertebraError
from vertebra_core.evaluation import benchmark, evaluate_keypoints
from vertebra_core.evaluation.benchmark import Timing, time_analysis
from vertebra_core.evaluation.reference_network import ReferenceUNet, time_reference


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
    assert figures["seconds_per_stage"] == {"localisation": 6.0, "grading": 1.0}
    assert figures["peak_memory_mb"] == 1500.0
    assert figures["wall_in_references"] == pytest.approx(3.0)
    assert "128^3" in figures["reference"]


def test_benchmark_can_leave_out_the_reference(tmp_path, capsys):
    ct = tmp_path / "ct.nii.gz"
    ct.touch()
    arguments = _parse(benchmark, ct, "--repeat", 1, "--no-reference")
    benchmark.run(arguments, lambda *_: Timing(5.0, {"grading": 1.0}, 1024.0))
    text = capsys.readouterr().out
    assert "whole process" in text and "5.00" in text and "1.00 GB" in text
    assert "Reference" not in text


def test_benchmark_refuses_a_missing_ct_and_reports_a_failing_analysis(tmp_path):
    with pytest.raises(InputError, match="no file"):
        benchmark.run(_parse(benchmark, tmp_path / "absent.nii.gz"))
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"")
    with pytest.raises(VertebraError, match="failed"):
        time_analysis(broken)


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
        "n_scans": 12,
        "by_source": {"a": {"identification_rate": 0.5, "n": 3}, "b": {"n": 9}},
    }
    asked = []

    def evaluate(path, folds):
        asked.append((path, folds))
        return figures

    evaluate_keypoints.run(_parse(evaluate_keypoints, file, "--folds", 4), evaluate)
    text = capsys.readouterr().out
    assert "97.3 %" in text and "by source" in text.lower() and "50.0 %" in text
    evaluate_keypoints.run(_parse(evaluate_keypoints, file, "--json"), evaluate)
    assert json.loads(capsys.readouterr().out) == figures
    assert asked == [(file, 4), (file, 5)]
    with pytest.raises(InputError, match="at least 2"):
        evaluate_keypoints.run(_parse(evaluate_keypoints, file, "--folds", 1), evaluate)
    with pytest.raises(InputError, match="no file"):
        evaluate_keypoints.run(_parse(evaluate_keypoints, tmp_path / "absent"), evaluate)
