"""The one place of the panel where it speaks in sentences, instead of pop-up windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from .UserError import UserError

_ICON_PX = 18


class MessageBar:
    """Shows one message until it is dismissed or replaced.

    Parameters
    ----------
    ui : object
        With `messagePanel`, `messageIcon`, `messageLabel`, `dismissButton`.
    """

    def __init__(self, ui: Any) -> None:
        self._panel, self._icon, self._label = ui.messagePanel, ui.messageIcon, ui.messageLabel
        self.kind = ""
        ui.dismissButton.connect("clicked()", self.clear)
        self.clear()

    @property
    def text(self) -> str:
        """What is shown; empty when nothing is."""
        return self._label.text if self.kind else ""

    def error(self, message: str, hint: str = "") -> None:
        """Say what went wrong and what to do."""
        self._show("error", f"{message} {hint}".strip(), qt.QStyle.SP_MessageBoxCritical)

    def warn(self, message: str, hint: str = "") -> None:
        """Say what should be looked at."""
        self._show("warning", f"{message} {hint}".strip(), qt.QStyle.SP_MessageBoxWarning)

    def inform(self, message: str) -> None:
        """Say what was done."""
        self._show("information", message, qt.QStyle.SP_MessageBoxInformation)

    def attempt(self, action: Callable[[], Any]) -> Any:
        """Do something and say so if the user must do it otherwise; returns what it returns."""
        try:
            return action()
        except UserError as error:
            self.error(error.message, error.hint)
        except OSError as error:
            self.error(
                _("The file cannot be written ({reason}).").format(reason=error.strerror or error),
                _("Choose another place."),
            )
        return None

    def clear(self) -> None:
        """Show nothing."""
        self.kind = ""
        self._panel.visible = False

    def _show(self, kind: str, text: str, symbol: Any) -> None:
        self.kind = kind
        icon = self._panel.style().standardIcon(symbol)
        self._icon.setPixmap(icon.pixmap(_ICON_PX, _ICON_PX))
        # Messages quote names and paths, which must not be read as markup.
        self._label.textFormat = qt.Qt.PlainText
        self._label.text = text
        self._panel.visible = True
