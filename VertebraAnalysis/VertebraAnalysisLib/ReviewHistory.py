"""The reader's values of all vertebrae, and every step that led to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from vertebra_core.analysis import SpineAnalysis
from vertebra_core.output.scene_keys import vertebra_keys

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
    keys : tuple of str
        Head to foot.
    values : dict of str to ReaderValues
        By key; not to be changed from outside.
    vertebrae : tuple of ReviewedVertebra
        What follows from `values`.
    changes : tuple of Change
        Oldest first.
    """

    def __init__(self, analysis: SpineAnalysis, clock: Callable[[], datetime]) -> None:
        self._analysis = analysis
        self._clock = clock
        self.keys = vertebra_keys(len(analysis.vertebrae))
        self.values = dict.fromkeys(self.keys, ReaderValues())
        self.changes: tuple[Change, ...] = ()
        self.vertebrae = self.derived({})

    def restore(self, values: Mapping[str, ReaderValues], changes: Iterable[Change]) -> None:
        """Put kept values and changes in force."""
        self.vertebrae = self.derived(values)
        self.values = {**self.values, **values}
        self.changes = tuple(changes)

    def derived(self, values: Mapping[str, ReaderValues]) -> tuple[ReviewedVertebra, ...]:
        """Return the vertebrae as they were if `values` replaced those of some keys."""
        own = {**self.values, **values}
        voxelMm = max(self._analysis.manifest.input_spacing_xyz_mm)
        return reviewedVertebrae(self._analysis.vertebrae, [own[k] for k in self.keys], voxelMm)

    def set(
        self,
        action: str,
        reader: str,
        values: Mapping[str, ReaderValues],
        reason: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> set[str]:
        """Replace the values of some keys in one step; keys with the same values are passed over.

        `reason` and `body` are kept as in `Change`.

        Returns
        -------
        set of str
            Keys of all vertebrae that are different now.
        """
        changed = {key: own for key, own in values.items() if own != self.values[key]}
        step = 1 + max((c.step for c in self.changes), default=0)
        blank = Change(self._now(), reader, "", action, "", "", reason, step, body=dict(body or {}))
        kept = {key: readerValuesToDict(self.values[key]) for key in changed}
        entries = [(action, replace(blank, key=key, restore=kept[key])) for key in changed]
        return self._commit(changed, entries)

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

    def _commit(
        self, values: Mapping[str, ReaderValues], entries: Iterable[tuple[str, Change]]
    ) -> set[str]:
        """Put `values` in force; `entries` hold what each change is about, and the change."""
        before, after = self.vertebrae, self.derived(values)
        changes = []
        for about, change in entries:
            i = self.keys.index(change.key)
            was, now = changedText(about, before[i]), changedText(about, after[i])
            changes.append(replace(change, before=was, after=now))
        self.values = {**self.values, **values}
        self.vertebrae = after
        self.changes = (*self.changes, *changes)
        return {a.key for a, b in zip(after, before, strict=True) if a != b}

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="milliseconds")
