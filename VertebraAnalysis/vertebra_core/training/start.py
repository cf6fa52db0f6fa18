"""The weights that a training starts from, where it does not start anew."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..models import MODELS_FOLDER, load_weights_file

BUNDLED = "bundled"


def load_start(network: nn.Module, start: Path, name: str) -> None:
    """Load the weights called `name` into `network`.

    Parameters
    ----------
    network : Module
    start : Path
        A weights file, a folder with ``<name>.safetensors``, or ``bundled`` for the weights that
        come with the program.
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
    path = folder / f"{name}.safetensors" if folder.is_dir() else folder
    if not path.is_file():
        raise FileNotFoundError(f"there are no weights {path} to start from")
    weights = load_weights_file(path)[0].state_dict()
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"the weights {path.name} are for a network of another shape") from error
