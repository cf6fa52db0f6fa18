"""The table of vertebrae: a row each, from head to foot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import qt
from slicer.i18n import tr as _

from .GradeStyle import gradeStyle
from .ReviewedVertebra import ReviewedVertebra
from .VertebraCells import cells

_ROWS_SHOWN = 12
_FONT_SCALE = 0.92


def columns() -> dict[str, tuple[str, str]]:
    """Column name -> its header and what that means."""
    return {
        "Level": (_("Level"), _("Level of the vertebra. Tick it when you have reviewed it.")),
        "Grade": (_("Grade"), _("Genant grade: G0 none, G1 mild, G2 moderate, G3 severe; ? means "
                                "close to the next grade; * means changed by the reader.")),
        "Shape": (_("Shape"), _("Shape of the deformity: wedge, biconcave or crush")),
        "Loss": (_("Loss"), _("Height loss that is graded, against what the level should have")),
        "Ha": (_("Ha"), _("Anterior height of the body, mm")),
        "Hm": (_("Hm"), _("Middle height of the body, mm")),
        "Hp": (_("Hp"), _("Posterior height of the body, mm")),
        "HU": (_("HU"), _("Mean density of the trabecular bone, HU")),
        "Conf.": (_("Conf."), _("Probability that the level is right")),
        "Flags": (_("Flags"), _("What to look at; the reasons are below the table")),
    }  # fmt: skip


class ResultsTable:
    """Shows vertebrae in a QTableWidget and tells which one the user chose.

    Parameters
    ----------
    widget : QTableWidget
    onChosen : callable
        (key) when the user, or `select`, chooses a vertebra.
    onTicked : callable
        (key, reviewed) when the user ticks a vertebra.
    """

    def __init__(
        self,
        widget: Any,
        onChosen: Callable[[str], None],
        onTicked: Callable[[str, bool], None],
    ) -> None:
        self._widget = widget
        self._onChosen, self._onTicked = onChosen, onTicked
        self._keys: list[str] = []
        self._filling = self._justChosen = False
        headers = columns()
        self._columns = list(headers)
        widget.setColumnCount(len(headers))
        for index, (title, meaning) in enumerate(headers.values()):
            item = qt.QTableWidgetItem(title)
            item.setToolTip(meaning)
            widget.setHorizontalHeaderItem(index, item)
        # Ten columns must fit into the 400 pixels that the application gives its panels.
        font = widget.font
        if font.pointSizeF() > 0:
            font.setPointSizeF(_FONT_SCALE * font.pointSizeF())
            widget.setFont(font)
        widget.verticalHeader().setVisible(False)
        widget.verticalHeader().setDefaultSectionSize(widget.fontMetrics().height() + 8)
        header = widget.horizontalHeader()
        header.setFont(font)
        header.setHighlightSections(False)
        header.setMinimumSectionSize(24)
        header.setSectionResizeMode(len(headers) - 1, qt.QHeaderView.Stretch)
        header.setDefaultAlignment(qt.Qt.AlignLeft | qt.Qt.AlignVCenter)
        widget.connect("currentCellChanged(int,int,int,int)", self._onCurrentChanged)
        widget.connect("cellClicked(int,int)", self._onClicked)
        widget.connect("itemChanged(QTableWidgetItem*)", self._onItemChanged)

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the rows, top to bottom."""
        return tuple(self._keys)

    @property
    def selectedKey(self) -> str:
        """Key of the current row; empty without one."""
        row = self._widget.currentRow()
        return self._keys[row] if 0 <= row < len(self._keys) else ""

    def text(self, key: str, column: str) -> str:
        """What a cell shows."""
        return self._widget.item(self._keys.index(key), self._columns.index(column)).text()

    def fill(self, vertebrae: Sequence[ReviewedVertebra], edited: Collection[str] = ()) -> None:
        """Show other vertebrae; none is chosen then.

        Parameters
        ----------
        vertebrae : sequence of ReviewedVertebra
        edited : collection of str
            Keys of those whose masks were edited since they were measured.
        """
        self._filling = True
        try:
            self._keys = [v.key for v in vertebrae]
            self._widget.setRowCount(0)
            self._widget.setRowCount(len(vertebrae))
            for row, vertebra in enumerate(vertebrae):
                self._fillRow(row, vertebra, vertebra.key in edited)
            self._widget.setCurrentCell(-1, -1)
        finally:
            self._filling = False
        self._fit()

    def update(self, vertebrae: Sequence[ReviewedVertebra], edited: Collection[str] = ()) -> None:
        """Show new values of vertebrae that are in the table; see `fill`."""
        self._filling = True
        try:
            for vertebra in vertebrae:
                row = self._keys.index(vertebra.key)
                self._fillRow(row, vertebra, vertebra.key in edited)
        finally:
            self._filling = False

    def select(self, key: str) -> None:
        """Choose a vertebra as a click on its row would."""
        if key in self._keys:
            self._widget.setCurrentCell(self._keys.index(key), 0)
            self._justChosen = False

    def choose(self, key: str) -> None:
        """Make a row the current one again without telling; none if there is no such key."""
        self._filling = True
        try:
            if key in self._keys:
                row = self._keys.index(key)
                self._widget.setCurrentCell(row, 0)
                self._widget.selectRow(row)
        finally:
            self._filling = False

    def _fillRow(self, row: int, vertebra: ReviewedVertebra, edited: bool) -> None:
        for column, (name, cell) in enumerate(cells(vertebra).items()):
            item = self._widget.item(row, column)
            if item is None:
                item = qt.QTableWidgetItem()
                self._widget.setItem(row, column, item)
            text = cell.text + ("*" if cell.changed else "")
            toolTip = cell.toolTip
            if name == "Flags" and edited:
                text = f"{_('mask edited')} {text}".strip()
                toolTip = f"{_('The mask was edited: press Re-measure.')}\n{toolTip}".strip()
            item.setText(text)
            item.setToolTip(toolTip)
            font = item.font()
            font.setBold(cell.changed)
            font.setStrikeOut(vertebra.rejected and name != "Flags")
            item.setFont(font)
            if name in ("Loss", "Ha", "Hm", "Hp", "HU", "Conf."):
                item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
            if name == "Grade":
                style = gradeStyle(None if vertebra.rejected else vertebra.grade)
                item.setBackground(qt.QBrush(qt.QColor(*style.color)))
                item.setForeground(qt.QBrush(qt.QColor(*style.textColor)))
                # The colour of the grade must not vanish under that of the selection.
                item.setFlags(qt.Qt.ItemIsEnabled)
            if name == "Level":
                plain = qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable
                tickable = item.flags() | qt.Qt.ItemIsUserCheckable
                item.setFlags(plain if vertebra.rejected else tickable)
                item.setCheckState(qt.Qt.Checked if vertebra.reviewed else qt.Qt.Unchecked)

    def _fit(self) -> None:
        table = self._widget
        # The flags get what is left; what does not fit is in the tool tip and below the table.
        for column in range(len(self._columns) - 1):
            table.resizeColumnToContents(column)
        # A change must not cut the level: "T12*".
        spare = table.fontMetrics().horizontalAdvance("*")
        table.setColumnWidth(0, table.columnWidth(0) + spare)
        rows = min(max(len(self._keys), 4), _ROWS_SHOWN)
        rowPx = table.verticalHeader().defaultSectionSize
        height = (1 + rows) * rowPx
        table.setMinimumHeight(height + 2 * table.frameWidth + 2)

    def _onCurrentChanged(self, row: int, _column: int, rowBefore: int, _columnBefore: int) -> None:
        if self._filling or row == rowBefore or not 0 <= row < len(self._keys):
            return
        self._justChosen = True
        self._widget.selectRow(row)
        self._onChosen(self._keys[row])

    def _onClicked(self, row: int, _column: int) -> None:
        # Qt selects nothing at a press on the grade, which cannot be selected itself.
        self._widget.selectRow(row)
        # The press that came before has already chosen the row, unless it was the current one.
        if not self._justChosen and 0 <= row < len(self._keys):
            self._onChosen(self._keys[row])
        self._justChosen = False

    def _onItemChanged(self, item: Any) -> None:
        if self._filling or item.column() != 0:
            return
        self._onTicked(self._keys[item.row()], item.checkState() == qt.Qt.Checked)
