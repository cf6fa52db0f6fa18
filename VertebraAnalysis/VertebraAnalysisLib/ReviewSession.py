"""The review that is under way: every change goes through here, into the scene, at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vertebra_core.analysis import Vertebra

from .Review import Review
from .ReviewedVertebra import ReviewedVertebra
from .SegmentShape import SegmentShape

if TYPE_CHECKING:
    from .AddVertebra import MissedVertebra


class ReviewSession:
    """Holds one result set and its review.

    Parameters
    ----------
    writer : SceneWriter
        Makes the nodes follow.
    reader : callable
        () -> name of whoever reviews.
    """

    def __init__(self, writer: Any, reader: Callable[[], str]) -> None:
        self._writer, self._reader = writer, reader
        self._listeners: list[Callable[[set[str]], None]] = []
        self.resultSet: Any = None
        self.review: Review | None = None
        self.busy = False
        self.notices: tuple[str, ...] = ()
        """What the reader should know about the results that were opened last."""

    @property
    def isOpen(self) -> bool:
        """There is something to review."""
        return self.review is not None

    @property
    def vertebrae(self) -> tuple[ReviewedVertebra, ...]:
        """Head to foot; empty when nothing is open."""
        return self.review.vertebrae if self.review is not None else ()

    @property
    def placeProblem(self) -> str:
        """That the CT is not where it was analysed, and what to do; empty if it is."""
        isThere = self.review is not None and self.resultSet.exists
        return self._writer.placeProblem(self.resultSet) if isThere else ""

    def onChanged(self, listener: Callable[[set[str]], None]) -> None:
        """Have `listener` called with the keys that are different now; all after opening."""
        self._listeners.append(listener)

    def open(self, resultSet: Any) -> None:
        """Review `resultSet`, or nothing when it is None; only what is reviewed is displayed.

        Raises
        ------
        UserError
            If it cannot be read; nothing is open then.
        """
        left, self.resultSet, self.review, self.notices = self.resultSet, None, None, ()
        try:
            if resultSet is not None:
                self.review = resultSet.loadReview()
                self.resultSet = resultSet
                with self.writing():
                    self.notices = self._writer.prepare(resultSet, self.review)
            elif left is not None:
                self._writer.leave(left)
        finally:
            self._tell(v.key for v in self.vertebrae)

    def change(self, how: Callable[[Review, str], set[str]]) -> set[str]:
        """Change the review by `how(review, reader)`, keep it, and make the scene follow.

        Raises
        ------
        UserError
            As `how` does; nothing has changed then.
        """
        if self.review is None or not self.resultSet.exists:
            return set()
        changed = how(self.review, self._reader())
        if changed:
            try:
                with self.writing():
                    self._writer.update(self.resultSet, self.review, changed)
            finally:
                self._tell(changed)
        return changed

    def takeMeasurement(
        self, key: str, measured: Vertebra, body: SegmentShape | None = None
    ) -> set[str]:
        """Take over what measuring an edited segment again gave.

        Parameters
        ----------
        key : str
        measured : Vertebra
        body : SegmentShape, optional
            For the body's segment, which keeps its shape without one.
        """
        if self.review is None or not self.resultSet.exists:
            return set()
        before = self._writer.shapeOfBody(self.resultSet, key) if body is not None else None
        kept = before.toDict() if before is not None else None
        changed = self.change(lambda r, reader: r.setMeasurement(key, measured, reader, kept))
        if changed and kept:
            self._reshapeBodies({key: body})
        return changed

    def addVertebra(self, missed: MissedVertebra) -> str:
        """Add a vertebra that the analysis missed, to the review and to all nodes, or nowhere.

        Returns
        -------
        str
            Its key; empty when nothing is open.

        Raises
        ------
        UserError
            If its level is not free, or a node does not take it; nothing has changed then.
        """
        review = self.review
        if review is None or not self.resultSet.exists:
            return ""
        with self.writing():
            try:
                with review.provisional():
                    changed = review.addVertebra(missed.vertebra, self._reader())
                    self._writer.add(self.resultSet, review, changed, missed)
            except BaseException:
                self._writer.update(self.resultSet, review)
                raise
        self._tell(changed)
        return max(review.keys)

    def undo(self) -> set[str]:
        """Take back the last step, in the scene too."""
        last = self.review.lastStep if self.review is not None else ()
        bodies = {c.key: SegmentShape.fromDict(c.body) for c in last if c.body}
        changed = self.change(lambda review, reader: review.undo(reader))
        if changed:
            self._reshapeBodies(bodies)
        return changed

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While this lasts, nodes are written: what moves is not what the user drags."""
        before, self.busy = self.busy, True
        try:
            yield
        finally:
            self.busy = before

    def restore(self, keys: set[str]) -> None:
        """Put nodes back to what the review says, and show it again."""
        if self.review is None or not self.resultSet.exists:
            return
        with self.writing():
            self._writer.update(self.resultSet, self.review, keys)
        self._tell(keys)

    def _reshapeBodies(self, bodies: Mapping[str, SegmentShape]) -> None:
        with self.writing():
            for key, shape in bodies.items():
                self._writer.reshapeBody(self.resultSet, key, shape)

    def _tell(self, keys: Iterable[str]) -> None:
        keys = set(keys)
        for listener in self._listeners:
            listener(keys)
