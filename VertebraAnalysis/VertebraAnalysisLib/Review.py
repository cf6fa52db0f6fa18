"""A reader's review of one analysis: corrections, who made them when, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from vertebra_core.analysis import HeightLine, Vertebra

from .Change import Change
from .HeightEditing import checkedLines, movedLines
from .LevelNaming import LevelNaming
from .MissedLevels import requireFree
from .ReaderValues import ReaderValues, checkedOverride
from .ReviewedVertebra import ReviewedVertebra
from .ReviewJson import keptVertebra
from .ReviewState import ReviewState
from .UserError import UserError


class Review(ReviewState):
    """The vertebrae of one analysis with a reader's corrections.

    Every method that changes something returns the keys of all vertebrae that are different now,
    and changes nothing at all if it raises.

    Parameters are those of `ReviewState`.
    """

    # Levels

    def shiftLevels(self, steps: int, reader: str) -> set[str]:
        """Rename all vertebrae by `steps` levels, towards the foot if positive.

        Raises
        ------
        UserError
            If a level would lie above C1 or below L6.
        """
        return self._rename(LevelNaming(self.vertebrae).shifted(steps), reader)

    def setLevel(self, key: str, level: str, reader: str, scope: str = "all") -> set[str]:
        """Rename one vertebra and let others follow in order.

        Parameters
        ----------
        key, level, reader : str
        scope : {"all", "below", "above", "one"}
            Who follows; see `Relabelling.anchored`.

        Raises
        ------
        UserError
            If the vertebrae cannot be named so, or this one is rejected.
        """
        self._values(key)
        if level == self.vertebra(key).level:
            return set()
        return self._rename(LevelNaming(self.vertebrae).anchored(key, level, scope), reader)

    def runnerUpLabelling(self) -> dict[str, str] | None:
        """Return the analysis' second choice of all levels by key; see `LevelNaming.runnerUp`."""
        return LevelNaming(self.vertebrae).runnerUp()

    def applyRunnerUp(self, reader: str) -> set[str]:
        """Rename all vertebrae to `runnerUpLabelling`.

        Raises
        ------
        UserError
            If there is none.
        """
        labelling = self.runnerUpLabelling()
        if labelling is None:
            raise UserError("There is no other labelling to choose.", "Set a level by hand.")
        return self._rename(labelling, reader)

    # Grades and heights

    def overrideGrade(
        self, key: str, grade: int | None, shape: str | None, reason: str, reader: str
    ) -> set[str]:
        """Give a vertebra the reader's own grade.

        Parameters
        ----------
        key : str
        grade : int or None
            0-3, or None: it cannot be graded.
        shape : str or None
            ``"wedge"``, ``"biconcave"`` or ``"crush"`` of a fracture; passed over otherwise.
        reason : str
            Why; must not be empty.
        reader : str

        Raises
        ------
        UserError
            If the reason or the shape of a fracture is missing, or it is rejected.
        """
        values = self._values(key)
        override = checkedOverride(grade, shape, reason)
        changed = {key: replace(values, override=override)}
        return self._history.set("grade", reader, changed, override.reason)

    def clearGradeOverride(self, key: str, reader: str) -> set[str]:
        """Return to the grade that heights and level give."""
        values = self._values(key)
        return self._history.set("grade", reader, {key: replace(values, override=None)})

    def setHeightLines(self, key: str, lines: Mapping[str, HeightLine], reader: str) -> set[str]:
        """Measure heights along lines that the reader drew, and grade again.

        Parameters
        ----------
        key : str
        lines : mapping of str to HeightLine
            Any of ``anterior``, ``middle``, ``posterior``; LPS mm. The others stay.
        reader : str

        Raises
        ------
        UserError
            If a line is no height of a vertebral body, or it is rejected.
        """
        return self._history.set("heights", reader, self._withLines(key, lines))

    def previewHeightLines(self, key: str, lines: Mapping[str, HeightLine]) -> ReviewedVertebra:
        """Return the vertebra as `setHeightLines` would make it; nothing is changed."""
        changed = self._history.derived(self._withLines(key, lines))
        return changed[self.keys.index(key)]

    def setMeasurement(
        self, key: str, measured: Vertebra, reader: str, body: Mapping[str, Any] | None = None
    ) -> set[str]:
        """Take over what measuring an edited segment again gave; lines drawn before go.

        The level stays what it is; so does a grade that the reader gave. `body` is the shape of
        the body's segment before, as in `Change`.
        """
        values, names = self._values(key), self._namesByKey()
        measurement = keptVertebra(measured)
        values = replace(values, measurement=measurement, measuredLevels=names, heightLines={})
        return self._history.set("measurement", reader, {key: values}, body=body)

    # What is no vertebra, and what was missed

    def addVertebra(self, measured: Vertebra, reader: str) -> set[str]:
        """Add a vertebra that the analysis missed, under the level it has; no other is changed.

        Raises
        ------
        UserError
            If its level is not free where it lies.
        """
        added = keptVertebra(measured)
        requireFree(self.accepted, added.level, added.center_lps_mm)
        names = (*self._namesByKey(), added.level)
        return self._history.add(reader, ReaderValues(added=added, measuredLevels=names))

    def provisional(self) -> AbstractContextManager[None]:
        """Forget what was changed in the block if it raises, as if it had never been tried."""
        return self._history.provisional()

    def setRejected(self, key: str, rejected: bool, reader: str) -> set[str]:
        """Say that a row is no vertebra, or that it is one after all; others keep their levels.

        Raises
        ------
        UserError
            If a restored one would have no level between its neighbours.
        """
        values = self._history.values[key]
        if rejected == values.rejected:
            return set()
        level = values.level
        if not rejected:
            name = LevelNaming(self.vertebrae).restored(key)
            level = None if name == self.vertebra(key).ai.level else name
        values = replace(values, rejected=bool(rejected), level=level)
        return self._history.set("rejected", reader, {key: values})

    # Progress and the way back

    def setReviewed(self, key: str, reviewed: bool, reader: str) -> set[str]:
        """Mark a vertebra as reviewed, or not."""
        values = replace(self._values(key), reviewed=bool(reviewed))
        return self._history.set("reviewed", reader, {key: values})

    def acceptAll(self, reader: str) -> set[str]:
        """Mark all vertebrae as reviewed, in one step."""
        values = {v.key: replace(self._values(v.key), reviewed=True) for v in self.accepted}
        return self._history.set("reviewed", reader, values)

    @property
    def canUndo(self) -> bool:
        """There is a step to take back."""
        return bool(self.lastStep)

    @property
    def lastStep(self) -> tuple[Change, ...]:
        """The changes that `undo` would take back."""
        return self._history.lastStep

    def undo(self, reader: str | None = None) -> set[str]:
        """Take back `lastStep`, if any, in the name of `reader` or else of whoever made it."""
        return self._history.undo(reader)

    # How it works

    def _values(self, key: str) -> ReaderValues:
        """Values that may be changed: what is no vertebra has nothing to correct."""
        values = self._history.values[key]
        if values.rejected:
            raise UserError(
                f"{self.vertebra(key).level} was rejected: it is no vertebra.", "Restore it first."
            )
        return values

    def _namesByKey(self) -> tuple[str, ...]:
        """Names of all vertebrae in the order of their keys; empty for what is none."""
        byKey = sorted(self.vertebrae, key=lambda v: v.key)
        return tuple("" if v.rejected else v.level for v in byKey)

    def _rename(self, names: Mapping[str, str], reader: str) -> set[str]:
        values = {}
        for key, name in names.items():
            level = None if name == self.vertebra(key).ai.level else name
            values[key] = replace(self._values(key), level=level)
        return self._history.set("level", reader, values)

    def _withLines(self, key: str, lines: Mapping[str, HeightLine]) -> dict[str, ReaderValues]:
        vertebra, values = self.vertebra(key), self._values(key)
        moved = movedLines(vertebra.height_lines, checkedLines(lines))
        return {key: replace(values, heightLines={**values.heightLines, **moved})}
