"""What leaves the panel: surfaces in the 3D view and files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from .MessageBar import MessageBar
from .PanelServices import PanelServices
from .ReviewSession import ReviewSession


class OutputsSection:
    """Wires the section "Outputs".

    Parameters
    ----------
    ui : object
    session : ReviewSession
    services : PanelServices
    messages : MessageBar
    """

    def __init__(
        self, ui: Any, session: ReviewSession, services: PanelServices, messages: MessageBar
    ) -> None:
        self._ui, self._session = ui, session
        self._services, self._messages = services, messages
        self._folder = Path.home()
        self._filling = False
        ui.surfacesCheckBox.connect("toggled(bool)", self._show3D)
        ui.exportCsvButton.connect("clicked()", self.saveCsv)
        ui.exportJsonButton.connect("clicked()", self.saveJson)
        ui.exportLabelsButton.connect("clicked()", self.saveLabels)
        ui.exportPicturesButton.connect("clicked()", self.savePictures)
        session.onChanged(lambda _keys: self.refresh())
        self.refresh()

    def refresh(self) -> None:
        """Offer what there is."""
        ui, isOpen = self._ui, self._session.isOpen
        for name in ("surfacesCheckBox", "exportCsvButton", "exportJsonButton",
                     "exportLabelsButton", "exportPicturesButton"):  # fmt: skip
            getattr(ui, name).enabled = isOpen
        fractured = any(v.grade for v in self._session.vertebrae)
        ui.exportPicturesButton.enabled = isOpen and fractured
        self._filling = True
        ui.surfacesCheckBox.checked = isOpen and self._services.shows3D(self._session.resultSet)
        self._filling = False

    def saveCsv(self) -> None:
        """Ask for a file and write the table."""
        self._saveFile(
            _("Save the table"), "vertebrae.csv", "CSV (*.csv)",
            lambda path: self._services.writeCsv(self._session.review, path),
        )  # fmt: skip

    def saveJson(self) -> None:
        """Ask for a file and write analysis and review."""
        self._saveFile(
            _("Save the analysis"), "vertebrae.json", "JSON (*.json)",
            lambda path: self._services.writeJson(self._session.review, path),
        )  # fmt: skip

    def saveLabels(self) -> None:
        """Ask for a file and write the label map."""
        self._saveFile(
            _("Save the label map"), "labels.nii.gz", "NIfTI (*.nii.gz);;NRRD (*.nrrd)",
            lambda path: self._services.writeLabels(self._session.resultSet, path),
        )  # fmt: skip

    def savePictures(self) -> None:
        """Ask for a folder and write a picture of each fractured level."""
        folder = self._services.dialogs.chooseFolder(_("Save pictures of fractured vertebrae"))
        if not folder:
            return
        with slicer.util.WaitCursor():
            paths = self._messages.attempt(
                lambda: self._services.writePictures(self._session.resultSet, Path(folder))
            )
        if paths is not None:
            self._messages.inform(
                _("{n} pictures were saved in {folder}.").format(n=len(paths), folder=folder)
            )

    def _saveFile(self, title: str, ending: str, kinds: str, write: Callable[[Path], Any]) -> None:
        suggested = self._folder / f"{fileNameOf(self._session.resultSet.inputNode)}{ending}"
        chosen = self._services.dialogs.saveFile(title, str(suggested), kinds)
        if not chosen:
            return
        path = Path(chosen)
        if not path.suffix:
            path = path.with_name(path.name + ending[ending.index(".") :])
        self._folder = path.parent
        with slicer.util.WaitCursor():
            done = self._messages.attempt(lambda: (write(path), True)[1])
        if done:
            self._messages.inform(_("Saved {path}.").format(path=path))

    def _show3D(self, shown: bool) -> None:
        if self._filling or not self._session.isOpen:
            return
        with slicer.util.WaitCursor():
            self._services.show3D(self._session.resultSet, shown)


def fileNameOf(volumeNode: Any) -> str:
    """Beginning of a file name from the volume's name, safe on every file system."""
    name = volumeNode.GetName() if volumeNode is not None else ""
    safe = re.sub(r'[<>:"/\\|?*\x00-\x1f]+', "_", name or "").strip(" .")
    return f"{safe[:80]} " if safe else ""
