"""Writing into a folder that the user named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..output_errors import output_error


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Tell in a sentence that nothing can be written to `folder`.

    Raises
    ------
    OutputError
        ``disk_full`` or ``not_writable``.
    """
    try:
        yield
    except OSError as error:
        raise output_error(error, "The results", folder) from error
