"""What leaves the panel: surfaces in the 3D view, the copied table, and files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from .LabelMapExport import FILE_ENDINGS
from .MessageBar import MessageBar
from .PanelServices import PanelServices
from .ResultSet import hasSegments
from .ReviewSession import ReviewSession
from .TableText import tableText

_LONGEST_BEGINNING = 150


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
        ui.copyTableButton.connect("clicked()", self.copyTable)
        ui.exportCsvButton.connect("clicked()", self.saveCsv)
        ui.exportJsonButton.connect("clicked()", self.saveJson)
        ui.exportLabelsButton.connect("clicked()", self.saveLabels)
        ui.exportPicturesButton.connect("clicked()", self.savePictures)
        ui.exportReportButton.connect("clicked()", self.saveReport)
        # The table's own answer to these keys is to copy a single cell.
        self._copyShortcut = qt.QShortcut(qt.QKeySequence("Ctrl+C"), ui.resultsTable)
        self._copyShortcut.setContext(qt.Qt.WidgetShortcut)
        # Ambiguous where the application has them in a menu too.
        for signal in ("activated()", "activatedAmbiguously()"):
            self._copyShortcut.connect(signal, self.copyTable)
        session.onChanged(lambda _keys: self.refresh())
        self.refresh()

    def refresh(self) -> None:
        """Offer what there is."""
        ui, isOpen, results = self._ui, self._session.isOpen, self._session.resultSet
        for name in ("copyTable", "exportCsv", "exportJson", "exportReport"):
            getattr(ui, f"{name}Button").enabled = isOpen
        masks = isOpen and results.exists and hasSegments(results.segmentationNode)
        ui.surfacesCheckBox.enabled = ui.exportLabelsButton.enabled = masks
        fractured = any(v.fractured for v in self._session.vertebrae)
        ui.exportPicturesButton.enabled = isOpen and fractured
        self._filling = True
        ui.surfacesCheckBox.checked = masks and self._services.shows3D(results)
        self._filling = False

    def copyTable(self) -> None:
        """Put the table on the clipboard."""
        if self._session.isOpen and not self._session.review.accepted:
            self._messages.warn(_("No vertebra is left to copy."), _("Restore one first."))
        elif self._session.isOpen:
            qt.QApplication.clipboard().setText(tableText(self._session.review.accepted))
            self._messages.inform(_("The table was copied."))

    def saveCsv(self) -> None:
        """Ask for a file and write the table."""
        self._saveFile(
            _("Save the table"), "vertebrae", "CSV (*.csv)", (".csv",),
            lambda path: self._services.writeCsv(self._session.review, path),
        )  # fmt: skip

    def saveJson(self) -> None:
        """Ask for a file and write analysis and review."""
        self._saveFile(
            _("Save the analysis"), "vertebrae", "JSON (*.json)", (".json",),
            lambda path: self._services.writeJson(self._session.review, path),
        )  # fmt: skip

    def saveLabels(self) -> None:
        """Ask for a file and write the label map."""
        path = self._saveFile(
            _("Save the label map"), "labels", "NIfTI (*.nii.gz);;NRRD (*.nrrd)", FILE_ENDINGS,
            lambda path: self._services.writeLabels(self._session.resultSet, path),
        )  # fmt: skip
        if path:
            self._tellWhatLabelsLack(path)

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
            text = _("{n} pictures were saved in {folder}.")
            if len(paths) == 1:
                text = _("1 picture was saved in {folder}.")
            self._messages.inform(text.format(n=len(paths), folder=folder))

    def saveReport(self) -> None:
        """Ask for a file and write the page with pictures."""
        self._saveFile(
            _("Save the report"), "report", "HTML (*.html)", (".html",),
            lambda path: self._services.writeReport(self._session.resultSet, path),
        )  # fmt: skip

    def _saveFile(
        self,
        title: str,
        name: str,
        kinds: str,
        endings: tuple[str, ...],
        write: Callable[[Path], Any],
    ) -> Path | None:
        """Ask for a file and write it; returns its path if it was written."""
        beginning = fileNameOf(self._session.resultSet.inputNode)
        suggested = self._folder / f"{beginning}{name}{endings[0]}"
        chosen = self._services.dialogs.saveFile(title, str(suggested), kinds)
        if not chosen:
            return None
        path = withEnding(Path(chosen), endings)
        # The dialog has asked about the name as it was typed only.
        if path != Path(chosen) and path.exists():
            question = _("{name} is there already. Replace it?").format(name=path.name)
            if not self._services.dialogs.confirm(question):
                return None
        self._folder = path.parent
        with slicer.util.WaitCursor():
            done = self._messages.attempt(lambda: (write(path), True)[1])
        if not done:
            return None
        self._messages.inform(_("Saved {path}.").format(path=path))
        return path

    def _tellWhatLabelsLack(self, path: Path) -> None:
        results, lacking = self._session.resultSet, []
        for text, names in (
            (_("Left out, as they are no levels: {names}."), self._services.leftOutOfLabels),
            (_("Without a mask, so not in it: {names}."), self._services.vertebraeWithoutMask),
        ):
            if found := names(results):
                lacking.append(text.format(names=", ".join(found)))
        if lacking:
            self._messages.warn(_("Saved {path}.").format(path=path), " ".join(lacking))

    def _show3D(self, shown: bool) -> None:
        if self._filling or not self._session.isOpen:
            return
        with slicer.util.WaitCursor():
            self._services.show3D(self._session.resultSet, shown)


def withEnding(path: Path, endings: tuple[str, ...]) -> Path:
    """Return a path that ends in one of `endings`; the first is added where none is there.

    What follows a dot is no ending by itself: ``T 1.5 mm`` becomes ``T 1.5 mm.csv``, while
    ``map.nii`` becomes ``map.nii.gz``.
    """
    name, ending = path.name.lower(), endings[0]
    if name.endswith(endings):
        return path
    begun = Path(ending).stem
    missing = ending.removeprefix(begun) if name.endswith(begun) else ending
    return path.with_name(path.name + missing)


def fileNameOf(volumeNode: Any) -> str:
    """Beginning of a file name from the volume's name, safe on every file system."""
    name = volumeNode.GetName() if volumeNode is not None else ""
    safe = re.sub(r'[<>:"/\\|?*\x00-\x1f]+', "_", name or "").strip(" .")
    # Bytes are what file systems limit: 255, with what follows here and while it is written.
    cut = safe.encode("utf-8", "ignore")[:_LONGEST_BEGINNING].decode("utf-8", "ignore").rstrip(" .")
    return f"{cut} " if cut else ""
