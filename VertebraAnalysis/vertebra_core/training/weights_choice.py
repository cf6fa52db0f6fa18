"""The weights that a command works with: its own choice of a file, or the bundled ones."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..errors import WeightsError
from ..model_index import MODELS_FOLDER, read_index
from ..models import WeightsRecord, load_network, load_weights_file

_IN_AND_OUT = ("in_channels", "out_channels")
"""Networks of one architecture that serve different ends differ in these."""


def load_chosen(name: str, path: Path | None) -> nn.Module:
    """Load the network called `name`.

    Parameters
    ----------
    name : str
        Of a bundled network.
    path : Path or None
        Weights file; the bundled one if None.

    Raises
    ------
    WeightsError
        If the weights cannot be loaded; ``weights_unfit`` if they are those of another network.
    """
    if path is None:
        return load_network(name)[0]
    network, record = load_weights_file(path)
    if _kind(network.config(), record) != _wanted_kind(name):
        raise WeightsError(
            "weights_unfit",
            f"The weights {path} are those of another network.",
            f"Name weights that `train {name}` has made.",
        )
    return network


def _kind(config: dict, record: WeightsRecord) -> tuple[object, ...]:
    return record.metadata["architecture"], *(config.get(key) for key in _IN_AND_OUT)


def _wanted_kind(name: str) -> tuple[object, ...]:
    bundled = read_index(MODELS_FOLDER)[name]
    return bundled["architecture"], *(bundled["config"].get(key) for key in _IN_AND_OUT)
