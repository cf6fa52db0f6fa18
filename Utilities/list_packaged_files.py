"""Compare the module's files with the lists in its CMakeLists.txt, which alone get packaged.

python Utilities/list_packaged_files.py            tell what is missing or listed in vain
python Utilities/list_packaged_files.py --write    bring the lists up to date
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

MODULE_FOLDER = Path(__file__).resolve().parents[1] / "VertebraAnalysis"
SCRIPTS, RESOURCES = "MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES"

_LEFT_OUT_NAMES = {"CMakeLists.txt"}


def files_on_disk(folder: Path = MODULE_FOLDER) -> dict[str, list[str]]:
    """Return the files to package, as paths relative to `folder` with forward slashes.

    Parameters
    ----------
    folder : Path
        The module's folder.

    Returns
    -------
    dict of str
        CMake variable -> sorted paths: Python files and all others.
    """
    found: dict[str, list[str]] = {SCRIPTS: [], RESOURCES: []}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
        if hidden or not path.is_file() or path.name in _LEFT_OUT_NAMES or path.suffix == ".pyc":
            continue
        found[SCRIPTS if path.suffix == ".py" else RESOURCES].append(relative.as_posix())
    return found


def listed_files(cmake_text: str) -> dict[str, list[str]]:
    """Return the files that a CMakeLists.txt lists, by CMake variable."""
    return {name: _list_of(name, cmake_text)[1].split() for name in (SCRIPTS, RESOURCES)}


def with_lists(cmake_text: str, files: dict[str, list[str]]) -> str:
    """Return `cmake_text` with its lists replaced by `files`."""
    for name, paths in files.items():
        span, _ = _list_of(name, cmake_text)
        lines = "".join(f"\n  {path}" for path in paths)
        cmake_text = f"{cmake_text[: span[0]]}{lines}\n  {cmake_text[span[1] :]}"
    return cmake_text


def _list_of(name: str, cmake_text: str) -> tuple[tuple[int, int], str]:
    match = re.search(rf"set\({name}\b([^)]*)\)", cmake_text)
    if match is None:
        raise ValueError(f"CMakeLists.txt sets no {name}")
    return match.span(1), match.group(1)


def main(arguments: list[str] | None = None) -> int:
    """Tell or write; return 1 where the lists differ from the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="bring the lists up to date")
    write = parser.parse_args(arguments).write
    lists = MODULE_FOLDER / "CMakeLists.txt"
    text = lists.read_text("utf-8")
    found, listed = files_on_disk(), listed_files(text)
    differ = False
    for name in (SCRIPTS, RESOURCES):
        for sign, paths in (
            ("missing in", sorted(set(found[name]) - set(listed[name]))),
            ("listed in vain in", sorted(set(listed[name]) - set(found[name]))),
        ):
            for path in paths:
                differ = True
                print(f"{sign} {name}: {path}")
    if write and differ:
        with lists.open("w", encoding="utf-8", newline="\n") as file:
            file.write(with_lists(text, found))
        print(f"wrote {lists}")
    return int(differ and not write)


if __name__ == "__main__":
    sys.exit(main())
