"""The weights that a training starts from, where it does not start anew."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import nn

from ..model_index import INDEX_NAME
from ..models import MODELS_FOLDER, available_networks, load_network, load_weights_file

_log = logging.getLogger(__name__)

BUNDLED = "bundled"


def load_start(network: nn.Module, start: Path, name: str) -> None:
    """Load the weights called `name` into `network`.

    Parameters
    ----------
    network : Module
    start : Path
        A weights file, a folder with ``<name>.safetensors``, or ``bundled`` for the weights that
        come with the program. What a folder with an index does not name is bundled.
    name : str
        Name of the network.

    Raises
    ------
    FileNotFoundError
        If there are no such weights.
    WeightsError
        If they are damaged, or of another version of the program.
    ValueError
        If they are for a network of another shape.
    """
    folder = MODELS_FOLDER if str(start) == BUNDLED else Path(start)
    weights = _weights(folder, name)
    try:
        network.load_state_dict(weights.state_dict())
    except RuntimeError as error:
        raise ValueError(
            f"the weights {folder.name} are for a network of another shape than {name}"
        ) from error


def _weights(start: Path, name: str) -> nn.Module:
    if (start / INDEX_NAME).is_file():
        network = load_network(name, start)[0]
        if name not in available_networks(start):
            _log.info("%s holds no %s: the bundled weights are started from", start, name)
        return network
    path = start / f"{name}.safetensors" if start.is_dir() else start
    if not path.is_file():
        raise FileNotFoundError(f"there are no weights {path} to start from")
    return load_weights_file(path)[0]
