"""Weights on disk: whole, checked against their sum, never unpickled."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn
from vertebra_core.devices import bfloat16_is_fast, choose_device, set_threads
from vertebra_core.errors import InputError, OutputError, WeightsError
from vertebra_core.models import (
    INDEX_NAME,
    MODELS_FOLDER,
    available_networks,
    load_network,
    load_weights_file,
    register_weights,
    save_weights,
)
from vertebra_core.networks.registry import ARCHITECTURES, architecture_of, build_network

SMALL = {"in_channels": 1, "out_channels": 2, "widths": [8, 16], "attention": True}


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return build_network("SubpixelUNet", SMALL)


@pytest.fixture
def folder(tmp_path, network) -> Path:
    save_weights(network, tmp_path / "net.safetensors", {"steps": 1200, "note": "a test"})
    register_weights(tmp_path / "net.safetensors", card="net.md")
    return tmp_path


def change_index(folder: Path, change: Callable[[dict], None]) -> None:
    index = json.loads((folder / INDEX_NAME).read_text())
    change(index)
    (folder / INDEX_NAME).write_text(json.dumps(index))


def tamper(folder: Path) -> None:
    path = folder / "net.safetensors"
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)


def cut_short(folder: Path) -> None:
    path = folder / "net.safetensors"
    path.write_bytes(path.read_bytes()[:-500])


def pickled(folder: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, folder / "net.safetensors")
    accept_as_it_is(folder)


def bare_pickle(folder: Path) -> None:
    (folder / "net.safetensors").write_bytes(pickle.dumps({"weight": [1, 2, 3]}))
    accept_as_it_is(folder)


def accept_as_it_is(folder: Path) -> None:
    sha256 = hashlib.sha256((folder / "net.safetensors").read_bytes()).hexdigest()
    change_index(folder, lambda index: index["net"].update(sha256=sha256))


def with_header(folder: Path, change: Callable[[dict], None]) -> None:
    path = folder / "net.safetensors"
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    change(header["__metadata__"])
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    accept_as_it_is(folder)


BAD_WEIGHTS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "file missing": ("weights_missing", lambda f: (f / "net.safetensors").unlink()),
    "index missing": ("weights_missing", lambda f: (f / INDEX_NAME).unlink()),
    "not in the index": ("weights_missing", lambda f: change_index(f, lambda i: i.pop("net"))),
    "one bit changed": ("weights_altered", tamper),
    "cut short": ("weights_altered", cut_short),
    "empty": ("weights_altered", lambda f: (f / "net.safetensors").write_bytes(b"")),
    "wrong sum": (
        "weights_altered",
        lambda f: change_index(f, lambda i: i["net"].update(sha256="0" * 64)),
    ),
    "index damaged": ("weights_unreadable", lambda f: (f / INDEX_NAME).write_text("{")),
    "index without sums": (
        "weights_unreadable",
        lambda f: change_index(f, lambda i: i["net"].pop("sha256")),
    ),
    "index is a list": ("weights_unreadable", lambda f: (f / INDEX_NAME).write_text("[1]")),
    "index points elsewhere": (
        "weights_unreadable",
        lambda f: change_index(f, lambda i: i["net"].update(file="../net.safetensors")),
    ),
    "cut short, sum right": (
        "weights_unreadable",
        lambda f: (cut_short(f), accept_as_it_is(f)),
    ),
    "empty, sum right": (
        "weights_unreadable",
        lambda f: ((f / "net.safetensors").write_bytes(b""), accept_as_it_is(f)),
    ),
    "torch pickle": ("weights_unreadable", pickled),
    "pickle": ("weights_unreadable", bare_pickle),
    "unknown architecture": (
        "weights_unfit",
        lambda f: with_header(f, lambda m: m.update(architecture="os.system")),
    ),
    "other configuration": (
        "weights_unfit",
        lambda f: with_header(f, lambda m: m.update(config=json.dumps({**SMALL, "widths": [8]}))),
    ),
    "unknown configuration": (
        "weights_unfit",
        lambda f: with_header(f, lambda m: m.update(config='{"colour": 1}')),
    ),
}


@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_bad_weights_are_refused_with_one_sentence_and_a_hint(case, folder):
    code, spoil = BAD_WEIGHTS[case]
    spoil(folder)
    with pytest.raises(WeightsError) as caught:
        load_network("net", folder)
    assert (caught.value.code, caught.value.exit_code) == (code, 2)
    assert caught.value.message.endswith(".") and "\n" not in caught.value.message
    # Nothing is wrong with the extension.
    assert caught.value.hint.endswith(".") and "nstall" not in caught.value.hint


def test_a_pickle_is_never_run(folder):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (folder / "exploded",)

    stream = io.BytesIO()
    torch.save({"weight": Bomb()}, stream)
    for data in (pickle.dumps(Bomb()), stream.getvalue()):
        (folder / "net.safetensors").write_bytes(data)
        with pytest.raises(WeightsError):
            load_weights_file(folder / "net.safetensors")
    assert not (folder / "exploded").exists()


def test_a_network_comes_back_as_it_was_saved(folder, network):
    loaded, record = load_network("net", folder)
    assert type(loaded) is type(network)
    assert loaded.config() == network.config()
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    image = torch.randn(1, 1, 16, 16, 16)
    with torch.no_grad():
        expected = network.eval()(image)
        torch.testing.assert_close(loaded(image), expected, atol=0.005, rtol=0.01)
    assert (record.name, record.file) == ("net", "net.safetensors")
    data = (folder / "net.safetensors").read_bytes()
    assert record.sha256 == hashlib.sha256(data).hexdigest()
    assert record.metadata["steps"] == "1200"
    assert record.metadata["note"] == "a test"


def test_kernels_are_half_precision_on_disk_and_bfloat16_in_use_on_request(folder, network):
    n_weights = sum(p.numel() for p in network.parameters())
    assert (folder / "net.safetensors").stat().st_size < 2.3 * n_weights + 20_000
    loaded, _ = load_network("net", folder, dtype=torch.bfloat16)
    assert {p.dtype for p in loaded.parameters()} == {torch.bfloat16}


def test_saving_twice_gives_the_same_file(tmp_path, network):
    first = save_weights(network, tmp_path / "a.safetensors")
    second = save_weights(
        network.to(memory_format=torch.channels_last_3d), tmp_path / "b.safetensors"
    )
    assert first == second
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_weights_that_float16_cannot_hold_are_not_saved(tmp_path, network, value):
    with torch.no_grad():
        next(p for p in network.parameters() if p.dim() > 1).view(-1)[0] = value
    with pytest.raises(ValueError, match="finite|too large"):
        save_weights(network, tmp_path / "net.safetensors")
    assert not list(tmp_path.iterdir())


def test_an_unregistered_network_is_not_saved(tmp_path):
    with pytest.raises(KeyError):
        save_weights(nn.Conv3d(1, 1, 3), tmp_path / "net.safetensors")


def test_a_folder_that_is_not_there_is_an_output_error(tmp_path, network):
    with pytest.raises(OutputError) as caught:
        save_weights(network, tmp_path / "missing" / "net.safetensors")
    assert caught.value.code == "not_writable"


def test_every_registered_architecture_exists_and_tells_its_configuration():
    for name, module in ARCHITECTURES.items():
        network_class = getattr(import_module(module), name)
        assert issubclass(network_class, nn.Module)
        assert callable(network_class.config)


def test_a_class_of_the_same_name_from_elsewhere_is_not_registered():
    impostor = type("SubpixelUNet", (nn.Module,), {})()
    with pytest.raises(KeyError):
        architecture_of(impostor)


@pytest.mark.skipif(not available_networks(), reason="no bundled weights yet")
def test_bundled_weights_are_whole():
    total = 0
    for name in available_networks():
        _, record = load_network(name)
        total += (MODELS_FOLDER / record.file).stat().st_size
    assert total < 40e6


def test_the_automatic_device_is_one_that_computes():
    device = choose_device("auto")
    assert torch.ones(2, device=device).sum().item() == 2
    assert choose_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["tpu", "", "cuda:x", "gpu"])
def test_unknown_devices_are_refused(name):
    with pytest.raises(InputError) as caught:
        choose_device(name)
    assert caught.value.code == "unknown_device"


def test_devices_that_are_not_there_are_refused():
    with pytest.raises(InputError) as caught:
        choose_device("cuda:99")
    assert caught.value.code == "device_unavailable"


def test_the_card_that_computes_is_asked_whether_it_is_fast_in_bfloat16(monkeypatch):
    capability = {0: (7, 5), 1: (8, 0)}
    monkeypatch.setattr(
        torch.cuda, "get_device_capability", lambda device=None: capability[device.index or 0]
    )
    bfloat16_is_fast.cache_clear()
    try:
        assert [bfloat16_is_fast(name) for name in ("cuda:0", "cuda:1")] == [False, True]
        assert bfloat16_is_fast(torch.device("cuda", 1))
    finally:
        bfloat16_is_fast.cache_clear()


def test_the_number_of_threads_is_set_and_checked():
    before = torch.get_num_threads()
    try:
        assert set_threads(1) == 1
        assert torch.get_num_threads() == 1
        assert set_threads(None) >= 1
        with pytest.raises(InputError):
            set_threads(0)
        with pytest.raises(InputError):
            set_threads(100_000)
    finally:
        set_threads(before)
