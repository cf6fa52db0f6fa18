"""What to tell a user when something cannot be written."""

from __future__ import annotations

import errno
from pathlib import Path

from .errors import OutputError

_FULL = errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)


def output_error(error: OSError, what: str, place: Path | str) -> OutputError:
    """Return the error that says why nothing can be written.

    Parameters
    ----------
    error : OSError
        As it was raised.
    what : str
        Begins the sentence: what was to be written, in the plural ("The results").
    place : Path or str
        Where to.

    Returns
    -------
    OutputError
        ``disk_full`` or ``not_writable``.
    """
    if error.errno in _FULL:
        return OutputError(
            "disk_full",
            f"{what} do not fit: the disk of {place} is full.",
            "Make room or choose another folder.",
        )
    hint = "Choose a folder that you may write to."
    reason = (error.strerror or str(error)).rstrip(".")
    if isinstance(error, FileExistsError | NotADirectoryError):
        reason = "it, or what it lies in, is a file"
    elif error.errno == errno.ENAMETOOLONG:
        reason, hint = "the name is too long", "Choose a shorter name."
    elif error.errno == errno.EROFS:
        reason = "the disk can only be read"
    elif isinstance(error, PermissionError):
        # On Windows, whatever has a file open keeps it.
        hint = "Choose a folder that you may write to, and close the file in other programs."
    return OutputError("not_writable", f"{what} cannot be written to {place}: {reason}.", hint)
