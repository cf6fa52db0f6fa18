"""What the analysis process says on its standard output: one JSON object per line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ProgressLine:
    """How far the analysis has come.

    Attributes
    ----------
    stage : str
        Name of the stage at work, e.g. ``"segmentation"``.
    fraction : float
        Done of the whole, 0-1.
    remaining_s : float or None
        Seconds still to come; None while that is not known.
    """

    stage: str
    fraction: float
    remaining_s: float | None


@dataclass(frozen=True)
class ResultLine:
    """The analysis is done; `content` says where its files are."""

    content: dict[str, Any]


@dataclass(frozen=True)
class ErrorLine:
    """The analysis cannot be done: one sentence, and what to do about it."""

    code: str
    message: str
    hint: str


def readLine(line: str) -> ProgressLine | ResultLine | ErrorLine | None:
    """Return what a line of the process says; None for anything that is not one of ours."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    try:
        if content.get("type") == "progress":
            remaining = content.get("remaining_s")
            return ProgressLine(
                str(content["stage"]),
                min(max(float(content["fraction"]), 0.0), 1.0),
                None if remaining is None else max(0.0, float(remaining)),
            )
        if content.get("type") == "error":
            return ErrorLine(
                str(content["code"]), str(content["message"]), str(content.get("hint") or "")
            )
    except (KeyError, TypeError, ValueError):
        return None
    return ResultLine(content) if content.get("type") == "result" else None
