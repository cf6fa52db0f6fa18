"""The results: which set is shown, its table, and what the reader does with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from .CorrectionBox import CorrectionBox
from .EditedSegments import EditedSegments
from .HeightLineDragging import HeightLineDragging
from .MessageBar import MessageBar
from .MissedVertebraButton import MissedVertebraButton
from .PointClicks import PointClicks
from .ResultsTable import ResultsTable
from .ReviewedVertebra import ReviewedVertebra
from .ReviewSession import ReviewSession
from .VertebraDetails import detailsHtml


class ReviewSection:
    """Wires everything between the results selector and the correction box.

    Parameters
    ----------
    ui : object
    session : ReviewSession
    linesWriter : HeightLinesWriter
    messages : MessageBar
    showVertebra : callable
        (ReviewedVertebra) brings a vertebra into view.
    onEditSegment, onRemeasure : callable
        (key).
    missed : MissedVertebraButton
    confirm : callable
        (question) -> whether the user says yes.
    """

    def __init__(
        self,
        ui: Any,
        session: ReviewSession,
        linesWriter: Any,
        messages: MessageBar,
        showVertebra: Callable[[ReviewedVertebra], None],
        onEditSegment: Callable[[str], None],
        onRemeasure: Callable[[str], None],
        missed: MissedVertebraButton,
        confirm: Callable[[str], bool],
    ) -> None:
        self._ui, self._session, self._messages = ui, session, messages
        self._showVertebra, self.missed = showVertebra, missed
        self._enabled = True
        self.table = ResultsTable(ui.resultsTable, self._onChosen, self._onTicked)
        self.dragging = HeightLineDragging(
            session, linesWriter, self._preview, lambda e: messages.error(e.message, e.hint)
        )
        self.clicks = PointClicks(self.table.select)
        self.correction = CorrectionBox(
            ui, session, linesWriter, messages, self.dragging.follow, self._edit, self._remeasure
        )
        self._onEditSegment, self._onRemeasure = onEditSegment, onRemeasure
        self._confirm = confirm
        self._opened: set[str] = set()
        self._changesSeen = 0
        self.edited = EditedSegments(session, self._onEdited)
        session.onChanged(self._onChanged)
        ui.reviewedButton.connect("clicked()", self.toggleReviewed)
        ui.undoButton.connect("clicked()", self.undo)
        ui.acceptAllButton.connect("clicked()", self.acceptAll)
        self._shortcuts = [
            self._shortcut("R", self.toggleReviewed),
            self._shortcut("U", self.undo),
            self._shortcut("Return", self.showAgain),
        ]
        self._shown: object = None
        self.refresh()

    @property
    def selected(self) -> ReviewedVertebra | None:
        """The vertebra of the current row, or None."""
        key = self.table.selectedKey
        return self._session.review.vertebra(key) if key and self._session.isOpen else None

    def setEnabled(self, enabled: bool) -> None:
        """Allow changes or not, while a run is at work."""
        self._enabled = self.dragging.enabled = enabled
        self._showState()

    def refresh(self) -> None:
        """Show the session as it is, from the beginning."""
        self._opened.clear()
        self.edited.follow()
        self.table.fill(self._session.vertebrae, self.edited.keys)
        self._shown = self._session.review
        self._changesSeen = len(self._shown.changes) if self._shown is not None else 0
        self.clicks.follow(self._session.resultSet)
        self.dragging.follow()
        self._showState()

    def toggleReviewed(self) -> None:
        """Mark the chosen vertebra as reviewed and go to the next one, or take the mark back."""
        chosen = self.selected
        if chosen is None or chosen.rejected:
            return
        self._onTicked(chosen.key, not chosen.reviewed)
        if not chosen.reviewed:
            self._goToNext(chosen.key)

    def undo(self) -> None:
        """Take back the last change."""
        review = self._session.review
        last = review.lastStep if review is not None else ()
        self._attempt(self._session.undo)
        measured = {change.key for change in last if change.action == "measurement"}
        if measured and review.lastStep != last:
            # The mask is not what the numbers are of any more.
            self.edited.mark(measured)
            self._onEdited(measured)

    def acceptAll(self) -> None:
        """Mark all vertebrae as reviewed."""
        self._change(lambda review, reader: review.acceptAll(reader))

    def showAgain(self) -> None:
        """Bring the chosen vertebra into view again."""
        if self.selected is not None:
            self._showVertebra(self.selected)

    def cleanup(self) -> None:
        """Stop watching the scene."""
        self.dragging.cleanup()
        self.clicks.cleanup()
        self.edited.cleanup()
        self.missed.cleanup()

    def _edit(self, key: str) -> None:
        def opened() -> set[str]:
            self._onEditSegment(key)
            return {key}

        self._messages.clear()
        self._opened |= self._messages.attempt(opened) or set()
        self._showState()

    def _remeasure(self, key: str) -> None:
        if not self.edited.isEdited(key):
            # The analysis measures finer than voxels, which a mask alone does not allow.
            question = _(
                "The mask of {level} was not edited since it was measured. Measuring it again can "
                "change its heights by about a voxel, and so its grade. Measure it all the same?"
            )
            level = self._session.review.vertebra(key).level
            if not self._confirm(question.format(level=level)):
                return
        self._onRemeasure(key)

    def _onEdited(self, keys: set[str]) -> None:
        self._updateRows(keys)
        self._showState()

    def _updateRows(self, keys: set[str]) -> None:
        shown = [v for v in self._session.vertebrae if v.key in keys]
        self.table.update(shown, self.edited.keys)

    def _fillAgain(self) -> None:
        """A vertebra was added, or that was taken back: show other rows, and choose the same."""
        chosen = self.table.selectedKey
        self.edited.follow()
        self.table.fill(self._session.vertebrae, self.edited.keys)
        self.table.choose(chosen)

    def _change(self, how: Callable[[Any, str], set[str]]) -> None:
        self._attempt(lambda: self._session.change(how))

    def _attempt(self, action: Callable[[], set[str]]) -> None:
        if self._session.isOpen and self._enabled:
            self._messages.clear()
            self._messages.attempt(action)

    def _goToNext(self, key: str) -> None:
        keys = self.table.keys
        start = keys.index(key) + 1
        review = self._session.review
        # Head to foot, then what was left out above.
        for other in (*keys[start:], *keys[:start]):
            if not review.vertebra(other).reviewed and not review.vertebra(other).rejected:
                self.table.select(other)
                return

    def _onChosen(self, _key: str) -> None:
        self._showState()
        self.showAgain()

    def _onTicked(self, key: str, reviewed: bool) -> None:
        if not self._enabled:
            self._onChanged({key})
            return
        self._change(lambda review, reader: review.setReviewed(key, reviewed, reader))

    def _onChanged(self, keys: set[str]) -> None:
        review = self._session.review
        if review is None or review is not self._shown:
            self.refresh()
            return
        new, self._changesSeen = review.changes[self._changesSeen :], len(review.changes)
        measured = {change.key for change in new if change.action == "measurement"}
        self._opened -= measured
        self.edited.unmark(measured)
        if self.table.keys != review.keys:
            self._fillAgain()
        self._updateRows(keys)
        self.dragging.follow()
        self._showState()

    def _preview(self, vertebra: ReviewedVertebra) -> None:
        self.table.update([vertebra], self.edited.keys)
        if vertebra.key == self.table.selectedKey:
            self._ui.detailsLabel.text = detailsHtml(vertebra)

    def _showState(self) -> None:
        ui, review, chosen = self._ui, self._session.review, self.selected
        ui.summaryLabel.text = summary(review)
        ui.summaryLabel.visible = bool(ui.summaryLabel.text)
        ui.detailsLabel.text = self._details(chosen) if chosen else _hint(review)
        ui.detailsLabel.visible = bool(ui.detailsLabel.text)
        ui.reviewedButton.enabled = self._enabled and chosen is not None and not chosen.rejected
        isReviewed = chosen is not None and chosen.reviewed
        ui.reviewedButton.text = _("Not &reviewed") if isReviewed else _("Mark &reviewed")
        ui.undoButton.enabled = self._enabled and review is not None and review.canUndo
        ui.acceptAllButton.enabled = self._enabled and review is not None and review.remaining > 0
        self.correction.show(chosen, self._enabled)
        self.missed.show(self._enabled)

    def _details(self, vertebra: ReviewedVertebra) -> str:
        changes = self._session.review.standingChanges
        text = detailsHtml(vertebra, [c for c in changes if c.key == vertebra.key])
        # Edits of a segment change no number by themselves, which is easily forgotten.
        if vertebra.key in self.edited.keys:
            return text + "<br><b>" + _("Its mask was edited: press Re-measure.") + "</b>"
        if vertebra.key in self._opened:
            text += "<br><b>" + _("Opened for editing: press Re-measure when done.") + "</b>"
        return text

    def _shortcut(self, key: str, slot: Callable[[], None]) -> Any:
        # Only while the table has the focus, so that the keys stay free for views and text fields.
        shortcut = qt.QShortcut(qt.QKeySequence(key), self._ui.resultsTable)
        shortcut.setContext(qt.Qt.WidgetShortcut)
        shortcut.connect("activated()", slot)
        return shortcut


def summary(review: Any) -> str:
    """One line about all vertebrae: how many, how many fractured, how many left to review."""
    if review is None:
        return ""
    found = review.accepted
    rejected = len(review.vertebrae) - len(found)
    fractured = sum(v.fractured for v in found)
    ungraded = sum(v.grade is None for v in found)
    if not review.vertebrae:
        return _("No vertebra was found")
    if not found:
        return _("No vertebra is left: all {n} were rejected").format(n=rejected)
    parts = [_("1 vertebra") if len(found) == 1 else _("{n} vertebrae").format(n=len(found))]
    if ungraded < len(found):
        parts.append(_("{n} fractured").format(n=fractured) if fractured else _("none fractured"))
    if ungraded == len(found):
        parts.append(_("none graded"))
    elif ungraded:
        parts.append(_("{n} not graded").format(n=ungraded))
    if rejected:
        parts.append(_("{n} rejected").format(n=rejected))
    left = review.remaining
    parts.append(_("{n} left to review").format(n=left) if left else _("all reviewed"))
    return " \N{MIDDLE DOT} ".join(parts)


def _hint(review: Any) -> str:
    if review is None:
        return ""
    from html import escape

    lines = [_("Choose a vertebra to see it in the views and to correct it.")]
    lines += [f"\N{BULLET} {escape(warning)}" for warning in review.analysis.warnings]
    return "<br>".join(lines)
