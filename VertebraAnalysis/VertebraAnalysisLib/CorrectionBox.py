"""Corrections of one vertebra: its level, grade, heights and mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _
from vertebra_core.levels import MOBILE_LEVELS

from .GradeStyle import gradeStyle
from .MessageBar import MessageBar
from .ReaderValues import FRACTURE_SHAPES
from .Relabelling import SCOPES
from .ReviewedVertebra import ReviewedVertebra
from .ReviewSession import ReviewSession
from .UserError import UserError

_GRADES: tuple[int | None, ...] = (0, 1, 2, 3, None)
_OF_ONE_VERTEBRA = (
    "levelSelector", "scopeSelector", "setLevelButton", "gradeSelector", "shapeSelector",
    "reasonSelector", "overrideButton", "heightLinesCheckBox", "editSegmentButton",
    "remeasureButton",
)  # fmt: skip


class CorrectionBox:
    """Wires the box "Correct the selected vertebra".

    Parameters
    ----------
    ui : object
    session : ReviewSession
    linesWriter : HeightLinesWriter
        Shows and hides height lines.
    messages : MessageBar
    onLinesShown : callable
        () after height lines were shown or hidden.
    onEditSegment, onRemeasure : callable
        (key).
    """

    def __init__(
        self,
        ui: Any,
        session: ReviewSession,
        linesWriter: Any,
        messages: MessageBar,
        onLinesShown: Callable[[], None],
        onEditSegment: Callable[[str], None],
        onRemeasure: Callable[[str], None],
    ) -> None:
        self._ui, self._session, self._lines = ui, session, linesWriter
        self._messages, self._onLinesShown = messages, onLinesShown
        self._key = ""
        self._filled: ReviewedVertebra | None = None
        self._filling = False
        self._fillChoices()
        # A button, because a selector also changes when the mouse wheel turns over it.
        ui.setLevelButton.connect("clicked()", self.setLevel)
        ui.shiftUpButton.connect("clicked()", lambda: self._shift(-1))
        ui.shiftDownButton.connect("clicked()", lambda: self._shift(1))
        ui.runnerUpButton.connect("clicked()", self._applyRunnerUp)
        ui.gradeSelector.connect("currentIndexChanged(int)", self._onGradeChosen)
        ui.overrideButton.connect("clicked()", self.override)
        ui.reasonSelector.lineEdit().connect("returnPressed()", self.override)
        ui.heightLinesCheckBox.connect("toggled(bool)", self._showLines)
        ui.editSegmentButton.connect("clicked()", lambda: onEditSegment(self._key))
        ui.remeasureButton.connect("clicked()", lambda: onRemeasure(self._key))

    def show(self, vertebra: ReviewedVertebra | None, enabled: bool) -> None:
        """Show the values of `vertebra`; None when nothing is chosen."""
        ui, review = self._ui, self._session.review
        ui.correctionBox.enabled = enabled and review is not None
        self._key = vertebra.key if vertebra is not None else ""
        for name in _OF_ONE_VERTEBRA:
            getattr(ui, name).enabled = vertebra is not None
        ui.correctionBox.title = (
            _("Correct {level}").format(level=vertebra.level)
            if vertebra is not None
            else _("Correct the selected vertebra")
        )
        self._showRunnerUp()
        # What is being typed stays unless there is something new to show.
        if vertebra is not None and vertebra != self._filled:
            self._fill(vertebra)
        self._filled = vertebra

    def setLevel(self) -> None:
        """Give the vertebra the chosen level; the others follow as chosen."""
        level = self._ui.levelSelector.currentText
        scope = SCOPES[self._ui.scopeSelector.currentIndex]
        self._change(lambda review, reader: review.setLevel(self._key, level, reader, scope))

    def override(self) -> None:
        """Replace grade and shape by the reader's, or go back to the measured ones."""
        ui = self._ui
        if ui.gradeSelector.currentIndex == len(_GRADES):
            self._change(lambda review, reader: review.clearGradeOverride(self._key, reader))
            return
        grade = _GRADES[ui.gradeSelector.currentIndex]
        shape = FRACTURE_SHAPES[ui.shapeSelector.currentIndex] if grade else None
        reason = ui.reasonSelector.currentText
        if not reason.strip():
            self._messages.error(_("A changed grade needs a reason."), _("Choose or type one."))
            ui.reasonSelector.setFocus()
            return
        key = self._key
        self._change(lambda review, reader: review.overrideGrade(key, grade, shape, reason, reader))

    def _change(self, how: Callable[[Any, str], set[str]]) -> None:
        if not self._session.isOpen:
            return
        self._messages.clear()
        try:
            self._session.change(how)
        except UserError as error:
            self._messages.error(error.message, error.hint)
            # The choice that could not be made must not stay on display.
            if self._key:
                self._fill(self._session.review.vertebra(self._key))

    def _shift(self, steps: int) -> None:
        self._change(lambda review, reader: review.shiftLevels(steps, reader))

    def _applyRunnerUp(self) -> None:
        self._change(lambda review, reader: review.applyRunnerUp(reader))

    def _showLines(self, shown: bool) -> None:
        if self._filling or not self._key:
            return
        vertebra, resultSet = self._session.review.vertebra(self._key), self._session.resultSet
        with self._session.writing():
            if shown:
                self._lines.show(resultSet, vertebra)
            else:
                self._lines.hide(resultSet, self._key)
        self._onLinesShown()

    def _onGradeChosen(self, index: int) -> None:
        fractured = bool(_GRADES[index]) if 0 <= index < len(_GRADES) else False
        self._ui.shapeSelector.enabled = fractured and bool(self._key)

    def _fillChoices(self) -> None:
        ui = self._ui
        ui.levelSelector.addItems([level.name for level in MOBILE_LEVELS])
        ui.scopeSelector.addItems(
            [_("and all others"), _("and those below"), _("and those above"), _("alone")]
        )
        for grade in _GRADES:
            style = gradeStyle(grade)
            meaning = {0: _("none"), 1: _("mild"), 2: _("moderate"), 3: _("severe")}.get(grade)
            text = f"{style.symbol} {style.text} {meaning}" if meaning else _("not graded")
            ui.gradeSelector.addItem(text)
        ui.gradeSelector.addItem(_("as measured"))
        ui.shapeSelector.addItems(list(FRACTURE_SHAPES))
        ui.reasonSelector.addItems([
            _("Degenerative deformity"), _("Schmorl node or endplate change"),
            _("Scheuermann or developmental"), _("Fracture seen in the image"),
            _("Old, healed fracture"), _("Pathological fracture"), _("Heights measured wrongly"),
        ])  # fmt: skip
        ui.reasonSelector.setCurrentIndex(-1)
        ui.reasonSelector.lineEdit().setPlaceholderText(_("Choose or type a reason"))

    def _fill(self, vertebra: ReviewedVertebra) -> None:
        ui = self._ui
        self._filling = True
        try:
            ui.levelSelector.setCurrentIndex(ui.levelSelector.findText(vertebra.level))
            ui.gradeSelector.setCurrentIndex(_GRADES.index(vertebra.grade))
            shape = vertebra.shape if vertebra.shape in FRACTURE_SHAPES else FRACTURE_SHAPES[0]
            ui.shapeSelector.setCurrentIndex(FRACTURE_SHAPES.index(shape))
            self._onGradeChosen(ui.gradeSelector.currentIndex)
            ui.reasonSelector.setEditText(vertebra.reason)
            shown = self._lines.isShown(self._session.resultSet, vertebra.key)
            ui.heightLinesCheckBox.checked = shown
            ui.heightLinesCheckBox.enabled = bool(vertebra.height_lines)
        finally:
            self._filling = False

    def _showRunnerUp(self) -> None:
        review, button = self._session.review, self._ui.runnerUpButton
        labelling = review.runnerUpLabelling() if review is not None else None
        button.visible = labelling is not None
        if labelling:
            names = list(labelling.values())
            button.text = _("AI's second choice: {first} to {last}").format(
                first=names[0], last=names[-1]
            )
            changed = (
                f"{review.vertebra(key).level} \N{RIGHTWARDS ARROW} {level}"
                for key, level in labelling.items()
                if review.vertebra(key).level != level
            )
            button.toolTip = _("Rename all vertebrae to the AI's second choice: {names}").format(
                names=", ".join(changed)
            )
