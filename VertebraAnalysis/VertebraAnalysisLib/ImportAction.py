"""The button that opens a folder of the command line as results of the selected CT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from .InputSection import InputSection
from .LogView import LogView
from .MessageBar import MessageBar
from .PanelServices import PanelServices


class ImportAction:
    """Wires "Open results...".

    Parameters
    ----------
    ui : object
        With `importButton`.
    services : PanelServices
    inputSection : InputSection
    messages : MessageBar
    log : LogView
    onResults : callable
        (ResultSet) when the results are in the scene.
    """

    def __init__(
        self,
        ui: Any,
        services: PanelServices,
        inputSection: InputSection,
        messages: MessageBar,
        log: LogView,
        onResults: Callable[[Any], None],
    ) -> None:
        self._button, self._services, self._input = ui.importButton, services, inputSection
        self._messages, self._log, self._onResults = messages, log, onResults
        self._button.connect("clicked()", self.open)

    def showState(self, busy: bool) -> None:
        """Offer it while there is a CT and nothing is at work."""
        hasCt = self._input.node is not None
        self._button.enabled = hasCt and not busy
        self._button.toolTip = (
            _("Open a folder that the command line wrote as results of the CT chosen above")
            if hasCt
            else _("Choose a CT first")
        )

    def open(self) -> None:
        """Ask for a folder and review what it holds; results that are there already stay."""
        node = self._input.node
        folder = self._services.dialogs.chooseFolder(_("Folder of results of this CT"))
        if not folder:
            return
        self._messages.clear()
        with slicer.util.WaitCursor():
            results = self._messages.attempt(
                lambda: self._services.importResults(Path(folder), node)
            )
        if results is None:
            return
        self._log.add(_("Results of {name} were opened.").format(name=node.GetID()))
        self._onResults(results)
        if not self._messages.kind:
            self._messages.inform(_("The results were opened as {name}.").format(name=results.name))
