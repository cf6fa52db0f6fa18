"""Grades that a reader has chosen, or reasons typed, and not yet put in force."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GradeChoice:
    """What stands in the fields of the grade.

    Attributes
    ----------
    grade, shape : int
        Entries of the selectors; the shape is 0 where the grade is that of no fracture.
    reason : str
    """

    grade: int
    shape: int
    reason: str


class GradeDrafts:
    """Keeps what was left in the fields, by vertebra, until it is in force."""

    def __init__(self) -> None:
        self._drafts: dict[str, GradeChoice] = {}

    def keep(self, key: str, inForce: GradeChoice, chosen: GradeChoice) -> bool:
        """Keep `chosen` if it differs from what is in force; tells whether it does."""
        self._drafts.pop(key, None)
        if chosen != inForce:
            self._drafts[key] = chosen
        return key in self._drafts

    def of(self, key: str, inForce: GradeChoice) -> GradeChoice:
        """Return what to show for a vertebra: what was kept, else what is in force."""
        return self._drafts.get(key, inForce)

    def forget(self, key: str) -> None:
        """Drop what was kept for a vertebra."""
        self._drafts.pop(key, None)

    def clear(self) -> None:
        """Drop everything: other results are shown."""
        self._drafts.clear()
