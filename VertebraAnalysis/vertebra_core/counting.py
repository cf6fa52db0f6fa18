"""Numbers of things in words."""

from __future__ import annotations

from collections.abc import Iterable


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


def ranges(numbers: Iterable[int]) -> str:
    """Return whole numbers in rising order, runs of three or more as ``"2-7"``."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = (f"{r[0]}-{r[-1]}" if len(r) > 2 else ", ".join(map(str, r)) for r in runs)
    return ", ".join(parts)
