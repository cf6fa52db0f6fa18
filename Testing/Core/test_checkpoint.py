"""Checkpoints: what a full disk or a power cut leaves can be gone on from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from full_disk import room_for
from vertebra_core.errors import OutputError
from vertebra_core.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


def checkpoint(step: int, size: int = 10) -> Checkpoint:
    weights = {"w": torch.full((size, size), float(step))}
    moments = {0: {"exp_avg": weights["w"] + 1}}
    state = {"task": "toy", "step": step}
    average = {"w": weights["w"].clone()}
    return Checkpoint(weights, average, {"state": moments, "param_groups": [{"lr": 0.1}]}, state)


def test_a_checkpoint_that_does_not_fit_is_told_and_leaves_the_earlier_one(tmp_path):
    folder = tmp_path / "checkpoint"
    save_checkpoint(folder, checkpoint(1))
    with room_for(20_000), pytest.raises(OutputError) as told:
        save_checkpoint(folder, checkpoint(2, size=200))
    assert "checkpoint" in told.value.message and told.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint"]
    assert load_checkpoint(folder).state["step"] == 1


def test_a_checkpoint_that_may_not_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        save_checkpoint(tmp_path / "file" / "checkpoint", checkpoint(1))


def test_a_checkpoint_lies_on_the_disk_before_it_takes_the_place_of_the_earlier_one(
    tmp_path, monkeypatch
):
    synced: list[Path] = []
    sync, rename = os.fsync, Path.rename
    seen: dict[str, list[str]] = {}

    def note(number: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{number}")))
        sync(number)

    def rename_and_note(self: Path, target: Path) -> Path:
        seen[self.name] = [path.name for path in synced]
        return rename(self, target)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    save_checkpoint(tmp_path / "checkpoint", checkpoint(1))
    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(Path, "rename", rename_and_note)
    save_checkpoint(tmp_path / "checkpoint", checkpoint(2))
    assert {"tensors.safetensors", "state.json", "checkpoint.new"} <= set(seen["checkpoint"])
