"""What results must not take the place of: inputs, label maps of others, folders."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import OutputError
from .atomic_output import RESULT_FILES

_LABEL_MAPS = ("labels.nii.gz", "bodies.nii.gz")
"""Names that readers' own label maps, and those of phantoms, bear too."""


def check_output(folder: Path, inputs: Iterable[Path | None]) -> None:
    """Refuse a folder in which results would replace something else than earlier results.

    Parameters
    ----------
    folder : Path
        Where results go; need not be there.
    inputs : iterable of Path or None
        What is read; None is passed over.

    Raises
    ------
    OutputError
        ``would_replace``.
    """
    given = [path for path in inputs if path is not None]
    # What cannot be looked at, as in a folder without permission, is told when it is opened.
    there = [folder / name for name in RESULT_FILES if os.path.lexists(folder / name)]
    for target in there:
        if os.path.isdir(target):
            raise _refusal(f"{folder} holds a folder called {target.name}, as a result is")
        if any(_same(target, path) for path in given):
            raise _refusal(f"{target} is read, and the results would replace it")
    if _is_analysis(folder / "analysis.json"):
        return
    for name in (target.name for target in there):
        if name in _LABEL_MAPS:
            raise _refusal(
                f"{folder} holds a {name} that does not belong to an earlier analysis, and the "
                "results would replace it"
            )


def _same(target: Path, path: Path) -> bool:
    try:
        return target.samefile(path)
    except OSError:
        return False


def _is_analysis(path: Path) -> bool:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {"schema_version", "vertebrae"} <= content.keys()


def _refusal(what: str) -> OutputError:
    return OutputError("would_replace", f"{what}.", "Choose another folder for the results.")
