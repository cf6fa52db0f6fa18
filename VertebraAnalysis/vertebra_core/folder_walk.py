"""What lies below a folder, links to other folders included."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def walk(
    folder: Path, hidden: bool = False, on_closed: Callable[[OSError], None] | None = None
) -> Iterator[tuple[Path, list[str]]]:
    """Yield every folder from `folder` down, with the sorted names of the files in it.

    Links are followed: large downloads often lie on another disk. Whatever links make of it, a
    folder comes once.

    Parameters
    ----------
    folder : Path
    hidden : bool
        Also hidden folders and files. A program that was stopped may have left half a file there.
    on_closed : callable, optional
        Gets the error of every folder that cannot be listed.
    """
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, onerror=on_closed, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if hidden or not name.startswith("."))
        yield Path(place), sorted(name for name in files if hidden or not name.startswith("."))
