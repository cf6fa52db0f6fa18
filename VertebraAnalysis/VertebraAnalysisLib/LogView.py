"""The log: what the analysis process said, for whoever looks into a problem."""

from __future__ import annotations

import time
from typing import Any

import qt

_MAX_LINES = 2000


class LogView:
    """Appends lines to the panel's log.

    Parameters
    ----------
    ui : object
        With `logView` and `copyLogButton`.
    """

    def __init__(self, ui: Any) -> None:
        self._view = ui.logView
        self._view.maximumBlockCount = _MAX_LINES
        ui.copyLogButton.connect("clicked()", self.copy)

    def add(self, line: str) -> None:
        """Append a line, with the time of day."""
        self._view.appendPlainText(f"{time.strftime('%H:%M:%S')}  {line.rstrip()}")

    @property
    def text(self) -> str:
        """The whole log."""
        return self._view.plainText

    def copy(self) -> None:
        """Put the log on the clipboard."""
        qt.QApplication.clipboard().setText(self.text)
