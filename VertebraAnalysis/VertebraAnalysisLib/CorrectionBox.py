"""Corrections of one vertebra: its level, grade, heights and mask, and whether it is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _
from vertebra_core.grading.shape_names import FRACTURE_SHAPES
from vertebra_core.levels import MOBILE_LEVELS

from .GradeDrafts import GradeChoice, GradeDrafts
from .GradeStyle import gradeStyle
from .MessageBar import MessageBar
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
        self._editable = False
        self._filled: ReviewedVertebra | None = None
        self._drafts, self._inForce = GradeDrafts(), GradeChoice(0, 0, "")
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
        ui.rejectButton.connect("clicked()", self.reject)

    def show(self, vertebra: ReviewedVertebra | None, enabled: bool) -> None:
        """Show the values of `vertebra`; None when nothing is chosen."""
        ui, review = self._ui, self._session.review
        ui.correctionBox.enabled = enabled and review is not None
        self._key = vertebra.key if vertebra is not None else ""
        self._editable = vertebra is not None and not vertebra.rejected
        for name in _OF_ONE_VERTEBRA:
            getattr(ui, name).enabled = self._editable
        ui.correctionBox.title = _title(vertebra)
        self._showRejection(vertebra)
        self._showRunnerUp()
        if vertebra != self._filled:
            self._keepDraft(vertebra)
        # What is being typed stays unless there is something new to show.
        if vertebra is not None and vertebra != self._filled:
            self._fill(vertebra)
        self._filled = vertebra
        if self._editable:
            self._onGradeChosen(ui.gradeSelector.currentIndex)
            ui.heightLinesCheckBox.enabled = bool(vertebra.height_lines)

    def setLevel(self) -> None:
        """Give the vertebra the chosen level; the others follow as chosen."""
        level = self._ui.levelSelector.currentText
        scope = SCOPES[self._ui.scopeSelector.currentIndex]
        self._change(lambda review, reader: review.setLevel(self._key, level, reader, scope))

    def override(self) -> None:
        """Replace grade and shape by the reader's, or go back to the measured ones."""
        ui = self._ui
        if ui.gradeSelector.currentIndex == len(_GRADES):
            key = self._key
            self._change(lambda review, reader: review.clearGradeOverride(key, reader))
            self._drafts.forget(key)
            if self._session.isOpen:
                self._fill(self._session.review.vertebra(key))
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

    def reject(self) -> None:
        """Call it no vertebra, or one again if it was rejected."""
        key, review = self._key, self._session.review
        if not key or review is None:
            return
        rejected = not review.vertebra(key).rejected
        self._change(lambda review, reader: review.setRejected(key, rejected, reader))

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
        self._ui.shapeSelector.enabled = _isFracture(index) and self._editable

    def _keepDraft(self, shown: ReviewedVertebra | None) -> None:
        """Keep what was chosen for the vertebra shown so far, and say so if another one follows."""
        left = self._filled
        if left is not None:
            chosen = self._inForce if left.rejected else self._choice()
            kept = self._drafts.keep(left.key, self._inForce, chosen)
            if kept and (shown is None or shown.key != left.key):
                self._messages.warn(
                    _("The grade or reason given for {level} is not kept yet.").format(
                        level=left.level
                    ),
                    _("Go back to its row and press Override."),
                )
        if shown is None:
            self._drafts.clear()

    def _choice(self) -> GradeChoice:
        ui = self._ui
        grade = ui.gradeSelector.currentIndex
        shape = ui.shapeSelector.currentIndex if _isFracture(grade) else 0
        return GradeChoice(grade, shape, ui.reasonSelector.currentText.strip())

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
            ui.reasonSelector.setEditText(vertebra.reason)
            self._inForce = self._choice()
            choice = self._drafts.of(vertebra.key, self._inForce)
            if choice != self._inForce:
                ui.gradeSelector.setCurrentIndex(choice.grade)
                ui.shapeSelector.setCurrentIndex(choice.shape)
                ui.reasonSelector.setEditText(choice.reason)
            shown = self._lines.isShown(self._session.resultSet, vertebra.key)
            ui.heightLinesCheckBox.checked = shown
        finally:
            self._filling = False

    def _showRejection(self, vertebra: ReviewedVertebra | None) -> None:
        button = self._ui.rejectButton
        button.enabled = vertebra is not None
        if vertebra is not None and vertebra.rejected:
            button.text = _("Restore")
            button.toolTip = _("Take it for a vertebra again, with all that was known of it")
        else:
            button.text = _("Not a vertebra")
            button.toolTip = _(
                "Take it out of counts, label map, pictures and views, because it is no vertebra. "
                "Its row stays, and can be restored."
            )

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


def _isFracture(gradeIndex: int) -> bool:
    return 0 <= gradeIndex < len(_GRADES) and bool(_GRADES[gradeIndex])


def _title(vertebra: ReviewedVertebra | None) -> str:
    if vertebra is None:
        return _("Correct the selected vertebra")
    if vertebra.rejected:
        return _("{level} is no vertebra").format(level=vertebra.level)
    return _("Correct {level}").format(level=vertebra.level)
