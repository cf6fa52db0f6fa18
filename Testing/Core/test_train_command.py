"""The command `train`: what it leaves and says, what it refuses, and how it is stopped."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from pathlib import Path

import pytest
import torch
from toy_bank import toy_bank
from vertebra_core.analysis_options import AnalysisOptions
from vertebra_core.command_line import main
from vertebra_core.errors import InputError
from vertebra_core.models import MODELS_FOLDER, available_networks, load_network
from vertebra_core.stages import bundled_stages
from vertebra_core.training.feeder import SampleFeeder
from vertebra_core.training.loop import Trainer
from vertebra_core.training.mask_samples import PhantomMaskSource
from vertebra_core.training.plan import SamplePlan
from vertebra_core.training.train_all import STOPS, TrainAllConfig, settings_of, train_all
from vertebra_core.training.train_sagittal import SagittalTask

QUICK = ["--batch-size", "1", "--validation-samples", "1", "--threads", "1", "--device", "cpu"]
SMALL = {"sagittal": ["--widths", "8", "8", "8", "8"], "locnet": ["--block", "32", "32", "32"]}
HANDLED = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Path:
    return toy_bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture(autouse=True)
def process_as_it_was():
    handlers = {number: signal.getsignal(number) for number in HANDLED}
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def train(bank):
    """Run ``train NETWORK``; one step of it, where the words say nothing else."""

    def run(network: str, out: Path, *words: object) -> int:
        length = [] if {"--steps", "--minutes"} & set(words) else ["--steps", "1"]
        common = ["--bank", bank, "--out", out, *SMALL.get(network, ()), *QUICK, *length]
        return main(["train", network, *map(str, common), *map(str, words)])

    return run


def files(folder: Path) -> dict[str, bytes]:
    found = (p for p in folder.rglob("*") if p.is_file() and "tensorboard" not in p.parts)
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def one_sentence(err: str) -> str:
    """The last line of standard error, after making sure that it is no traceback."""
    assert "Traceback" not in err
    return err.strip().splitlines()[-1]


def test_one_network_trained_alone_is_used_with_the_bundled_ones(train, tmp_path, capsys):
    assert train("single_labelling", tmp_path) == 0
    assert f"weights: {tmp_path}" in capsys.readouterr().out.splitlines()
    assert available_networks(tmp_path) == ("single_labelling",)
    sums = bundled_stages(
        AnalysisOptions("cpu", 1, tmp_path, labeller="single", lesions=True)
    ).weights_sha256
    assert sums.pop("single_labelling") == sha256(tmp_path / "single_labelling.safetensors")
    bundled = {name: sha256(MODELS_FOLDER / f"{name}.safetensors") for name in sums}
    assert sums == bundled and "vertebraformer" in sums


def test_trainings_that_share_a_folder_share_its_index_and_nothing_else(train, tmp_path):
    assert train("sagittal", tmp_path) == 0
    first = files(tmp_path)
    assert train("locnet", tmp_path) == 0
    both = files(tmp_path)
    assert {name for name, data in first.items() if both[name] != data} == {"models.json"}
    for name in ("sagittal", "locnet"):
        _, record = load_network(name, tmp_path)
        assert record.sha256 == sha256(tmp_path / f"{name}.safetensors")
    # Each goes on by itself.
    for name in ("sagittal", "locnet"):
        assert train(name, tmp_path, "--steps", 2, "--resume") == 0
        assert load_network(name, tmp_path)[1].metadata["steps"] == "2"


@pytest.mark.parametrize("cut_off", [False, True])
def test_a_folder_in_use_is_refused_and_left_as_it_is(cut_off, train, tmp_path, capsys):
    assert train("sagittal", tmp_path) == 0
    if cut_off:
        # As a crash leaves it while the checkpoint is replaced.
        (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")
    before = files(tmp_path)
    capsys.readouterr()
    assert train("sagittal", tmp_path) == 2
    said = one_sentence(capsys.readouterr().err)
    assert "holds a training of sagittal" in said and "--resume" in said
    assert files(tmp_path) == before
    assert train("sagittal", tmp_path, "--steps", 2, "--resume") == 0


def test_one_network_of_train_all_is_not_written_over_but_gone_on_with(train, tmp_path, capsys):
    inner = tmp_path / "sagittal"
    assert train("sagittal", inner) == 0
    assert train("sagittal", tmp_path) == 2
    assert "holds a training of sagittal" in one_sentence(capsys.readouterr().err)
    assert train("sagittal", tmp_path, "--steps", 2, "--resume") == 0
    state = json.loads((inner / "checkpoint" / "state.json").read_text())
    assert state["step"] == 2 and available_networks(tmp_path) == ("sagittal",)


def test_train_all_goes_on_with_a_network_that_was_trained_alone(train, tmp_path):
    assert train("locnet", tmp_path) == 0
    config = TrainAllConfig(tmp_path, steps=2)
    with pytest.raises(InputError, match="holds a training of locnet"):
        train_all(config)
    outs = {stop.name: settings_of(stop, config).training.out for stop in STOPS}
    assert outs.pop("locnet") == tmp_path
    assert outs == {name: tmp_path / name for name in outs}


def test_a_checkpoint_of_another_training_is_never_replaced(train, tmp_path, capsys):
    assert train("sagittal", tmp_path / "locnet") == 0
    assert train("sagittal", tmp_path) == 0
    before = files(tmp_path)
    capsys.readouterr()
    assert train("locnet", tmp_path, "--resume") == 2
    assert "holds a training of sagittal" in one_sentence(capsys.readouterr().err)
    assert files(tmp_path) == before


WRONG = {
    "--steps": ["0", "-2", "x", "1.5"],
    "--minutes": ["0", "-1", "nan", "inf"],
    "--cpu-minutes": ["0"],
    "--batch-size": ["0"],
    "--learning-rate": ["0"],
    "--log-every": ["0"],
    "--checkpoint-every": ["0"],
    "--workers": ["-1"],
    "--replay-share": ["1.5"],
    "--widths": ["0 8 8 8"],
    "--device": ["cuda:99", "tpu"],
}


@pytest.mark.parametrize(
    ("flag", "value"), [(flag, value) for flag, values in WRONG.items() for value in values]
)
def test_a_wrong_setting_is_told_in_a_sentence_before_anything_is_written(
    flag, value, train, tmp_path, capsys
):
    assert train("sagittal", tmp_path / "W", flag, *value.split()) == 2
    captured = capsys.readouterr()
    said = one_sentence(captured.err)
    assert not captured.out and not (tmp_path / "W").exists()
    assert flag in said or flag == "--device"


def test_an_output_folder_that_cannot_be_is_told_in_a_sentence(train, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for network in ("sagittal", "all"):
        for out in (tmp_path / "file", tmp_path / "file" / "W"):
            assert train(network, out) == 2
            assert "cannot be written to" in one_sentence(capsys.readouterr().err)


def damaged(name: str, folder: Path) -> Path:
    path = folder / f"{name}.safetensors"
    path.write_bytes((MODELS_FOLDER / "locnet.safetensors").read_bytes()[:-1000])
    return path


def test_damaged_weights_to_start_from_are_told_in_a_sentence(train, tmp_path, capsys):
    weights = damaged("sagittal", tmp_path)
    for start in (weights, tmp_path):
        assert train("sagittal", tmp_path / "W", "--initial-weights", start) == 2
        said = one_sentence(capsys.readouterr().err)
        assert "sagittal.safetensors is damaged" in said and "extension" not in said


def test_a_path_with_dots_is_told_as_it_is(train, tmp_path, capsys):
    there = os.path.relpath(tmp_path / "none", Path.cwd() / "x" / "y")
    assert train("sagittal", tmp_path / "W", "--initial-weights", there) == 2
    assert f"no weights {there} to" in one_sentence(capsys.readouterr().err)


def spoil_state(checkpoint: Path) -> None:
    (checkpoint / "state.json").write_text('{"step": 1')


def spoil_tensors(checkpoint: Path) -> None:
    (checkpoint / "tensors.safetensors").write_bytes(b"\0" * 100)


@pytest.mark.parametrize("spoil", [spoil_state, spoil_tensors])
def test_a_damaged_checkpoint_is_told_in_a_sentence(spoil, train, tmp_path, capsys):
    assert train("sagittal", tmp_path) == 0
    spoil(tmp_path / "checkpoint")
    capsys.readouterr()
    assert train("sagittal", tmp_path, "--steps", 2, "--resume") == 2
    assert "checkpoint is damaged" in one_sentence(capsys.readouterr().err)


def test_a_checkpoint_of_another_shape_is_told_in_a_sentence(train, tmp_path, capsys):
    assert train("sagittal", tmp_path) == 0
    wider = ["--widths", "8", "8", "8", "16", "--resume"]
    assert train("sagittal", tmp_path, *wider) == 2
    assert "network of another shape" in one_sentence(capsys.readouterr().err)


def test_a_damaged_index_is_told_before_the_training(train, tmp_path, capsys):
    (tmp_path / "models.json").write_text("{")
    assert train("sagittal", tmp_path) == 2
    assert "models.json is damaged" in one_sentence(capsys.readouterr().err)
    assert set(files(tmp_path)) == {"models.json"}


def test_a_loss_that_is_not_finite_is_told_in_a_sentence(train, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Trainer, "_train_step", lambda self: {})
    assert train("sagittal", tmp_path, "--steps", 99) == 2
    assert "--learning-rate" in one_sentence(capsys.readouterr().err)


def test_the_end_says_where_weights_are_though_nothing_is_validated(train, tmp_path, capsys):
    assert train("sagittal", tmp_path, "--validation-samples", 0) == 0
    assert capsys.readouterr().out == f"weights: {tmp_path}\n"


@pytest.mark.parametrize("number", HANDLED)
def test_a_signal_ends_the_command_as_cancelled_with_all_that_was_learnt(
    number, train, tmp_path, capsys, monkeypatch
):
    step = Trainer._train_step

    def step_and_signal(self):
        os.kill(os.getpid(), number)
        return step(self)

    monkeypatch.setattr(Trainer, "_train_step", step_and_signal)
    assert train("sagittal", tmp_path, "--steps", 50) == 3
    captured = capsys.readouterr()
    said = one_sentence(captured.err)
    assert not captured.out
    assert f"stopped at step 1; its weights so far are {tmp_path}/sagittal.safetensors" in said
    assert "--resume" in said
    state = json.loads((tmp_path / "checkpoint" / "state.json").read_text())
    assert state["step"] == 1 and not state["finished"]
    assert load_network("sagittal", tmp_path)[1].metadata["steps"] == "1"


def test_a_signal_during_the_last_validation_is_heard(train, tmp_path, capsys, monkeypatch):
    measured: list[int] = []

    def measure_and_signal(self, output, targets):
        measured.append(1)
        os.kill(os.getpid(), signal.SIGTERM)
        return {"exact": 1.0}

    monkeypatch.setattr(SagittalTask, "measure", measure_and_signal)
    assert train("sagittal", tmp_path, "--validation-samples", 5) == 3
    assert len(measured) == 1 and not capsys.readouterr().out
    monkeypatch.undo()
    assert train("sagittal", tmp_path, "--resume") == 0
    assert "cells_found" in capsys.readouterr().out


def test_a_signal_before_the_first_step_says_what_was_cancelled(
    train, tmp_path, capsys, monkeypatch
):
    def signalled(self, task, config):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Trainer, "__init__", signalled)
    assert train("sagittal", tmp_path) == 3
    assert one_sentence(capsys.readouterr().err) == "The training was cancelled."


def test_train_all_ends_as_cancelled_and_goes_on_to_no_other_network(train, tmp_path, monkeypatch):
    begun: list[str] = []

    def step_and_stop(self):
        begun.append(self.task.name)
        os.kill(os.getpid(), signal.SIGINT)
        return {}

    monkeypatch.setattr(Trainer, "_train_step", step_and_stop)
    assert train("all", tmp_path, "--steps", 5) == 3
    assert begun == ["locnet"]
    # Nothing half trained is used, where a whole network is bundled.
    assert available_networks(tmp_path) == ()
    assert available_networks(tmp_path / "locnet") == ("locnet",)


def test_processes_that_draw_samples_outlive_a_signal_to_the_whole_job(bank):
    plan = SamplePlan(PhantomMaskSource(bank), 0, replay_size=0)
    feeder = SampleFeeder(plan, workers=1, prefetch=2)
    try:
        feeder.next()
        (pid,) = feeder._pool._processes
        for number in HANDLED:
            os.kill(pid, number)
        assert all(feeder.next()[0] for _ in range(4))
    finally:
        feeder.close()
