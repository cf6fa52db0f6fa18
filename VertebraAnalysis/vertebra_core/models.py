"""Network weights on disk: safetensors with their architecture inside, and a checksum beside.

`models.json` in the models folder names each network's file and its sha256. What a folder of one's
own lacks comes from the bundled one. Nothing is ever unpickled: a weights file holds numbers and a
JSON header, and the header can only name a registered architecture.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from vertebra_core.errors import WeightsError
from vertebra_core.model_index import INDEX_NAME, MODELS_FOLDER, locate, read_index, restoring_hint
from vertebra_core.networks.registry import ARCHITECTURES, architecture_of, build_network
from vertebra_core.weights_file import from_bytes, to_bytes
from vertebra_core.whole_file import write_whole


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
    data = to_bytes(network.state_dict(), header)
    write_whole(Path(path), data, "The weights")
    return hashlib.sha256(data).hexdigest()


def register_weights(path: Path | str, card: str | None = None) -> WeightsRecord:
    """Enter a weights file into the index of its folder, under its name without suffix.

    What the index holds beside it stays.

    Parameters
    ----------
    path : Path or str
        ``NAME.safetensors`` in a models folder.
    card : str, optional
        File name of the model card in the same folder.

    Raises
    ------
    WeightsError
        If the weights cannot be loaded, or the index that is there cannot be read.
    OutputError
        ``not_writable``.
    """
    path = Path(path)
    _, record = load_weights_file(path)
    index_path = path.parent / INDEX_NAME
    index = read_index(path.parent) if index_path.exists() else {}
    entry = {
        "file": path.name,
        "sha256": record.sha256,
        "architecture": record.metadata["architecture"],
        "config": json.loads(record.metadata["config"]),
    }
    index[path.stem] = entry if card is None else {**entry, "card": card}
    text = json.dumps(dict(sorted(index.items())), indent=2) + "\n"
    write_whole(index_path, text.encode("utf-8"), "The weights")
    return record


def available_networks(models_folder: Path | None = None) -> tuple[str, ...]:
    """Names in the index of a models folder, sorted; empty without an index."""
    folder = Path(models_folder or MODELS_FOLDER)
    return tuple(sorted(read_index(folder))) if (folder / INDEX_NAME).exists() else ()


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
        By default the bundled `MODELS_FOLDER`, which also gives what another folder's index does
        not name: one who trains a single network uses it with the others as they are.
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
    path, sha256 = locate(name, Path(models_folder or MODELS_FOLDER))
    return load_weights_file(path, device, dtype, sha256, name)


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
    path : Path or str
    device : device or str
    dtype : dtype
        Of the weights in use.
    expected_sha256 : str, optional
        Compared with the file before anything else is read from it.
    name : str, optional
        By default the file's name without suffix.
    """
    path = Path(path)
    data, sha256 = _read(path, expected_sha256)
    network, metadata = _rebuilt(path, data)
    network = network.to(device=device, dtype=dtype).eval().requires_grad_(False)
    return network, WeightsRecord(name or path.stem, path.name, sha256, metadata)


def weights_sha256(name: str, models_folder: Path | str | None = None) -> str:
    """Return the sha256 of what `load_network` would load, after comparing it with the index.

    Raises
    ------
    WeightsError
        ``weights_missing``, ``weights_altered`` or ``weights_unreadable``.
    """
    path, sha256 = locate(name, Path(models_folder or MODELS_FOLDER))
    return _read(path, sha256)[1]


def _read(path: Path, expected_sha256: str | None) -> tuple[bytes, str]:
    """Return what a weights file holds, and its sha256."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            "weights_missing", f"The weights {path} cannot be read.", _file_hint(path)
        ) from error
    sha256 = hashlib.sha256(data).hexdigest()
    if expected_sha256 is not None and sha256 != expected_sha256:
        raise WeightsError(
            "weights_altered",
            f"The weights {path.name} are not the original ones (sha256 {sha256[:12]}..., expected "
            f"{expected_sha256[:12]}...).",
            _file_hint(path),
        )
    return data, sha256


def _file_hint(path: Path) -> str:
    if path.parent == MODELS_FOLDER:
        return restoring_hint()
    return "Name whole weights, or train them again."


def _rebuilt(path: Path, data: bytes) -> tuple[nn.Module, dict[str, str]]:
    try:
        tensors, metadata = from_bytes(data)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            "weights_unreadable",
            f"{path.name} is damaged or no safetensors file.",
            _file_hint(path),
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
