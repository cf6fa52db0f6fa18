"""Two processes that train together, as `torchrun` starts them: one network, one set of files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from labelled_folder import write_verse_subject
from toy_bank import kept_tensors
from vertebra_core.models import available_networks, load_weights_file
from vertebra_core.training.parallel import Processes

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> tuple[Path, list[dict], str]:
    """What two processes left and said: their folder, one report each, standard output."""
    out, run = _trained_by_two(tmp_path_factory.mktemp("parallel"))
    assert run.returncode == 0, run.stderr[-3000:]
    return out, [json.loads((out / f"rank{i}.json").read_text()) for i in range(2)], run.stdout


def _trained_by_two(root: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    labels, out = root / "labels", root / "out"
    out.mkdir()
    for subject in ("sub-verse900", "sub-verse901"):
        write_verse_subject(labels, subject)
    case = [str(HERE / "parallel_case.py"), str(labels), str(out)]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    paths = [str(HERE.parents[1] / "VertebraAnalysis"), str(HERE)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [*launch, *case], env=environment, capture_output=True, text=True, timeout=1800
    )
    return out, run


@pytest.mark.slow
def test_gradients_are_averaged_and_an_unsound_one_spoils_the_step(done):
    _, said, _ = done
    for one in said:
        assert one["count"] == 2
        assert one["weight"] == [[1.5, 1.5]] and one["bias"] == [0.5]
        assert one["sound"] is True and one["one_unsound"] is False


@pytest.mark.slow
def test_processes_end_with_the_same_weights_from_samples_of_their_own(done):
    _, (first, second), _ = done
    assert first["weights"] == second["weights"]
    assert first["names"] == second["names"]
    assert not set(first["draws"]) & set(second["draws"])


@pytest.mark.slow
def test_only_the_first_process_validates_and_writes(done):
    out, (first, second), _ = done
    assert first["figures"] and not second["figures"]
    rows = (out / "whole" / "training.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "1", "2", "3", "4"]
    _, record = load_weights_file(out / "whole" / "segmentation.safetensors")
    assert record.metadata["batch_size"] == "2" and record.metadata["steps"] == "4"


@pytest.mark.slow
def test_stopping_one_process_stops_both_and_resuming_is_exact(done):
    out, said, _ = done
    assert [one["stopped_at"] for one in said] == [2, 2]
    expected, found = kept_tensors(out / "whole"), kept_tensors(out / "parts")
    assert [k for k in expected if not torch.equal(expected[k], found[k])] == []


@pytest.mark.slow
def test_all_networks_are_trained_by_both_processes(done):
    out, (first, second), _ = done
    assert available_networks(out / "all") == ("grading", "labelling", "locnet", "segmentation")
    assert {key.split()[0] for key in first["all"]} == {"locnet", "segmentation", "labelling"}
    assert second["all"] == {}
    for name in ("locnet", "segmentation", "labelling"):
        _, record = load_weights_file(out / "all" / f"{name}.safetensors")
        assert (record.metadata["batch_size"], record.metadata["steps"]) == ("2", "1")


@pytest.mark.slow
def test_the_command_says_its_result_once(done):
    out, _, said = done
    assert said.count("dice_vertebra") + said.count("false_voxels") == 1
    assert (out / "command" / "segmentation.safetensors").exists()


def test_one_process_alone_averages_nothing():
    processes = Processes("cpu")
    network = torch.nn.Linear(1, 1)
    assert processes.count == 1 and processes.is_first and processes.seed(7) == 7
    assert processes.average_gradients(network, False) is False
    assert network.weight.grad is None
    assert processes.mean([3.0]) == [3.0] and processes.gather("a") == ["a"]
