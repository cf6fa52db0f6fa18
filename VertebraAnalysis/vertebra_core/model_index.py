"""Which network lies where: `models.json` names the file of each in a folder, and its sha256."""

from __future__ import annotations

import json
from pathlib import Path

from .errors import WeightsError

MODELS_FOLDER = Path(__file__).resolve().parents[1] / "Resources" / "Models"
"""Where the bundled weights lie."""

INDEX_NAME = "models.json"

_WITH_WEIGHTS = "Install the extension again."
_WITHOUT_WEIGHTS = (
    "The package alone brings no weights: install it from a checkout by `pip install -e .`, or "
    "name a folder of weights by --models."
)

_TRAINED_ALONE = (
    "locnet",
    "segmentation",
    "labelling",
    "grading",
    "single_labelling",
    "sagittal",
    "vertebraformer",
)
"""Weights that `train` makes under their own name."""

_FRACTURE_NETWORKS = ("fracnet", "fracsegnet", "fracresnet")
"""`train fracture` names weights after network and loss."""


def read_index(folder: Path) -> dict[str, dict]:
    """Return the index of a folder of weights: name of the network -> entry.

    Raises
    ------
    WeightsError
        ``weights_missing`` or ``weights_unreadable``.
    """
    path = folder / INDEX_NAME
    try:
        index = json.loads(path.read_text("utf-8"))
        well_formed = all(
            isinstance(e["file"], str) and len(e["sha256"]) == 64 for e in index.values()
        )
    except OSError as error:
        raise WeightsError("weights_missing", *_told_of_no_index(folder)) from error
    except (ValueError, KeyError, TypeError, AttributeError):
        well_formed = False
    if not well_formed:
        raise WeightsError("weights_unreadable", f"{path} is damaged.", _index_hint(folder))
    return index


def restoring_hint(models_folder: Path = MODELS_FOLDER) -> str:
    """Return how to get bundled weights that are missing or damaged.

    Parameters
    ----------
    models_folder : Path
        Lies beside the module's own file in the extension and in a checkout; the package alone
        has neither.
    """
    module = models_folder.parents[1] / "VertebraAnalysis.py"
    return _WITH_WEIGHTS if module.exists() else _WITHOUT_WEIGHTS


def _told_of_no_index(folder: Path) -> tuple[str, str]:
    """Say in a sentence and a hint that a folder holds no weights."""
    if folder == MODELS_FOLDER:
        return f"The folder {folder} holds no {INDEX_NAME}.", restoring_hint()
    if not folder.is_dir():
        return f"There is no folder {folder}.", "Name the --out folder of a training."
    # `train all` enters a network here when its training is over.
    begun = sorted(path.parent for path in folder.glob(f"*/{INDEX_NAME}"))
    if begun:
        return (
            f"The folder {folder} holds no {INDEX_NAME} yet.",
            f"Go on with the training by --resume, or name {begun[-1]} for its weights so far.",
        )
    return f"The folder {folder} holds no {INDEX_NAME}.", "Name the --out folder of a training."


def locate(name: str, models_folder: Path = MODELS_FOLDER) -> tuple[Path, str]:
    """Find the weights of a network: in a folder, or else among the bundled ones.

    Parameters
    ----------
    name : str
    models_folder : Path
        What its index names comes from there, whatever has become of the file since.

    Returns
    -------
    path : Path
    sha256 : str
        What the file must have.

    Raises
    ------
    WeightsError
        ``weights_missing`` or ``weights_unreadable``.
    """
    known: set[str] = set()
    for folder in (models_folder, MODELS_FOLDER):
        index = read_index(folder)
        if name in index:
            return _file(folder, index[name]), index[name]["sha256"]
        known |= set(index)
    own = "" if models_folder == MODELS_FOLDER else f" in {models_folder}, nor"
    raise WeightsError(
        "weights_missing",
        f"There is no network '{name}'{own} among the bundled ones.",
        _training_hint(name) or f"There are {', '.join(sorted(known))}.",
    )


def _file(folder: Path, entry: dict) -> Path:
    if Path(entry["file"]).name != entry["file"]:
        raise WeightsError(
            "weights_unreadable",
            f"{folder / INDEX_NAME} points outside its folder.",
            _index_hint(folder),
        )
    return folder / entry["file"]


def _index_hint(folder: Path) -> str:
    if folder == MODELS_FOLDER:
        return restoring_hint()
    return "Delete it; `train ... --resume` with this --out folder writes it anew."


def _training_hint(name: str) -> str:
    network, _, loss = name.partition("_")
    if name in _TRAINED_ALONE:
        words = name
    elif network in _FRACTURE_NETWORKS and loss:
        words = f"fracture --network {network} --loss {loss}"
    else:
        return ""
    return f"Train it with `train {words} --out FOLDER`, and name that FOLDER by --models."
