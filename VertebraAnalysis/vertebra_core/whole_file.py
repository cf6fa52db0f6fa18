"""Files that appear whole or not at all, and outlast a power cut once they are there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .output_errors import output_error


@contextmanager
def whole_file(path: Path, what: str) -> Iterator[BinaryIO]:
    """Give a file to write to that gets its name when the block ends; an earlier one is replaced.

    Parameters
    ----------
    path : Path
        Lies in a folder that is there.
    what : str
        What is written, as `output_error` says it.

    Yields
    ------
    file object

    Raises
    ------
    OutputError
        ``disk_full`` or ``not_writable``; an earlier file is untouched then.
    """
    # Several processes may write the same file at once; each writes its own and the last stays.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with temporary.open("wb") as file:
            yield file
            sync_file(file)
        temporary.replace(path)
    except OSError as error:
        raise output_error(error, what, path) from error
    finally:
        # Where nothing could be written, the error to tell is the first one.
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_whole(path: Path, data: bytes, what: str) -> None:
    """Write `data` to a `whole_file`.

    Raises
    ------
    OutputError
        ``disk_full`` or ``not_writable``; an earlier file is untouched then.
    """
    with whole_file(path, what) as file:
        file.write(data)


def sync_file(file: BinaryIO) -> None:
    """Wait until what was written to `file` lies on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names of the files in `folder` lie on the disk, where a system can do so."""
    # Windows opens no folders, and some network disks do not sync them.
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
