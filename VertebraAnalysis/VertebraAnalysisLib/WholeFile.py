"""Writes files that are whole or not there."""

from __future__ import annotations

import contextlib
import errno
import uuid
from pathlib import Path

from .UserError import UserError


def writeWhole(path: Path | str, content: bytes) -> None:
    """Write a file.

    Raises
    ------
    UserError
        If it cannot be written; an earlier file is untouched then.
    """
    path = Path(path)
    # Beside its goal, so on the same disk, where renaming is atomic.
    partial = path.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise _notWritten(path, error) from error


def _notWritten(path: Path, error: OSError) -> UserError:
    if error.errno == errno.ENOSPC:
        return UserError(
            f"{path.name} does not fit: the disk is full.", "Make room or choose another folder."
        )
    reason = (error.strerror or str(error)).rstrip(".")
    return UserError(
        f"{path.name} cannot be written to {path.parent}: {reason}.",
        "Choose a folder that you may write to, and close the file in other programs.",
    )
