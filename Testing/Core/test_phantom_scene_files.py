"""Scenes on disk that are damaged are told with their names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toy_bank import toy_bank
from vertebra_core.errors import InputError
from vertebra_core.phantom.scene import load_scene
from vertebra_core.training.bank import SceneBank


def cut(path: Path, left: int) -> None:
    path.write_bytes(path.read_bytes()[:left])


def without_truth(path: Path) -> None:
    path.with_suffix(".json").write_text(json.dumps({"spacing_mm": 1.0}))


def without_layers(path: Path) -> None:
    np.save(path, np.zeros((1, 4, 4, 4), np.uint8))


SPOILT = {
    "an empty array": lambda path: cut(path, 0),
    "half an array": lambda path: cut(path, 5000),
    "a broken truth": lambda path: cut(path.with_suffix(".json"), 40),
    "no truth": lambda path: path.with_suffix(".json").unlink(),
    "a truth of something else": without_truth,
    "an array of something else": without_layers,
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_damaged_scene_is_told_with_its_name(how, tmp_path):
    path = toy_bank(tmp_path) / "scene_00000001.npy"
    SPOILT[how](path)
    for load in (load_scene, lambda path: SceneBank(path.parent).load(path.name)):
        with pytest.raises(InputError, match=r"scene_00000001\.npy") as told:
            load(path)
        assert told.value.code == "scene_damaged" and told.value.hint
    assert load_scene(tmp_path / "scene_00000002.npy").seed == 2
