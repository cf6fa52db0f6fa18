"""A bank of tiny scenes, one of them held aside, and a training of a few steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from toy_phantom import toy_scene
from vertebra_core.phantom.scene import PhantomScene, save_scene
from vertebra_core.training.task import TrainingConfig

BANK_SEEDS = (1, 2, 19)
"""Seed 19 is held aside for validation."""


def bank_scene(seed: int) -> PhantomScene:
    """L1-L3 as cylinders; L2 counts as a wedge of grade 2."""
    scene = toy_scene(1.5)
    fractured = replace(
        scene.vertebrae[1],
        grade=2,
        shape="wedge",
        height_anterior_mm=16.0,
    )
    vertebrae = (scene.vertebrae[0], fractured, scene.vertebrae[2])
    return replace(scene, vertebrae=vertebrae, seed=seed)


def toy_bank(folder: Path) -> Path:
    """Write the scenes of `BANK_SEEDS` to `folder`."""
    for seed in BANK_SEEDS:
        save_scene(bank_scene(seed), folder / f"scene_{seed:08d}.npy")
    return folder


def quick_training(out: Path, steps: int = 2, **changes) -> TrainingConfig:
    """Return a training of a few steps on one thread."""
    settings = {
        "steps": steps,
        "replay_size": 4,
        "workers": 0,
        "threads": 1,
        "validation_samples": 2,
        "validate_every": 0,
        "log_every": 1,
        "checkpoint_every": 100,
        "warmup_steps": 1,
        "tensorboard": False,
        "keep_memory": False,
        "device": "cpu",
    }
    return TrainingConfig(out=out, **(settings | changes))


def kept_tensors(out: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of the checkpoint of a training that writes to `out`."""
    return load_file(out / "checkpoint" / "tensors.safetensors")
