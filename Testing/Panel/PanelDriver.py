"""Drives the real panel as a user does: clicks, keys, and waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from QtStandIns import startSlicerWithQt
from ScriptedDialogs import ScriptedDialogs

UI_FILE = Path(__file__).resolve().parents[2] / "VertebraAnalysis/Resources/UI/VertebraAnalysis.ui"


class PanelDriver:
    """A panel in a window of its own.

    Parameters
    ----------
    core : CoreCommand, optional
        What runs as the inference core; the real one by default.
    widthPx : int
        As wide as the module panel is in the application.
    """

    def __init__(self, core: Any = None, widthPx: int = 440) -> None:
        self.slicer = startSlicerWithQt()
        from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic
        from VertebraAnalysisLib.Panel import Panel
        from VertebraAnalysisLib.PanelServices import PanelServices

        class VertebraAnalysisLogic(ScriptedLoadableModuleLogic):
            """The logic, as far as the panel asks of it."""

        self.dialogs = ScriptedDialogs()
        self.widget = self.slicer.util.loadUI(str(UI_FILE))
        self.core = core
        services = PanelServices(self.dialogs, core)
        self.panel = Panel(self.widget, VertebraAnalysisLogic(), services)
        self.ui = self.panel.ui
        self.widget.resize(widthPx, 980)
        self.widget.show()
        self.panel.enter()
        self.settle()

    def close(self) -> None:
        """Take the panel away, as the application does when it ends."""
        self.panel.cleanup()
        self.widget.setMRMLScene(None)
        self.widget.close()
        self.widget.deleteLater()
        self.settle()

    def keyOf(self, level: str) -> str:
        """Return the key of the vertebra that has a level."""
        return next(v.key for v in self.panel.session.vertebrae if v.level == level)

    def settle(self) -> None:
        """Let Qt do what waits to be done."""
        for _ in range(3):
            self.slicer.app.processEvents()

    def waitUntil(self, reached: Callable[[], bool], seconds: float = 120.0) -> bool:
        """Let the application live until something is reached; tells whether it was."""
        deadline = time.monotonic() + seconds
        while not reached() and time.monotonic() < deadline:
            self.slicer.app.processEvents()
            time.sleep(0.01)
        return reached()

    def click(self, name: str) -> None:
        """Click a button or check box by the mouse; it must be visible and enabled."""
        button = getattr(self.ui, name)
        assert button.isVisible(), f"{name} is not visible"
        assert button.isEnabled(), f"{name} is not enabled"
        self._click(button, 12, button.height // 2)

    def clickRow(self, row: int, column: int = 1) -> None:
        """Click a cell of the results table."""
        table = self.ui.resultsTable
        place = table.visualItemRect(table.item(row, column)).center()
        self._click(table.viewport(), place.x(), place.y())

    def press(self, widgetName: str, key: str) -> None:
        """Press a key in a widget: ``"R"``, ``"Return"``, ``"Down"`` ..."""
        from PySide6 import QtCore, QtTest

        widget = getattr(self.ui, widgetName)
        self.widget.activateWindow()
        widget.setFocus()
        self.settle()
        QtTest.QTest.keyClick(widget, getattr(QtCore.Qt, f"Key_{key}"))
        self.settle()

    def choose(self, name: str, text: str) -> None:
        """Choose an entry of a combo box as a user does."""
        box = getattr(self.ui, name)
        index = next(i for i in range(box.count) if text in box.itemText(i))
        box.setCurrentIndex(index)
        box.activated.emit(index)
        self.settle()

    def rows(self, column: str) -> list[str]:
        """Texts of a column of the results table, top to bottom."""
        return [self.panel.table.text(key, column) for key in self.panel.table.keys]

    def picture(self, path: Path | str) -> None:
        """Save what the panel looks like."""
        self.settle()
        self.widget.grab().save(str(path))

    def _click(self, widget: Any, x: int, y: int) -> None:
        from PySide6 import QtCore, QtTest

        button, modifiers = QtCore.Qt.LeftButton, QtCore.Qt.NoModifier
        QtTest.QTest.mouseClick(widget, button, modifiers, QtCore.QPoint(x, y))
        self.settle()
