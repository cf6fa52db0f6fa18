"""Network weights on disk: safetensors with their architecture inside, and a checksum beside.

`models.json` in the models folder names each network's file and its sha256. Nothing is ever
unpickled: a weights file holds numbers and a JSON header, and the header can only name a registered
architecture.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import nn

from vertebra_core.errors import OutputError, WeightsError
from vertebra_core.networks.registry import ARCHITECTURES, architecture_of, build_network

MODELS_FOLDER = Path(__file__).resolve().parents[1] / "Resources" / "Models"
"""Where the bundled weights lie."""

INDEX_NAME = "models.json"

_FLOAT16_MAX = 65504.0
_MAX_HEADER_BYTES = 10_000_000
_REINSTALL = "Install the extension again, or name a folder with whole weights."


@dataclass(frozen=True)
class WeightsRecord:
    """Where a network's weights came from.

    Attributes
    ----------
    name : str
        Name of the network.
    file : str
        File name.
    sha256 : str
        Of the file that was loaded.
    metadata : dict of str to str
        The file's header: ``architecture``, ``config`` (JSON) and what training wrote.
    """

    name: str
    file: str
    sha256: str
    metadata: dict[str, str]


def save_weights(
    network: nn.Module, path: Path | str, metadata: Mapping[str, object] | None = None
) -> str:
    """Write a network's weights.

    Matrices and kernels are stored as float16, which halves the file and changes outputs by less
    than bfloat16 arithmetic does. Vectors (biases, normalisation) stay float32: they are few, and
    running variances may lie outside the range of float16. The file appears whole or not at all.

    Parameters
    ----------
    network : Module
        Of a registered architecture, with a ``config()`` method.
    path : Path or str
        ``NAME.safetensors``.
    metadata : mapping, optional
        Further entries of the header; values that are not strings are stored as JSON.

    Returns
    -------
    str
        The file's sha256.

    Raises
    ------
    KeyError
        If the architecture is not registered.
    ValueError
        If a weight is not finite or too large for float16.
    OutputError
        ``not_writable``.
    """
    header = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in (metadata or {}).items()
    }
    header["architecture"] = architecture_of(network)
    header["config"] = json.dumps(network.config(), sort_keys=True)
    tensors = {key: _stored(key, value) for key, value in network.state_dict().items()}
    data = _with_sorted_header(save_safetensors(tensors, header))
    _write_whole(Path(path), data)
    return hashlib.sha256(data).hexdigest()


def register_weights(path: Path | str, card: str | None = None) -> WeightsRecord:
    """Enter a weights file into the index of its folder, under its name without suffix.

    Parameters
    ----------
    path : Path or str
        ``NAME.safetensors`` in a models folder.
    card : str, optional
        File name of the model card in the same folder.
    """
    path = Path(path)
    _, record = load_weights_file(path)
    index_path = path.parent / INDEX_NAME
    index = json.loads(index_path.read_text("utf-8")) if index_path.exists() else {}
    entry = {
        "file": path.name,
        "sha256": record.sha256,
        "architecture": record.metadata["architecture"],
        "config": json.loads(record.metadata["config"]),
    }
    index[path.stem] = entry if card is None else {**entry, "card": card}
    text = json.dumps(dict(sorted(index.items())), indent=2) + "\n"
    _write_whole(index_path, text.encode("utf-8"))
    return record


def available_networks(models_folder: Path | None = None) -> tuple[str, ...]:
    """Names in the index of a models folder, sorted; empty without an index."""
    folder = Path(models_folder or MODELS_FOLDER)
    return tuple(sorted(_index(folder))) if (folder / INDEX_NAME).exists() else ()


def load_network(
    name: str,
    models_folder: Path | str | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> tuple[nn.Module, WeightsRecord]:
    """Load a network by name, after comparing its file with the checksum in the index.

    Parameters
    ----------
    name : str
    models_folder : Path or str, optional
        By default the bundled `MODELS_FOLDER`.
    device : device or str
    dtype : dtype
        Of the weights in use.

    Returns
    -------
    network : Module
        In evaluation mode, without gradients.
    record : WeightsRecord

    Raises
    ------
    WeightsError
        ``weights_missing``, ``weights_altered``, ``weights_unreadable`` or ``weights_unfit``.
    """
    folder = Path(models_folder or MODELS_FOLDER)
    entry = _index(folder).get(name)
    if entry is None:
        raise WeightsError(
            "weights_missing", f"There is no network '{name}' in {folder}.", _REINSTALL
        )
    if Path(entry["file"]).name != entry["file"]:
        raise WeightsError(
            "weights_unreadable", f"{folder / INDEX_NAME} points outside its folder.", _REINSTALL
        )
    return load_weights_file(folder / entry["file"], device, dtype, entry["sha256"], name)


def load_weights_file(
    path: Path | str,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    expected_sha256: str | None = None,
    name: str | None = None,
) -> tuple[nn.Module, WeightsRecord]:
    """Load a network from a weights file; see `load_network`.

    Parameters
    ----------
    expected_sha256 : str, optional
        Compared with the file before anything else is read from it.
    name : str, optional
        By default the file's name without suffix.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            "weights_missing", f"The weights {path} cannot be read.", _REINSTALL
        ) from error
    sha256 = hashlib.sha256(data).hexdigest()
    if expected_sha256 is not None and sha256 != expected_sha256:
        raise WeightsError(
            "weights_altered",
            f"The weights {path.name} are not the original ones (sha256 {sha256[:12]}..., expected "
            f"{expected_sha256[:12]}...).",
            _REINSTALL,
        )
    network, metadata = _rebuilt(path, data)
    network = network.to(device=device, dtype=dtype).eval().requires_grad_(False)
    return network, WeightsRecord(name or path.stem, path.name, sha256, metadata)


