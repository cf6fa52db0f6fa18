"""Numbers of things in words."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as ``"1 file"`` and ``"2 files"``.

    Parameters
    ----------
    count : int
    noun : str
        In the singular.
    plural : str, optional
        By default with an s.
    """
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"
