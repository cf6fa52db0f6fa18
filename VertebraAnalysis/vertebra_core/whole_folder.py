"""Folders whose files appear together or not at all, and that leave no trace when nothing came."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Make a folder, and the ones it lies in; unmake what is still empty if the block fails.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    OSError
        If it cannot be made.
    """
    made = []
    try:
        for part in (*reversed(folder.absolute().parents), folder.absolute()):
            if not part.exists():
                # Another process may be faster.
                with contextlib.suppress(FileExistsError):
                    part.mkdir()
                    made.append(part)
        folder.mkdir(exist_ok=True)
        yield
    except BaseException:
        for part in reversed(made):
            with contextlib.suppress(OSError):
                part.rmdir()
        raise


@contextmanager
def whole_folder(folder: Path, key_file: str) -> Iterator[Path]:
    """Give a place for the files of a folder, which get their final names when the block ends.

    In a folder that is there already they replace files of the same names; others stay.

    Parameters
    ----------
    folder : Path
        Lies in one that is there.
    key_file : str
        Name of a file that the block writes and without which nobody takes the others for results.
        Earlier files lose it first, new ones get it last.

    Yields
    ------
    Path
        An empty, hidden folder beside `folder`.

    Raises
    ------
    OSError
        If files cannot be written or moved.
    """
    folder = Path(folder).absolute()
    partial = folder.with_name(f".{folder.name}.partial")
    # A process that was killed could not tidy up.
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()
        yield partial
        if folder.exists():
            _replace_files(partial, folder, key_file)
        else:
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _replace_files(source: Path, target: Path, key_file: str) -> None:
    new = sorted(source.iterdir(), key=lambda path: path.name == key_file)
    (target / key_file).unlink(missing_ok=True)
    for path in new:
        path.replace(target / path.name)
