"""Writing into a folder that the user named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutputError


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Tell in a sentence that nothing can be written to `folder`.

    Raises
    ------
    OutputError
        ``not_writable``.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, FileExistsError | NotADirectoryError):
            reason = "it, or what it lies in, is a file"
        raise OutputError(
            "not_writable",
            f"The results cannot be written to {folder}: {reason.rstrip('.')}.",
            "Choose a folder that you may write to.",
        ) from error
