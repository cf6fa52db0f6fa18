"""What a review of one analysis holds: vertebrae, audit trail, and both as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self

from vertebra_core.analysis import SpineAnalysis

from .Change import Change
from .ReviewedVertebra import ReviewedVertebra
from .ReviewHistory import ReviewHistory
from .ReviewJson import parsedJson, reviewFromDict, reviewToDict


class ReviewState:
    """Base of `Review`, which changes it.

    Parameters
    ----------
    analysis : SpineAnalysis
    analysisJson : dict
        The JSON that `analysis` was read from; kept as it is.
    clock : callable, optional
        Returns the time with its zone; the present by default.
    """

    def __init__(
        self,
        analysis: SpineAnalysis,
        analysisJson: dict[str, Any],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.analysis = analysis
        self._json = {k: deepcopy(v) for k, v in analysisJson.items() if k != "review"}
        self._history = ReviewHistory(analysis, clock)

    @classmethod
    def fromJson(cls, text: str) -> Self:
        """Rebuild a review from `toJson`, or begin one from an ``analysis.json``.

        Raises
        ------
        UserError
            If the text is neither.
        """
        analysis, content = parsedJson(text)
        review = cls(analysis, content)
        if "review" in content:
            review._history.restore(*reviewFromDict(content["review"], review.keys))
        return review

    def toJson(self) -> str:
        """Return the analysis unchanged, with the review under the key ``review``."""
        content = {**self._json, "review": reviewToDict(self._history.values, self.changes)}
        # Without indentation it is written ten times faster, and this is done after every click.
        return json.dumps(content, ensure_ascii=False) + "\n"

    # What is there

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the vertebrae, head to foot; what was added has the highest numbers."""
        return self._history.keys

    @property
    def vertebrae(self) -> tuple[ReviewedVertebra, ...]:
        """All vertebrae, head to foot, the rejected ones too."""
        return self._history.vertebrae

    @property
    def accepted(self) -> tuple[ReviewedVertebra, ...]:
        """The vertebrae without those that the reader rejected, head to foot."""
        return tuple(v for v in self.vertebrae if not v.rejected)

    def vertebra(self, key: str) -> ReviewedVertebra:
        """Return the vertebra of a key; `KeyError` if there is none."""
        if key not in self.keys:
            raise KeyError(key)
        return self.vertebrae[self.keys.index(key)]

    @property
    def currentAnalysis(self) -> SpineAnalysis:
        """The analysis with the values that hold now."""
        return replace(self.analysis, vertebrae=tuple(v.current for v in self.vertebrae))

    @property
    def changes(self) -> tuple[Change, ...]:
        """The audit trail, oldest first; what was undone stays in it."""
        return self._history.changes

    @property
    def standingChanges(self) -> tuple[Change, ...]:
        """The changes that were not undone, oldest first."""
        return self._history.standing

    @property
    def remaining(self) -> int:
        """How many vertebrae are left to review."""
        return sum(not v.reviewed for v in self.accepted)
