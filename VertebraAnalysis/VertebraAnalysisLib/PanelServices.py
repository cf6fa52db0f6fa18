"""What the panel asks of the rest of the module. Tests hand in parts of their own.

Everything is imported when it is first used, so that the panel opens at once.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _
from vertebra_core.output.scene_keys import RESULT_SET_ATTRIBUTE

from .Dialogs import Dialogs
from .Review import Review

_READER_SETTING = "VertebraAnalysis/Reader"


class PanelServices:
    """The real services; see the methods.

    Parameters
    ----------
    dialogs : Dialogs, optional
        Answers questions.
    core : CoreCommand, optional
        How the inference core is started; default as the application does it.
    """

    def __init__(self, dialogs: Dialogs | None = None, core: Any = None) -> None:
        self.dialogs = dialogs or Dialogs()
        self._core = core
        self._sceneWriter: Any = None
        self._linesWriter: Any = None
        self._navigation: Any = None

    # Running the core

    def inputProblem(self, volumeNode: Any) -> str:
        """Why a volume cannot be analyzed; empty when it can."""
        from .InputChecks import inputProblem

        return inputProblem(volumeNode)

    def inputWarning(self, volumeNode: Any) -> str:
        """What makes results of a volume uncertain; empty when nothing does."""
        from .InputChecks import inputWarning

        return inputWarning(volumeNode)

    def ensureDependencies(self, askUser: Callable[[str], bool]) -> bool:
        """Make sure that the core can run; nothing is installed unless `askUser` says yes."""
        from .Dependencies import ensure

        return ensure(askUser)

    def makeRun(self, inputNode: Any, options: Any, **callbacks: Any) -> Any:
        """Return an analysis of `inputNode`, not started."""
        from .AnalysisRun import AnalysisRun

        return AnalysisRun(inputNode, options, **callbacks, core=self._core)

    def makeRemeasurement(self, resultSet: Any, review: Review, keys: Any, options: Any,
                          **callbacks: Any) -> Any:  # fmt: skip
        """Return a measurement of edited segments, not started."""
        from .Remeasure import Remeasure

        return Remeasure(resultSet, review, keys, options, **callbacks, core=self._core)

    def makeAddition(self, resultSet: Any, review: Review, point: Any, level: str, options: Any,
                     **callbacks: Any) -> Any:  # fmt: skip
        """Return a search for a missed vertebra at a point, world RAS mm, not started."""
        from .AddVertebra import AddVertebra

        return AddVertebra(resultSet, review, point, level, options, **callbacks, core=self._core)

    def loadSample(self) -> Any:
        """Load the sample CT and return its node."""
        from .SampleDataRegistration import loadSample

        return loadSample()

    # The scene

    @property
    def sceneWriter(self) -> Any:
        """Writes results and keeps them in step with the review."""
        if self._sceneWriter is None:
            from .SceneWriter import SceneWriter

            self._sceneWriter = SceneWriter()
        return self._sceneWriter

    @property
    def linesWriter(self) -> Any:
        """Shows, hides and reads height lines."""
        if self._linesWriter is None:
            from .HeightLinesWriter import HeightLinesWriter

            self._linesWriter = HeightLinesWriter
        return self._linesWriter

    @property
    def navigation(self) -> Any:
        """Moves the views."""
        if self._navigation is None:
            from .ViewNavigation import ViewNavigation

            self._navigation = ViewNavigation(slicer.mrmlScene)
        return self._navigation

    def showVolume(self, volumeNode: Any) -> None:
        """Show the CT of results in the slice views; see `ShownVolume.showVolume`."""
        from .ShownVolume import showVolume

        showVolume(volumeNode)

    def inWorld(self, resultSet: Any, vertebra: Any) -> Any:
        """A vertebra as reviewed, where a transform above its results has taken it."""
        from .InputPlace import resultsToWorld
        from .MovedVertebra import movedVertebra

        return movedVertebra(vertebra.current, resultsToWorld(resultSet))

    def vertebraAt(self, resultSet: Any, pointRas: Any) -> str:
        """Key of the vertebra that is outlined at a point of the world; empty if none is."""
        from .SegmentAtPoint import keyAtPoint

        return keyAtPoint(resultSet.segmentationNode, pointRas)

    def fromWorld(self, resultSet: Any, pointRas: Any) -> Any:
        """A point of the world, RAS mm, in the coordinates of the analysis, LPS mm."""
        from .InputPlace import pointFromWorld

        return pointFromWorld(resultSet, pointRas)

    def resultSet(self, textNode: Any) -> Any:
        """The result set of a text node; None without one."""
        from .ResultSet import ResultSet

        isOne = textNode is not None and textNode.GetAttribute(RESULT_SET_ATTRIBUTE)
        return ResultSet(textNode) if isOne else None

    def resultSets(self, volumeNode: Any = None) -> list[Any]:
        """All result sets of the scene, or of one CT; oldest first."""
        from .ResultSet import ResultSet

        if volumeNode is None:
            return ResultSet.findAll(slicer.mrmlScene)
        return ResultSet.forInput(volumeNode)

    def importResults(self, folder: Path, volumeNode: Any) -> Any:
        """Open a folder of the command line as results of a CT."""
        from .ResultImport import importResults

        return importResults(folder, volumeNode, self.sceneWriter)

    def show3D(self, resultSet: Any, shown: bool) -> None:
        """Show or hide the surfaces of the vertebrae."""
        from .SegmentationWriter import SegmentationWriter

        SegmentationWriter.show3D(resultSet, shown)

    def shows3D(self, resultSet: Any) -> bool:
        """Whether the surfaces are shown."""
        from .SegmentationWriter import SegmentationWriter

        return SegmentationWriter.isShown3D(resultSet)

    def editSegment(self, resultSet: Any, key: str) -> None:
        """Open a vertebra in Segment Editor.

        Raises
        ------
        UserError
            If it has no segment, be it deleted or never there.
        """
        from .UserError import UserError

        segmentId = resultSet.segmentIdOfKey(key)
        if not segmentId:
            raise UserError(
                "This vertebra has no mask.", "If it was deleted, undo that; else analyze again."
            )
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
        editor.setSegmentationNode(resultSet.segmentationNode)
        if resultSet.inputNode is not None:
            editor.setSourceVolumeNode(resultSet.inputNode)
        editor.setCurrentSegmentID(segmentId)

    def nameSegments(self, resultSet: Any, review: Review) -> str:
        """Name segments by the levels of the review, which an undo elsewhere may have changed.

        Returns what the user should know: which bore the name of another level. Empty if none did.
        """
        from .SegmentationWriter import SegmentationWriter

        nodes = (resultSet.segmentationNode, resultSet.bodiesNode)
        misnamed = [n for node in nodes for n in SegmentationWriter.update(node, review.vertebrae)]
        if not misnamed:
            return ""
        text = _(
            "Segments with the names of other levels are called as in the table again: {names}. "
            "Set levels here, so that table and segments agree."
        )
        return text.format(names=", ".join(dict.fromkeys(misnamed)))

    # Files

    def writeCsv(self, review: Review, path: Path) -> None:
        """Write the table."""
        from .ReviewExport import writeCsv

        writeCsv(review, path)

    def writeJson(self, review: Review, path: Path) -> None:
        """Write analysis and review."""
        from .ReviewExport import writeJson

        writeJson(review, path)

    def writeLabels(self, resultSet: Any, path: Path) -> None:
        """Write the label map."""
        from .LabelMapExport import LabelMapExport

        LabelMapExport.write(resultSet, path)

    def leftOutOfLabels(self, resultSet: Any) -> list[str]:
        """Names of the segments that the label map cannot hold."""
        from .LabelMapExport import LabelMapExport

        return LabelMapExport.leftOut(resultSet)

    def vertebraeWithoutMask(self, resultSet: Any) -> list[str]:
        """Levels of the vertebrae that the label map lacks, as they have no segment."""
        from .LabelMapExport import LabelMapExport

        return LabelMapExport.withoutMask(resultSet)

    def writePictures(self, resultSet: Any, folder: Path) -> list[Path]:
        """Write a picture of each fractured level."""
        from .Screenshots import Screenshots

        return Screenshots(resultSet).export(folder)

    def writeReport(self, resultSet: Any, path: Path) -> None:
        """Write the report of the results as reviewed."""
        from .ReportExport import writeReport

        writeReport(resultSet, path)

    def readerName(self) -> str:
        """Who is at the computer: as told last, else as the application or the system knows.

        Never from the scene: whoever opens another's scene must not sign in that name.
        """
        told = qt.QSettings().value(_READER_SETTING)
        if told:
            return str(told)
        logic = slicer.app.applicationLogic()
        user = logic.GetUserInformation() if hasattr(logic, "GetUserInformation") else None
        name = user.GetName() if user is not None else ""
        if name:
            return name
        try:
            return getpass.getuser()
        except (OSError, KeyError, ImportError):
            return ""

    def keepReaderName(self, name: str) -> None:
        """Remember who reviews at this computer; forget who did if there is no name."""
        if name:
            qt.QSettings().setValue(_READER_SETTING, name)
        else:
            qt.QSettings().remove(_READER_SETTING)
