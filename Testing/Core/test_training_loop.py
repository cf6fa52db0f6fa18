"""Training: plan, feeder, checkpoints that resume exactly, logs; on a tiny bank of toy scenes."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from toy_bank import kept_tensors
from vertebra_core.errors import Cancelled, InputError
from vertebra_core.models import load_weights_file
from vertebra_core.phantom.codes import BODY_BIT, Tissue
from vertebra_core.phantom.scene import PhantomScene, PhantomVertebra, encode_sdf, save_scene
from vertebra_core.training.bank import SceneBank, is_held_aside
from vertebra_core.training.feeder import SampleFeeder
from vertebra_core.training.localisation_samples import PhantomLocalisationSource
from vertebra_core.training.loop import Trainer
from vertebra_core.training.plan import SamplePlan
from vertebra_core.training.segmentation_samples import (
    JITTER_MAX_MM,
    PhantomSegmentationSource,
    draw_jitter,
)
from vertebra_core.training.sources import MixedSource
from vertebra_core.training.stopping import TrainingStopped
from vertebra_core.training.task import TrainingConfig
from vertebra_core.training.train_localisation import (
    LocalisationConfig,
    LocalisationTask,
    train_localisation,
)
from vertebra_core.training.train_segmentation import (
    SegmentationConfig,
    SegmentationTask,
    train_segmentation,
)

HALF_MM = np.array([9.0, 11.0, 14.0])
CROP = (24, 40, 40)
BLOCK = (32, 32, 32)
WIDTHS = (8, 16)


def toy_scene(seed: int) -> PhantomScene:
    """Three boxes with an arch behind them, in muscle."""
    spacing, shape = 2.0, (48, 44, 40)
    z, y, x = np.indices(shape) * spacing
    labels = np.zeros(shape, np.uint8)
    distance = np.full(shape, 16.0)
    truths = []
    for i, number in enumerate((20, 21, 22)):
        center = np.array([76.0 - 28 * i, 32.0, 40.0 + seed % 3])
        offsets = np.stack([z, y, x]) - center[:, None, None, None]
        body = (np.abs(offsets) - HALF_MM[:, None, None, None]).max(0)
        behind = offsets - np.array([0, 26, 0]).reshape(3, 1, 1, 1)
        arch = (np.abs(behind) - np.array([5, 16, 4]).reshape(3, 1, 1, 1)).max(0)
        near = np.minimum(body, arch) < np.minimum(distance, 2.0)
        labels[near] = np.where(body < arch, number | BODY_BIT, number)[near]
        distance = np.minimum(distance, np.minimum(body, arch))
        truths.append(
            PhantomVertebra(
                level=number,
                center_zyx_mm=tuple(center),
                axes_zyx=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
                height_anterior_mm=18.0,
                height_middle_mm=18.0,
                height_posterior_mm=18.0,
                intact_heights_mm=(18.0, 18.0, 18.0),
                width_mm=28.0,
                depth_mm=22.0,
                grade=0,
                shape="normal",
                trabecular_hu=150.0,
            )
        )
    tissue = np.full(shape, Tissue.MUSCLE, np.uint8)
    tissue[:, :4] = Tissue.AIR
    return PhantomScene(spacing, labels, encode_sdf(distance), tissue, tuple(truths), seed)


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bank")
    for seed in (1, 2, 19):
        save_scene(toy_scene(seed), folder / f"scene_{seed:08d}.npy")
    return folder


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def configuration(out: Path, steps: int = 6, **changes) -> TrainingConfig:
    defaults = {
        "steps": steps,
        "replay_size": 5,
        "workers": 0,
        "validation_samples": 1,
        "validate_every": 0,
        "log_every": 2,
        "checkpoint_every": 100,
        "warmup_steps": 2,
        "tensorboard": False,
        "keep_memory": False,
        "device": "cpu",
    }
    return TrainingConfig(out=out, **(defaults | changes))


def segmentation(bank: Path, training: TrainingConfig) -> SegmentationConfig:
    return SegmentationConfig(training, bank, crop_shape=CROP, widths=WIDTHS)


def localisation(bank: Path, training: TrainingConfig) -> LocalisationConfig:
    return LocalisationConfig(training, bank, block_shape=BLOCK, widths=WIDTHS)


def trainer(kind: str, bank: Path, training: TrainingConfig) -> Trainer:
    if kind == "segmentation":
        return Trainer(SegmentationTask(segmentation(bank, training)), training)
    return Trainer(LocalisationTask(localisation(bank, training)), training)


def stop_after(run: Trainer, step: int) -> None:
    take_step = run._train_step

    def take_step_and_stop():
        parts = take_step()
        if run.step == step:
            run.stop()
        return parts

    run._train_step = take_step_and_stop


@pytest.mark.parametrize(
    ("kind", "hard_share"), [("segmentation", 0.0), ("segmentation", 0.8), ("locnet", 0.0)]
)
def test_resumed_run_ends_with_the_very_same_weights(kind, hard_share, bank, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trainer(kind, bank, configuration(whole, hard_share=hard_share)).run()
    interrupted = trainer(kind, bank, configuration(parts, hard_share=hard_share))
    stop_after(interrupted, 4)
    with pytest.raises(TrainingStopped, match="step 4"):
        interrupted.run()
    assert interrupted.step == 4
    trainer(kind, bank, configuration(parts, hard_share=hard_share, resume=True)).run()
    expected, found = kept_tensors(whole), kept_tensors(parts)
    assert expected.keys() == found.keys()
    assert [k for k in expected if not torch.equal(expected[k], found[k])] == []
    start = trainer(kind, bank, configuration(tmp_path / "start")).network.state_dict()
    moved = [k for k, v in start.items() if not torch.equal(v, expected[f"network/{k}"])]
    assert len(moved) == len(start)


@pytest.mark.parametrize(
    ("train", "config", "name"),
    [
        (train_segmentation, segmentation, "segmentation"),
        (train_localisation, localisation, "locnet"),
    ],
)
def test_training_writes_weights_logs_and_figures(train, config, name, bank, tmp_path):
    figures = train(config(bank, configuration(tmp_path, steps=4)))
    assert figures and all(np.isfinite(v) for v in figures.values())
    network, record = load_weights_file(tmp_path / f"{name}.safetensors")
    assert record.metadata["steps"] == "4"
    assert network.config()["widths"] == list(WIDTHS)
    rows = list(csv.DictReader((tmp_path / "training.csv").open()))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert all(np.isfinite(float(row["loss"])) for row in rows)
    assert (tmp_path / "validation.csv").exists()


def test_a_training_without_a_case_held_aside_warns_of_it_at_the_start(bank, tmp_path, caplog):
    trainer("segmentation", bank, configuration(tmp_path / "measured"))
    assert "held aside" not in caplog.text
    lone = tmp_path / "bank"
    lone.mkdir()
    shutil.copyfile(next(bank.glob("*01.npy")), lone / "scene_00000001.npy")
    silent = configuration(tmp_path / "silent", validation_samples=0)
    trainer("segmentation", lone, silent)
    assert "held aside" not in caplog.text
    trainer("segmentation", lone, configuration(tmp_path / "out"))
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "no case is held aside" in warning and "at least 20 phantoms" in warning


def test_training_learns_the_toy(bank, tmp_path):
    changes = {"learning_rate": 3e-3, "replay_size": 8, "replay_share": 0.9, "log_every": 10}
    training = configuration(tmp_path, steps=40, **changes)
    trainer("segmentation", bank, training).run()
    losses = [float(r["loss"]) for r in csv.DictReader((tmp_path / "training.csv").open())]
    assert losses[-1] < 0.8 * losses[0]


def test_saved_weights_are_the_moving_average(bank, tmp_path):
    trainer("segmentation", bank, configuration(tmp_path, steps=3)).run()
    saved, checkpoint = load_file(tmp_path / "segmentation.safetensors"), kept_tensors(tmp_path)
    for name, value in saved.items():
        # Kernels are stored as float16.
        assert torch.allclose(value.float(), checkpoint[f"average/{name}"], rtol=2e-3, atol=1e-4)
    assert not torch.equal(checkpoint["average/head.weight"], checkpoint["network/head.weight"])


def test_checkpoint_is_plain_numbers_and_text(bank, tmp_path):
    trainer("locnet", bank, configuration(tmp_path, steps=2)).run()
    files = sorted(p.name for p in (tmp_path / "checkpoint").iterdir())
    assert files == ["state.json", "tensors.safetensors"]
    state = json.loads((tmp_path / "checkpoint" / "state.json").read_text())
    assert state["step"] == 2
    with safe_open(tmp_path / "checkpoint" / "tensors.safetensors", "pt") as file:
        assert any(key.startswith("optimiser/0/exp_avg") for key in file.keys())  # noqa: SIM118


def test_checkpoint_cut_off_while_replacing_is_recovered(bank, tmp_path):
    trainer("segmentation", bank, configuration(tmp_path, steps=2)).run()
    (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")
    (tmp_path / "checkpoint.new").mkdir()
    again = trainer("segmentation", bank, configuration(tmp_path, steps=4, resume=True))
    assert again.step == 2
    again.run()
    assert again.step == 4


def test_another_network_begins_beside_the_checkpoint_that_is_there(bank, tmp_path):
    trainer("segmentation", bank, configuration(tmp_path, steps=1)).run()
    before = kept_tensors(tmp_path)
    other = trainer("locnet", bank, configuration(tmp_path, steps=1, resume=True))
    assert other.step == 0
    other.run()
    assert all(torch.equal(v, before[k]) for k, v in kept_tensors(tmp_path).items())
    assert trainer("locnet", bank, configuration(tmp_path, resume=True)).step == 1


def test_termination_saves_a_checkpoint(bank, tmp_path):
    run = trainer("segmentation", bank, configuration(tmp_path, steps=50))
    take_step = run._train_step

    def take_step_and_signal():
        if run.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return take_step()

    run._train_step = take_step_and_signal
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Cancelled) as told:
        run.run()
    assert told.value.exit_code == 3 and run.step == 3
    assert json.loads((tmp_path / "checkpoint" / "state.json").read_text())["step"] == 3
    assert signal.getsignal(signal.SIGTERM) is before


def test_steps_with_a_loss_that_is_not_finite_are_left_out(bank, tmp_path):
    run = trainer("segmentation", bank, configuration(tmp_path, steps=2))
    before = {k: v.clone() for k, v in run.network.state_dict().items()}
    run.task.loss = lambda output, targets: (output.sum() * float("nan"), {})
    assert run._train_step() == {}
    assert all(torch.equal(v, before[k]) for k, v in run.network.state_dict().items())


def test_log_of_a_cut_off_run_is_shortened_on_resume(bank, tmp_path):
    trainer("segmentation", bank, configuration(tmp_path, steps=2)).run()
    log = tmp_path / "training.csv"
    row = log.read_text().splitlines()[1].split(",")
    log.write_text(log.read_text() + ",".join(["4", *row[1:]]) + "\n")
    trainer("segmentation", bank, configuration(tmp_path, steps=4, resume=True)).run()
    steps = [r["step"] for r in csv.DictReader(log.open())]
    assert steps == ["2", "4"]


def test_length_of_the_schedule_must_be_said(bank, tmp_path):
    with pytest.raises(ValueError, match="steps or minutes"):
        trainer("segmentation", bank, TrainingConfig(out=tmp_path))
    for wrong in ({"steps": 0}, {"steps": -2}, {"steps": None, "minutes": 0.0}):
        with pytest.raises(ValueError, match="above 0"):
            trainer("segmentation", bank, configuration(tmp_path / "out", **wrong))
    assert not (tmp_path / "out").exists()


def test_schedule_in_minutes_ends(bank, tmp_path):
    training = configuration(tmp_path, steps=None, minutes=0.005)
    run = trainer("segmentation", bank, training)
    run.run()
    assert run.step >= 1 and run.seconds >= 0.3


def test_schedule_in_processor_time_does_not_count_waiting(bank, tmp_path, monkeypatch):
    run = trainer("segmentation", bank, configuration(tmp_path, steps=None, cpu_minutes=0.003))
    step, waited = run._train_step, []

    def late_step():
        started = time.monotonic()
        time.sleep(0.3)
        waited.append(time.monotonic() - started)
        return step()

    monkeypatch.setattr(run, "_train_step", late_step)
    started = time.monotonic()
    run.run()
    assert run.seconds >= 0.18
    assert run.seconds <= time.monotonic() - started - 0.9 * sum(waited)


def test_samples_are_the_same_whoever_draws_them(bank):
    source = PhantomSegmentationSource(bank, shape_zyx=CROP)
    here = SampleFeeder(SamplePlan(source, 5, replay_size=4))
    elsewhere = SampleFeeder(SamplePlan(source, 5, replay_size=4), workers=1, prefetch=3)
    try:
        for _ in range(6):
            (a, a_replay), (b, b_replay) = here.next(), elsewhere.next()
            assert a_replay == b_replay
            assert all(torch.equal(a[k], b[k]) for k in a)
    finally:
        elsewhere.close()


def test_plan_goes_on_where_it_was(bank):
    source = PhantomSegmentationSource(bank, shape_zyx=CROP)
    plan = SamplePlan(source, 3, replay_size=6)
    for _ in range(20):
        plan.next()
    other = SamplePlan(source, 3, replay_size=6)
    other.restore(json.loads(json.dumps(plan.state())))
    assert [plan.next() for _ in range(20)] == [other.next() for _ in range(20)]


def test_plan_goes_on_without_a_case_that_was_removed(bank, tmp_path):
    for path in bank.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    plan = SamplePlan(PhantomSegmentationSource(tmp_path), 3, replay_size=6)
    assert "scene_00000002.npy" in {plan.next()[0].name for _ in range(20)}
    other = SamplePlan(PhantomSegmentationSource(tmp_path), 3, replay_size=6)
    for path in tmp_path.glob("scene_00000002*"):
        path.unlink()
    other.restore(plan.state())
    assert {other.next()[0].name for _ in range(20)} == {"scene_00000001.npy"}


def test_plan_replays_about_the_share_it_is_told(bank):
    plan = SamplePlan(PhantomSegmentationSource(bank), 0, replay_size=10, replay_share=0.5)
    replays = [plan.next()[1] for _ in range(300)]
    assert 0.4 < np.mean(replays) < 0.6
    none = SamplePlan(PhantomSegmentationSource(bank), 0, replay_size=0)
    assert not any(none.next()[1] for _ in range(20))


def test_hard_samples_are_replayed_more_often_and_the_plan_resumes_with_them(bank):
    source = PhantomSegmentationSource(bank, shape_zyx=CROP)
    plan = SamplePlan(source, 0, replay_size=10, replay_share=0.8, hard_share=0.7)

    def go_on(plan, n):
        drawn = []
        for _ in range(n):
            key, replay = plan.next()
            # Every third sample is four times as hard.
            plan.report([key.seed], 4.0 if key.seed % 3 == 0 else 1.0)
            drawn.append((key, replay))
        return drawn

    go_on(plan, 100)
    other = SamplePlan(source, 0, replay_size=10, replay_share=0.8, hard_share=0.7)
    other.restore(json.loads(json.dumps(plan.state())))
    drawn = go_on(plan, 1000)
    assert drawn == go_on(other, 1000)
    replayed = [key.seed % 3 == 0 for key, replay in drawn if replay]
    # Of ten samples three or four are hard: half of the weight is theirs, at 0.7 of the draws.
    assert 0.45 < np.mean(replayed) < 0.7
    assert len(plan.losses) <= 2 * plan.replay_size


def test_without_a_share_of_hard_samples_losses_change_nothing(bank):
    source = PhantomSegmentationSource(bank, shape_zyx=CROP)
    told, other = (SamplePlan(source, 0, replay_size=10) for _ in range(2))
    for _ in range(60):
        key, _ = told.next()
        told.report([key.seed], float(key.seed))
        other.next()
    assert told.state() == other.state()


def test_training_reports_losses_where_hard_samples_are_preferred(bank, tmp_path):
    run = trainer("segmentation", bank, configuration(tmp_path, steps=4, hard_share=0.5))
    run.run()
    assert len(run.plan.losses) > 1 and all(v > 0 for v in run.plan.losses.values())


def test_bank_notices_new_scenes_and_keeps_validation_apart(bank, tmp_path):
    for path in bank.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    plan = SamplePlan(PhantomSegmentationSource(tmp_path), 0, refresh_draws=5)
    seen = {plan.next()[0].name for _ in range(5)}
    assert seen <= {"scene_00000001.npy", "scene_00000002.npy"}
    save_scene(toy_scene(4), tmp_path / "scene_00000004.npy")
    seen = {plan.next()[0].name for _ in range(40)}
    assert "scene_00000004.npy" in seen
    assert SceneBank(tmp_path, validation=True).names() == ["scene_00000019.npy"]
    assert is_held_aside("scene_00000019.npy") and not is_held_aside("scene_00000020.npy")


def test_empty_bank_is_an_error(tmp_path):
    with pytest.raises(InputError, match="holds no scenes"):
        SamplePlan(PhantomSegmentationSource(tmp_path), 0).next()


def test_segmentation_target_lies_under_its_prior(bank):
    source = PhantomSegmentationSource(bank, shape_zyx=(56, 88, 64))
    on_spine = 0
    for seed in range(8):
        sample = source.draw("scene_00000001.npy", np.random.default_rng(seed))
        vertebra, body = sample["vertebra"].float() / 255, sample["body"].float() / 255
        assert (body <= vertebra + 0.01).all()
        if not vertebra.any():
            continue
        on_spine += 1
        points = torch.nonzero((body > 0.5) & sample["visible"]).float()
        if len(points) > 4000:
            distance = torch.linalg.vector_norm(points.mean(0) - sample["center"])
            assert distance < JITTER_MAX_MM + 3
    assert on_spine >= 5


def test_localisation_centres_lie_in_their_instances(bank):
    source = PhantomLocalisationSource(bank, shape_zyx=(64, 64, 64))
    checked = 0
    for seed in range(6):
        sample = source.draw("scene_00000002.npy", np.random.default_rng(seed))
        for center, number in zip(sample["centers"], sample["numbers"], strict=True):
            index = center.round()
            if number and ((index >= 0) & (index < 64)).all():
                checked += 1
                assert sample["instances"][tuple(index.int().tolist())] == number
    assert checked >= 6


def test_jitter_never_reaches_for_the_neighbour():
    rng = np.random.default_rng(0)
    lengths = [np.linalg.norm(draw_jitter(rng, 14.0)) for _ in range(200)]
    assert max(lengths) <= 0.35 * 14 + 1e-9
    lengths = [np.linalg.norm(draw_jitter(rng, 60.0)) for _ in range(500)]
    assert 4 < np.mean(lengths) < 6 and max(lengths) <= JITTER_MAX_MM + 1e-9


def test_sources_are_mixed_by_their_shares(bank):
    first, second = (PhantomSegmentationSource(bank, shape_zyx=CROP) for _ in range(2))
    mixed = MixedSource([first, second], [1.0, 3.0])
    rng = np.random.default_rng(0)
    chosen = [mixed.choose(mixed.names(), rng) for _ in range(400)]
    assert 0.68 < np.mean([name.startswith("1/") for name in chosen]) < 0.82
    a = mixed.draw("1/scene_00000001.npy", np.random.default_rng(4))
    b = second.draw("scene_00000001.npy", np.random.default_rng(4))
    assert all(torch.equal(a[k], b[k]) for k in a)
    with pytest.raises(ValueError, match="share"):
        MixedSource([first], [])


@pytest.mark.parametrize("kind", ["segmentation", "locnet"])
def test_flipping_a_sample_keeps_image_and_truth_together(kind, bank, tmp_path):
    """Targets made from a flipped sample are the flipped targets."""
    run = trainer(kind, bank, configuration(tmp_path))
    sample = run.plan.source.draw("scene_00000001.npy", np.random.default_rng(11))
    _, plain = run.task.prepare([sample], None)
    key = "truth" if kind == "segmentation" else "foreground"
    flipped = 0
    for seed in range(8):
        inputs, varied = run.task.prepare([sample], np.random.default_rng(seed))
        if torch.equal(varied[key], plain[key]):
            continue
        flipped += 1
        assert torch.equal(varied[key], plain[key].flip(-1))
        if kind == "segmentation":
            highest = int(inputs[0, 1].amax((0, 1)).argmax())
            assert abs(highest - (CROP[2] - 1 - float(sample["center"][2]))) < 3
        else:
            assert torch.allclose(varied["heat"], plain["heat"].flip(-1), atol=1e-4)
            offset = plain["offset"].flip(-1) * torch.tensor([1, 1, -1]).view(1, 3, 1, 1, 1)
            assert torch.allclose(varied["offset"], offset, atol=1e-3)
    assert flipped >= 1
