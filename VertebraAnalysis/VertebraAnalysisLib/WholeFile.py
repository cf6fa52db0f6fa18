"""Writes files that are whole or not there, and says why one cannot be written."""

from __future__ import annotations

from pathlib import Path

from vertebra_core.errors import OutputError
from vertebra_core.output_errors import output_error
from vertebra_core.whole_file import write_whole

from .UserError import UserError

_WHAT = "The results"


def writeWhole(path: Path | str, content: bytes) -> None:
    """Write a file.

    Raises
    ------
    UserError
        If it cannot be written; an earlier file is untouched then.
    """
    try:
        write_whole(Path(path), content, _WHAT)
    except OutputError as error:
        raise _told(error) from error


def notWritten(path: Path, error: OSError) -> UserError:
    """Return the error that says why a file cannot be written, and what to do."""
    return _told(output_error(error, _WHAT, path))


def _told(error: OutputError) -> UserError:
    return UserError(error.message, error.hint)
