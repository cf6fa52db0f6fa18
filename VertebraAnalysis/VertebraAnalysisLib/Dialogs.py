"""The few windows that the panel opens; tests hand in answers instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _


class Dialogs:
    """Asks the user.

    Parameters
    ----------
    parent : QWidget, optional
        Window that questions belong to; by default the application's.
    """

    def __init__(self, parent: Any = None) -> None:
        self._parent = slicer.util.mainWindow() if parent is None else parent

    def confirm(self, question: str) -> bool:
        """Ask a question that is answered with yes or no."""
        return bool(slicer.util.confirmYesNoDisplay(question, windowTitle=_title()))

    def askReplace(self, question: str) -> str:
        """Ask what to do about results that are there already.

        Returns
        -------
        str
            ``"replace"``, ``"add"``, or ``"cancel"``.
        """
        box = qt.QMessageBox(self._parent)
        box.setIcon(qt.QMessageBox.Question)
        box.setWindowTitle(_title())
        box.setText(question)
        add = box.addButton(_("Keep them and add"), qt.QMessageBox.AcceptRole)
        replace = box.addButton(_("Replace"), qt.QMessageBox.DestructiveRole)
        box.addButton(qt.QMessageBox.Cancel)
        box.setDefaultButton(add)
        box.exec_()
        clicked = box.clickedButton()
        return "add" if clicked == add else "replace" if clicked == replace else "cancel"

    def chooseLevel(self, question: str, levels: Sequence[str], likeliest: str) -> str:
        """Ask what to call a vertebra; returns one of `levels`, or an empty text."""
        box = qt.QMessageBox(self._parent)
        box.setIcon(qt.QMessageBox.Question)
        box.setWindowTitle(_title())
        box.setText(question)
        buttons = [box.addButton(level, qt.QMessageBox.AcceptRole) for level in levels]
        box.addButton(qt.QMessageBox.Cancel)
        box.setDefaultButton(buttons[list(levels).index(likeliest)])
        box.exec_()
        clicked = box.clickedButton()
        return next((n for n, b in zip(levels, buttons, strict=True) if b == clicked), "")

    def saveFile(self, title: str, name: str, kinds: str) -> str:
        """Ask where to save; returns a path, or an empty text.

        Parameters
        ----------
        title : str
        name : str
            Suggested file name.
        kinds : str
            Qt's filter, e.g. ``"CSV (*.csv)"``.
        """
        path = qt.QFileDialog.getSaveFileName(self._parent, title, name, kinds)
        # PythonQt returns the path alone, other bindings a pair.
        return path if isinstance(path, str) else path[0]

    def chooseFolder(self, title: str) -> str:
        """Ask for a folder; returns a path, or an empty text."""
        return qt.QFileDialog.getExistingDirectory(self._parent, title)


def _title() -> str:
    return _("Vertebra Analysis")
