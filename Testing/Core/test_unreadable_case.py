"""A case that cannot be read ends a training with all that was learnt, and it goes on exactly."""

from __future__ import annotations

import shutil

import pytest
import torch
from toy_bank import kept_tensors, quick_training, toy_bank
from vertebra_core.errors import InputError
from vertebra_core.training.loop import Trainer
from vertebra_core.training.train_segmentation import SegmentationConfig, SegmentationTask


def trainer(bank, out, **changes) -> Trainer:
    training = quick_training(out, steps=6, batch_size=2, replay_size=0, **changes)
    config = SegmentationConfig(training, bank, crop_shape=(16, 32, 32), widths=(8, 16))
    return Trainer(SegmentationTask(config), training)


def test_a_training_goes_on_from_the_step_before_a_case_that_could_not_be_read(tmp_path):
    whole, bank = tmp_path / "whole", tmp_path / "bank"
    whole.mkdir()
    toy_bank(whole)
    trainer(whole, tmp_path / "expected").run()
    shutil.copytree(whole, bank)
    run = trainer(bank, tmp_path / "out")
    taken = run._train_step

    def spoil_after_two_steps():
        parts = taken()
        if run.step == 2:
            # The scene that was read before is in memory; a copy under its name is not.
            for path in bank.glob("scene_*.npy"):
                path.write_bytes(path.read_bytes()[:-100])
            read_again()
        return parts

    run._train_step = spoil_after_two_steps
    with pytest.raises((InputError, ValueError), match="scene_"):
        run.run()
    assert run.step == 2 and (tmp_path / "out" / "segmentation.safetensors").exists()
    shutil.copytree(whole, bank, dirs_exist_ok=True)
    read_again()
    resumed = trainer(bank, tmp_path / "out", resume=True)
    assert resumed.step == 2
    resumed.run()
    expected, found = kept_tensors(tmp_path / "expected"), kept_tensors(tmp_path / "out")
    assert [k for k in expected if not torch.equal(expected[k], found[k])] == []


def read_again() -> None:
    """Forget the scenes that are in memory."""
    from vertebra_core.training import bank

    bank._load.cache_clear()