def _stored(key: str, tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach().cpu()
    if not tensor.is_floating_point():
        return tensor.clone().contiguous()
    if not torch.isfinite(tensor).all():
        raise ValueError(f"weight {key} is not finite")
    if tensor.dim() < 2:
        return tensor.to(torch.float32).clone().contiguous()
    if tensor.abs().max() > _FLOAT16_MAX:
        raise ValueError(f"weight {key} is too large for float16")
    # Channels-last kernels are contiguous only in their own order.
    return tensor.to(torch.float16).contiguous().clone(memory_format=torch.contiguous_format)


def _write_whole(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".partial")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(
            "not_writable", f"{path} cannot be written: {error.strerror}.", "Choose another folder."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _index(folder: Path) -> dict[str, dict]:
    path = folder / INDEX_NAME
    try:
        index = json.loads(path.read_text("utf-8"))
        well_formed = all(
            isinstance(e["file"], str) and len(e["sha256"]) == 64 for e in index.values()
        )
    except OSError as error:
        raise WeightsError(
            "weights_missing", f"The folder {folder} holds no {INDEX_NAME}.", _REINSTALL
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError):
        well_formed = False
    if not well_formed:
        raise WeightsError("weights_unreadable", f"{path} is damaged.", _REINSTALL)
    return index


def _rebuilt(path: Path, data: bytes) -> tuple[nn.Module, dict[str, str]]:
    try:
        metadata = _header(data)
        tensors = load_safetensors(data)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            "weights_unreadable", f"{path.name} is damaged or no safetensors file.", _REINSTALL
        ) from error
    architecture = metadata.get("architecture", "")
    if architecture not in ARCHITECTURES:
        raise WeightsError(
            "weights_unfit",
            f"{path.name} is for an unknown architecture '{architecture}'.",
            "The weights belong to another version of the program.",
        )
    try:
        network = build_network(architecture, json.loads(metadata["config"]))
        network.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            "weights_unfit",
            f"The weights in {path.name} do not fit the architecture {architecture}.",
            "The weights belong to another version of the program.",
        ) from error
    return network, metadata


def _header(data: bytes) -> dict[str, str]:
    return dict(_split(data)[0]["__metadata__"])


def _with_sorted_header(data: bytes) -> bytes:
    # The library writes its entries in random order, and equal weights should have equal sums.
    header, tensors = _split(data)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + tensors


def _split(data: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(_MAX_HEADER_BYTES, len(data) - 8):
        raise ValueError("no safetensors header")
    return json.loads(data[8 : 8 + length]), data[8 + length :]
