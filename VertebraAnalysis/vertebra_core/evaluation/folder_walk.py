"""What lies below a folder, links to other folders included."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def walk(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield every folder from `folder` down, with the sorted names of the files in it.

    Links are followed: large downloads often lie on another disk. Whatever links make of it, a
    folder comes once. Hidden folders and files are passed over: a program that was stopped may
    have left half a file there.
    """
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(place), sorted(name for name in files if not name.startswith("."))
