"""The folder that a training writes to: whose training lies there, and whether it takes files.

Weights and their index lie in the folder itself, so that trainings that share it add to one set of
weights. Checkpoint and logs of the first lie beside them; those of every other one have a folder of
their own in it, as each network has under ``train all``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ..models import available_networks
from ..output_errors import output_error
from .checkpoint import task_of

CHECKPOINT = "checkpoint"


def training_in(folder: Path) -> str | None:
    """Return the name of the training whose checkpoint lies in `folder`; None if there is none."""
    return task_of(Path(folder) / CHECKPOINT)


def state_folder(out: Path, name: str) -> Path:
    """Return where the training `name` that writes weights to `out` keeps checkpoint and logs."""
    own = Path(out) / name
    if training_in(own) != name and training_in(out) in (None, name):
        return Path(out)
    return own


def open_folders(out: Path, name: str, resume: bool) -> Path:
    """Make the folders of a training, unless what lies there must not be written over.

    Parameters
    ----------
    out : Path
        For weights.
    name : str
        Name of the training, and of its weights.
    resume : bool
        Going on with an earlier training of that name is what is wanted.

    Returns
    -------
    Path
        For checkpoint and logs.

    Raises
    ------
    InputError
        ``folder_in_use``, ``checkpoint_damaged``.
    OutputError
        ``not_writable`` or ``disk_full``.
    WeightsError
        If the index of `out` is damaged: weights could not be entered in the end.
    """
    try:
        state = state_folder(out, name)
        found = training_in(state)
        if found == name and not resume:
            raise folder_in_use(out, [name])
        if found not in (None, name):
            raise InputError(
                "folder_in_use",
                f"The folder {state} holds a training of {found}.",
                "Name another folder.",
            )
        available_networks(out)
        for folder in {out, state}:
            folder.mkdir(parents=True, exist_ok=True)
            # Some folders let nobody write, which should not be found out after the first hour.
            tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise output_error(error, "The weights", out) from error
    return state


def folder_in_use(folder: Path, names: Sequence[str]) -> InputError:
    """Return the error that tells of trainings in a folder which are not to be written over."""
    what, them = ("a training", "it") if len(names) == 1 else ("trainings", "them")
    return InputError(
        "folder_in_use",
        f"The folder {folder} holds {what} of {', '.join(names)}.",
        f"Add --resume to go on with {them}, or name another folder.",
    )
