"""What results must not take the place of: inputs, files of others, a reader's review, folders."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from ..errors import OutputError
from .atomic_output import RESULT_FILES
from .scene_keys import PLAIN_ATTRIBUTE

_RESULTS = "analysis.json"

_HINT = "Choose another folder for the results"


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
    if not there:
        return
    earlier = _content(folder / _RESULTS)
    if "review" in earlier:
        raise _refusal(
            f"{folder / _RESULTS} holds a reader's review, and the results would replace it",
            f"{_HINT}, or move the files of this one.",
        )
    if not {"schema_version", "vertebrae"} <= earlier.keys():
        names = ", ".join(target.name for target in there)
        raise _refusal(
            f"{folder} holds files of another origin that the results would replace: {names}",
            f"{_HINT}, or move these files.",
        )
    scene = folder / "scene.mrb"
    if scene in there and not _untouched_scene(scene):
        raise _refusal(
            f"{scene} was saved anew since its analysis, and the results would replace it",
            f"{_HINT}, or move this file.",
        )


def _untouched_scene(path: Path) -> bool:
    """Tell whether a scene is as the program wrote it, and not one that the panel has filled in."""
    try:
        with ZipFile(path) as packed:
            scenes = [packed.read(name) for name in packed.namelist() if name.endswith(".mrml")]
    except (OSError, BadZipFile, RuntimeError, NotImplementedError, zlib.error):
        return False
    return any(PLAIN_ATTRIBUTE.encode() in scene for scene in scenes)


def _same(target: Path, path: Path) -> bool:
    try:
        return target.samefile(path)
    except OSError:
        return False


def _content(path: Path) -> dict[str, object]:
    """What a JSON file holds; nothing where it is none."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _refusal(what: str, hint: str = f"{_HINT}.") -> OutputError:
    return OutputError("would_replace", f"{what}.", hint)
