"""Follows the ends of height lines that a reader drags in the views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin
from vertebra_core.analysis import HeightLine

from .HeightEditing import movedLines
from .HeightLinesWriter import keyOf
from .ReviewedVertebra import ReviewedVertebra
from .ReviewSession import ReviewSession
from .UserError import UserError

_SETTLE_MS = 80


class HeightLineDragging(VTKObservationMixin):
    """Shows what a drag would give while it lasts, and keeps it when the mouse is let go.

    A drag is one change of the review, not hundreds.

    Parameters
    ----------
    session : ReviewSession
    linesWriter : HeightLinesWriter
        Reads the lines of a vertebra.
    onPreview : callable
        (ReviewedVertebra) while a line is dragged.
    onProblem : callable
        (UserError) when a line is no height, or none may be changed; it has been put back.

    Attributes
    ----------
    enabled : bool
        Heights may be changed; not while a run is at work.
    """

    def __init__(
        self,
        session: ReviewSession,
        linesWriter: Any,
        onPreview: Callable[[ReviewedVertebra], None],
        onProblem: Callable[[UserError], None],
    ) -> None:
        VTKObservationMixin.__init__(self)
        self._session, self._lines = session, linesWriter
        self._onPreview, self._onProblem = onPreview, onProblem
        self.enabled = True
        self._key = ""
        self._names: set[str] = set()
        self._dragging = False
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.connect("timeout()", self.settle)

    def follow(self) -> None:
        """Watch the lines that are in the scene now."""
        self.removeObservers()
        if not self._session.isOpen:
            self._timer.stop()
            return
        node = slicer.vtkMRMLMarkupsNode
        for line in self._session.resultSet.heightLineNodes.values():
            self.addObserver(line, node.PointStartInteractionEvent, self._onStart)
            self.addObserver(line, node.PointModifiedEvent, self._onMoved)
            self.addObserver(line, node.PointEndInteractionEvent, self._onEnd)

    def settle(self) -> None:
        """Take in the movement so far: show it during a drag, keep it otherwise."""
        self._timer.stop()
        key, review = self._key, self._session.review
        if not key or review is None:
            return
        lines = self._movedLines()
        try:
            if self._dragging:
                self._preview(key, lines)
            else:
                self._key, self._names = "", set()
                self._keep(key, lines)
        except UserError as error:
            if self._dragging:
                return
            self._session.restore({key})
            self._onProblem(error)

    def cleanup(self) -> None:
        """Stop watching."""
        self._timer.stop()
        self.removeObservers()

    def _movedLines(self) -> dict[str, HeightLine]:
        """The lines that were moved, and none that a script has moved unseen."""
        lines = self._lines.readLines(self._session.resultSet, self._key)
        return {name: line for name, line in lines.items() if name in self._names}

    def _preview(self, key: str, lines: dict[str, HeightLine]) -> None:
        if not self.enabled:
            return
        self._onPreview(self._session.review.previewHeightLines(key, lines))
        with self._session.writing():
            self._lines.showLengths(self._session.resultSet, key)

    def _keep(self, key: str, lines: dict[str, HeightLine]) -> None:
        before = self._session.review.vertebra(key).height_lines
        if not self.enabled and movedLines(before, lines):
            raise UserError(
                _("Heights cannot be changed while the analysis is at work."),
                _("Drag the line again when it has ended."),
            )
        self._session.change(lambda r, reader: r.setHeightLines(key, lines, reader))

    def _onStart(self, line: Any, _event: Any) -> None:
        self._dragging = True
        self._note(line)

    def _onMoved(self, line: Any, _event: Any) -> None:
        if self._session.busy:
            return
        self._note(line)
        if not self._timer.active:
            self._timer.start()

    def _onEnd(self, line: Any, _event: Any) -> None:
        self._dragging = False
        self._note(line)
        self.settle()

    def _note(self, line: Any) -> None:
        key, name = keyOf(line)
        if self._key and key != self._key:
            # Another body's line is moved before the first one has settled.
            self._dragging, dragging = False, self._dragging
            self.settle()
            self._dragging = dragging
        self._key = key
        self._names.add(name)
