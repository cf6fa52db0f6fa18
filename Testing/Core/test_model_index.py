"""The index of a folder of weights: what it names, what is bundled, and what is nowhere."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn
from vertebra_core import model_index
from vertebra_core.command_line import make_parser
from vertebra_core.commands.train import TRAININGS
from vertebra_core.errors import WeightsError
from vertebra_core.models import (
    INDEX_NAME,
    available_networks,
    load_network,
    register_weights,
    save_weights,
)
from vertebra_core.networks.registry import build_network
from vertebra_core.training.task import TrainingTask

SMALL = {"in_channels": 1, "out_channels": 2, "widths": [8, 16]}

bundled = pytest.mark.skipif(not available_networks(), reason="no bundled weights yet")


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return build_network("SubpixelUNet", SMALL)


@pytest.fixture
def folder(tmp_path, network) -> Path:
    save_weights(network, tmp_path / "net.safetensors")
    register_weights(tmp_path / "net.safetensors", card="net.md")
    return tmp_path


def test_the_index_lists_networks_and_their_cards(folder, network):
    save_weights(network, folder / "another.safetensors")
    register_weights(folder / "another.safetensors")
    assert available_networks(folder) == ("another", "net")
    index = json.loads((folder / INDEX_NAME).read_text())
    assert index["net"]["card"] == "net.md"
    assert index["net"]["config"]["widths"] == [8, 16]


def test_weights_entered_later_leave_the_index_as_it_was(folder, network):
    before = json.loads((folder / INDEX_NAME).read_text())
    for name in ("a", "b"):
        save_weights(network, folder / f"{name}.safetensors", {"steps": name})
        register_weights(folder / f"{name}.safetensors")
    # Trained on, a network replaces its own entry alone.
    sha256 = save_weights(network, folder / "a.safetensors", {"steps": "more"})
    register_weights(folder / "a.safetensors")
    index = json.loads((folder / INDEX_NAME).read_text())
    assert list(index) == ["a", "b", "net"] and index["net"] == before["net"]
    assert index["a"]["sha256"] == sha256


def test_nothing_is_entered_into_a_damaged_index(folder):
    (folder / INDEX_NAME).write_text("{")
    with pytest.raises(WeightsError, match="damaged"):
        register_weights(folder / "net.safetensors")
    assert (folder / INDEX_NAME).read_text() == "{"


@bundled
def test_what_a_folder_lacks_comes_from_the_bundled_weights(folder, network):
    save_weights(network, folder / "locnet.safetensors")
    register_weights(folder / "locnet.safetensors")
    own = load_network("locnet", folder)[1].sha256
    assert own == hashlib.sha256((folder / "locnet.safetensors").read_bytes()).hexdigest()
    assert load_network("grading", folder)[1] == load_network("grading")[1]
    assert load_network("locnet")[1].sha256 != own


@bundled
@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"other")])
def test_weights_that_a_folder_names_are_not_replaced_by_bundled_ones(spoil, folder, network):
    save_weights(network, folder / "locnet.safetensors")
    register_weights(folder / "locnet.safetensors")
    spoil(folder / "locnet.safetensors")
    with pytest.raises(WeightsError, match=r"locnet\.safetensors"):
        load_network("locnet", folder)


def test_the_package_alone_says_where_weights_are_to_be_had(tmp_path):
    assert model_index.restoring_hint() == "Install the extension again."
    hint = model_index.restoring_hint(tmp_path / "site-packages" / "Resources" / "Models")
    assert "pip install -e ." in hint and "--models" in hint and "extension" not in hint


def test_the_package_lists_its_files_that_are_no_code():
    repository = Path(model_index.__file__).parents[2]
    listed = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))
    told = listed["tool"]["setuptools"]["package-data"]
    core = Path(model_index.__file__).parent
    found = {p for p in core.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
    assert found == {
        path
        for package, patterns in told.items()
        for pattern in patterns
        for path in core.parent.joinpath(*package.split(".")).glob(pattern)
    }


@bundled
def test_a_folder_without_an_index_is_none_of_weights(tmp_path):
    for wrong, told in ((tmp_path, "holds no models.json"), (tmp_path / "none", "no folder")):
        with pytest.raises(WeightsError, match=told) as caught:
            load_network("locnet", wrong)
        assert "--out" in caught.value.hint


@bundled
def test_a_folder_of_a_training_that_is_not_over_names_where_its_weights_are(tmp_path, network):
    for name in ("locnet", "segmentation"):
        (tmp_path / name).mkdir()
        save_weights(network, tmp_path / name / f"{name}.safetensors")
        register_weights(tmp_path / name / f"{name}.safetensors")
        (tmp_path / "label_cache").mkdir(exist_ok=True)
        with pytest.raises(WeightsError, match=r"holds no models\.json yet") as caught:
            load_network("locnet", tmp_path)
        assert str(tmp_path / name) in caught.value.hint and "--resume" in caught.value.hint
        assert "label_cache" not in str(caught.value)


@bundled
def test_a_network_that_is_nowhere_is_told_with_those_there_are(folder):
    for name in ("fracture", "locnot"):
        with pytest.raises(WeightsError, match=f"no network '{name}' in") as caught:
            load_network(name, folder)
        assert {"net", "locnet", "grading"} <= set(re.findall(r"\w+", caught.value.hint))


def test_the_hint_for_a_network_that_is_nowhere_is_the_training_that_makes_it(monkeypatch, folder):
    monkeypatch.setattr(model_index, "MODELS_FOLDER", folder)
    parser = make_parser()
    for network in TRAININGS.keys() - {"all"}:
        words = ["train", network, "--out", "W", "--steps", "1", "--bank", "B"]
        args = parser.parse_args(words)
        # The name under which the training would write its weights.
        (task,) = [
            t
            for t in vars(import_module(args.train.__module__)).values()
            if isinstance(t, type) and issubclass(t, TrainingTask) and t is not TrainingTask
        ]
        name = task(args.config_from(args)).name
        with pytest.raises(WeightsError) as caught:
            load_network(name, folder)
        said = re.search(r"`(train [^`]+)`", caught.value.hint).group(1).replace("FOLDER", "W")
        again = parser.parse_args([*said.split(), *words[4:]])
        assert task(again.config_from(again)).name == name
