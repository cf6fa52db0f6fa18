"""Labelled scans as a source of samples: plain folders and VerSe's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from labelled_folder import CENTERS_LPS, write_plain_case, write_verse_subject
from toy_bank import quick_training
from vertebra_core.training.label_arguments import LabelledData
from vertebra_core.training.label_folders import (
    LabelledLocalisationSource,
    LabelledSegmentationSource,
)
from vertebra_core.training.labelled_scans import LabelledScans
from vertebra_core.training.loop import Trainer
from vertebra_core.training.task import TrainingConfig
from vertebra_core.training.train_localisation import LocalisationConfig, LocalisationTask
from vertebra_core.training.train_segmentation import SegmentationConfig, SegmentationTask


@pytest.fixture(scope="module")
def verse(tmp_path_factory) -> Path:
    """A VerSe download of one subject, stored in RAS axes."""
    root = tmp_path_factory.mktemp("verse")
    write_verse_subject(root, "sub-verse900")
    return root


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A folder of one case with a map of bodies, stored in LPS axes."""
    root = tmp_path_factory.mktemp("plain")
    write_plain_case(root, "case1")
    return root


def test_verse_scan_comes_onto_the_working_grid_with_its_centres(verse, tmp_path):
    scans = LabelledScans([verse], tmp_path, 1.0, validation=False)
    (name,) = scans.names()
    scan = scans.load(name)
    assert scan.bodies is None
    assert scan.numbers.tolist() == [20, 21, 22]
    origin_zyx = np.array([0.0, -40.0, -36.0])
    for number, center in zip(scan.numbers, scan.centers_zyx, strict=True):
        expected = np.array(CENTERS_LPS[int(number)])[::-1] - origin_zyx
        assert np.abs(center - expected).max() < 0.01
        assert scan.labels[tuple(np.rint(center).astype(int))] == number
    assert np.abs(scan.hu[scan.labels == 20].mean() - 450) < 60


def test_cache_is_used_again(plain, tmp_path, monkeypatch):
    scans = LabelledScans([plain], tmp_path, 2.0, validation=False)
    first = scans.load(scans.names()[0])
    monkeypatch.setattr(
        "vertebra_core.training.labelled_scans.load_case",
        lambda files: pytest.fail("the case was read again"),
    )
    again = LabelledScans([plain], tmp_path, 2.0, validation=False)
    second = again.load(again.names()[0])
    assert np.array_equal(first.labels, second.labels)


@pytest.mark.parametrize("layout", ["verse", "plain"])
def test_crops_hold_image_and_target_together(layout, request, tmp_path):
    folder = request.getfixturevalue(layout)
    source = LabelledSegmentationSource(
        [folder], tmp_path, shape_zyx=(64, 96, 80), split_bodies=False
    )
    found = 0
    for seed in range(8):
        sample = source.draw(source.names()[0], np.random.default_rng(seed))
        assert bool(sample["has_body"]) == (layout == "plain") or not sample["vertebra"].any()
        inside = (sample["vertebra"] > 200) & sample["visible"]
        if inside.sum() < 2000:
            continue
        found += 1
        assert sample["hu"][inside].float().mean() > 380
        points = torch.nonzero((sample["body"] if layout == "plain" else sample["vertebra"]) > 128)
        distance = torch.linalg.vector_norm(points.float().mean(0) - sample["center"])
        assert distance < (14 if layout == "plain" else 24)
        if layout == "plain":
            share = (sample["body"] > 128).sum() / (sample["vertebra"] > 128).sum()
            assert 0.6 < float(share) < 0.95
    assert found >= 4


def test_blocks_hold_centres_and_instances_together(verse, tmp_path):
    source = LabelledLocalisationSource([verse], tmp_path, shape_zyx=(64, 64, 64))
    checked = 0
    for seed in range(6):
        sample = source.draw(source.names()[0], np.random.default_rng(seed))
        for center, number in zip(sample["centers"], sample["numbers"], strict=True):
            index = center.round()
            if number and ((index >= 0) & (index < 64)).all():
                checked += 1
                assert sample["instances"][tuple(index.int().tolist())] == number
    assert checked >= 6


@pytest.mark.parametrize("kind", ["segmentation", "locnet"])
def test_networks_train_from_a_verse_download(kind, verse, tmp_path):
    training = TrainingConfig(
        out=tmp_path,
        steps=2,
        replay_size=0,
        workers=0,
        tensorboard=False,
        keep_memory=False,
        log_every=1,
        device="cpu",
    )
    if kind == "segmentation":
        config = SegmentationConfig(
            training, None, LabelledData((verse,)), crop_shape=(32, 48, 48), widths=(8, 16)
        )
        run = Trainer(SegmentationTask(config), training)
    else:
        config = LocalisationConfig(
            training, None, LabelledData((verse,)), block_shape=(32, 32, 32), widths=(8, 16)
        )
        run = Trainer(LocalisationTask(config), training)
    run.run()
    assert (tmp_path / f"{kind}.safetensors").exists()
    assert run.step == 2


def test_unknown_bodies_do_not_enter_the_loss(verse, tmp_path):
    training = TrainingConfig(out=tmp_path, steps=1)
    config = SegmentationConfig(
        training,
        None,
        LabelledData((verse,)),
        crop_shape=(32, 48, 48),
        widths=(8, 16),
        split_bodies=False,
    )
    task = SegmentationTask(config)
    source = task.source(validation=False)
    samples = [source.draw(source.names()[0], np.random.default_rng(seed)) for seed in range(4)]
    sample = next(s for s in samples if s["vertebra"].any())
    _, targets = task.prepare([sample], None)
    output = torch.zeros(1, 2, 32, 48, 48)
    other = output.clone()
    other[:, 1] = 7.0
    assert task.loss(output, targets)[0] == task.loss(other, targets)[0]
    other[:, 0] = 7.0
    assert task.loss(output, targets)[0] != task.loss(other, targets)[0]


def test_a_resumed_training_tells_of_cases_that_validate_now_but_were_trained_on(tmp_path, caplog):
    labels = tmp_path / "labels"
    labels.mkdir()
    write_plain_case(labels, "case1")

    def train(steps: int) -> None:
        training = quick_training(tmp_path / "out", steps, resume=True)
        config = LocalisationConfig(
            training, None, LabelledData((labels,)), block_shape=(32, 32, 32), widths=(8, 16)
        )
        Trainer(LocalisationTask(config), training).run()

    train(1)
    caplog.clear()
    # A single patient is trained on; of two, this one validates.
    write_plain_case(labels, "a")
    train(2)
    assert [r.message for r in caplog.records if r.levelname == "WARNING"] == [
        "1 of the cases that validate now were trained on before: figures will be too good"
    ]


def test_nothing_to_train_from_is_refused(tmp_path):
    task = SegmentationTask(SegmentationConfig(TrainingConfig(out=tmp_path, steps=1), None))
    with pytest.raises(ValueError, match="bank of scenes or a folder"):
        task.source(validation=False)
