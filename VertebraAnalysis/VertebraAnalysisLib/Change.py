"""One line of a review's audit trail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Change:
    """What a reader changed in one vertebra.

    Attributes
    ----------
    time : str
        ISO 8601, UTC.
    reader : str
    key : str
        Key of the vertebra.
    action : str
        ``"level"``, ``"grade"``, ``"heights"``, ``"measurement"``, ``"reviewed"``,
        ``"rejected"``, ``"added"`` or ``"undo"``.
    before, after : str
        The changed value as a reader reads it, e.g. ``"G1 wedge"`` and ``"G2 crush"``.
    reason : str
        The reader's reason; may be empty.
    step : int
        What was changed in one go has one number; an ``"undo"`` bears that of what it took back.
    restore : dict
        The reader's values before, as in the review's JSON: what undo puts back.
    body : dict
        Shape of the body's segment before measuring it again, from `SegmentShape.toDict`: undo
        puts that back too. Empty where the segment kept its shape.
    """

    time: str
    reader: str
    key: str
    action: str
    before: str
    after: str
    reason: str = ""
    step: int = 0
    restore: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
