"""Text for files that know no quoting."""

from __future__ import annotations


def unquoted(text: str) -> str:
    """Return `text` as one line without double quotes, as the tables of a scene keep it."""
    return " ".join(text.replace('"', "'").split())
