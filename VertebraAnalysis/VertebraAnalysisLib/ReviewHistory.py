"""The reader's values of all vertebrae, and every step that led to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from vertebra_core.analysis import SpineAnalysis
from vertebra_core.output.scene_keys import vertebra_keys

from .AddedPlace import keysInOrder, nextKey
from .Change import Change
from .ChangeText import changedText
from .ReaderValues import ReaderValues
from .Regrading import reviewedVertebrae
from .ReviewedVertebra import ReviewedVertebra
from .ReviewJson import readerValuesFromDict, readerValuesToDict


class ReviewHistory:
    """Keeps values, vertebrae and audit trail in step with one another.

    Parameters
    ----------
    analysis : SpineAnalysis
    clock : callable
        Returns the time with its zone.

    Attributes
    ----------
    values : dict of str to ReaderValues
        By key; not to be changed from outside.
    vertebrae : tuple of ReviewedVertebra
        What follows from `values`, head to foot, with what was added.
    changes : tuple of Change
        Oldest first.
    """

    def __init__(self, analysis: SpineAnalysis, clock: Callable[[], datetime]) -> None:
        self._analysis = analysis
        self._clock = clock
        found = vertebra_keys(len(analysis.vertebrae))
        self._found = dict(zip(found, analysis.vertebrae, strict=True))
        self.values = dict.fromkeys(found, ReaderValues())
        self.changes: tuple[Change, ...] = ()
        self.vertebrae = self.derived({})

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of `vertebrae`."""
        return tuple(vertebra.key for vertebra in self.vertebrae)

    def restore(self, values: Mapping[str, ReaderValues], changes: Iterable[Change]) -> None:
        """Put kept values and changes in force."""
        self.vertebrae = self.derived(values)
        self.values = {**self.values, **values}
        self.changes = tuple(changes)

    def derived(self, values: Mapping[str, ReaderValues]) -> tuple[ReviewedVertebra, ...]:
        """Return the vertebrae as they were if `values` replaced those of some keys."""
        own = {**self.values, **values}
        added = {key: v.added for key, v in own.items() if v.added is not None}
        voxelMm = max(self._analysis.manifest.input_spacing_xyz_mm)
        keys = keysInOrder(self._analysis.vertebrae, added)
        first = {**self._found, **added}
        return reviewedVertebrae(
            keys, [first[key] for key in keys], [own[key] for key in keys], voxelMm
        )

    def add(self, reader: str, values: ReaderValues) -> set[str]:
        """Add what the analysis missed, in one step; returns its key and any others that differ."""
        key = nextKey(self.keys)
        change = Change(self._now(), reader, key, "added", "", "", step=self._nextStep())
        return self._commit({key: values}, [("added", change)])

    @contextmanager
    def provisional(self) -> Iterator[None]:
        """Forget what was changed in the block if it raises, as if it had never been tried."""
        kept = self.values, self.vertebrae, self.changes
        try:
            yield
        except BaseException:
            self.values, self.vertebrae, self.changes = kept
            raise

    def set(
        self,
        action: str,
        reader: str,
        values: Mapping[str, ReaderValues],
        reason: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> set[str]:
        """Replace the values of some keys in one step; keys with the same values are passed over.

        A mark "reviewed" goes in the same step where it was set on other findings: level, grade,
        shape or heights change, by another reader or by measuring again. `reason` and `body` are
        kept as in `Change`.

        Returns
        -------
        set of str
            Keys of all vertebrae that are different now.
        """
        changed = {key: own for key, own in values.items() if own != self.values[key]}
        unmarked = {
            key: replace(changed.get(key, self.values[key]), reviewed=False)
            for key in self._marksLost(action, reader, changed)
        }
        time, step, shape = self._now(), self._nextStep(), dict(body or {})
        blank = Change(time, reader, "", action, "", "", reason, step, body=shape)
        mark = Change(time, reader, "", "reviewed", "", "", step=step)
        entries = [
            (own.action, replace(own, key=key, restore=readerValuesToDict(self.values[key])))
            for own, keys in ((blank, changed), (mark, unmarked))
            for key in keys
        ]
        return self._commit({**changed, **unmarked}, entries)

    @property
    def standing(self) -> tuple[Change, ...]:
        """The changes that were not undone, oldest first."""
        undone = {c.step for c in self.changes if c.action == "undo"}
        return tuple(c for c in self.changes if c.step not in undone)

    @property
    def lastStep(self) -> tuple[Change, ...]:
        """The changes of the last step that still holds; empty if there is none."""
        step = max((c.step for c in self.standing), default=None)
        return tuple(c for c in self.standing if c.step == step)

    def undo(self, reader: str | None = None) -> set[str]:
        """Take back `lastStep` in the name of `reader`, or of whoever made it."""
        undone, time = self.lastStep, self._now()
        values = {c.key: readerValuesFromDict(c.restore) for c in undone}
        taken = {"time": time, "action": "undo", "restore": {}, "body": {}}
        entries = [(c.action, replace(c, reader=reader or c.reader, **taken)) for c in undone]
        return self._commit(values, entries)

    def _marksLost(
        self, action: str, reader: str, changed: Mapping[str, ReaderValues]
    ) -> list[str]:
        """Keys whose mark "reviewed" was set on findings that `changed` replaces."""
        marked = [v for v in self.vertebrae if v.reviewed]
        if not marked or action == "reviewed":
            return []
        after = {v.key: v for v in self.derived(changed)}
        by = {c.key: c.reader for c in self.standing if c.action == "reviewed"}
        return [
            v.key
            for v in marked
            if (action == "measurement" or by.get(v.key) != reader)
            and _findings(v) != _findings(after[v.key])
        ]

    def _commit(
        self, values: Mapping[str, ReaderValues], entries: Iterable[tuple[str, Change]]
    ) -> set[str]:
        """Put `values` in force; `entries` hold what each change is about, and the change."""
        vertebrae = self.derived(values)
        before, after = ({v.key: v for v in row} for row in (self.vertebrae, vertebrae))
        changes = []
        for about, change in entries:
            was, now = (changedText(about, row.get(change.key)) for row in (before, after))
            changes.append(replace(change, before=was, after=now))
        present = {**self.values, **values}
        self.values = {key: own for key, own in present.items() if key in after}
        self.vertebrae = vertebrae
        self.changes = (*self.changes, *changes)
        return {key for key in {**before, **after} if before.get(key) != after.get(key)}

    def _nextStep(self) -> int:
        return 1 + max((c.step for c in self.changes), default=0)

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="milliseconds")


def _findings(vertebra: ReviewedVertebra) -> tuple[Any, ...]:
    return vertebra.level, vertebra.grade, vertebra.shape, vertebra.heights_mm
