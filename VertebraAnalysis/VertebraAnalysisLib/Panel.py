"""The panel: puts its parts together and keeps them in step with the scene."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin
from vertebra_core.output.scene_keys import RESULT_SET_ATTRIBUTE

from .AnalysisActions import AnalysisActions
from .InputSection import InputSection
from .LogView import LogView
from .MessageBar import MessageBar
from .OutputsSection import OutputsSection
from .PanelServices import PanelServices
from .ParameterNode import ParameterNode
from .ProgressView import ProgressView
from .ReviewedVertebra import ReviewedVertebra
from .ReviewSection import ReviewSection
from .ReviewSession import ReviewSession
from .RunController import RunController
from .UserError import UserError


class Panel(VTKObservationMixin):
    """The user interface of the module.

    Parameters
    ----------
    uiWidget : qMRMLWidget
        Loaded from ``VertebraAnalysis.ui``.
    logic : ScriptedLoadableModuleLogic
        Gives the parameter node.
    services : PanelServices, optional
        What the panel calls upon.
    """

    def __init__(self, uiWidget: Any, logic: Any, services: PanelServices | None = None) -> None:
        VTKObservationMixin.__init__(self)
        self.uiWidget, self._logic = uiWidget, logic
        self.ui = ui = slicer.util.childWidgetVariables(uiWidget)
        self.services = services = services or PanelServices()
        self.parameters: ParameterNode | None = None
        self._guiTag: Any = None
        self._unfolded: bool | None = None

        self.messages, self.log = MessageBar(ui), LogView(ui)
        self.runs = RunController(ProgressView(ui), self.messages, self.log, self._showState)
        self.session = ReviewSession(services.sceneWriter, lambda: self.reader)
        self.input = InputSection(
            ui, services.inputProblem, services.inputWarning, self._onInputChanged
        )
        self.actions = AnalysisActions(
            services, self.runs, self.input, self.session, self.messages, self.log,
            lambda: self.parameters, self._onResults,
        )  # fmt: skip
        self.review = ReviewSection(
            ui, self.session, services.linesWriter, self.messages, self.showVertebra,
            self._editSegment, self.actions.remeasure,
        )  # fmt: skip
        self.outputs = OutputsSection(ui, self.session, services, self.messages)

        ui.resultsSelector.addAttribute("vtkMRMLTextNode", RESULT_SET_ATTRIBUTE, "1")
        ui.resultsSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._onResultsSelected)
        ui.analyzeButton.connect("clicked()", self._onAnalyzeButton)
        ui.sampleButton.connect("clicked()", self.actions.loadSampleAndAnalyze)
        ui.alongAxesCheckBox.connect("toggled(bool)", lambda _on: self.review.showAgain())
        ui.readerEdit.text = services.readerName()
        ui.readerEdit.connect("editingFinished()", lambda: services.keepReaderName(self.reader))
        uiWidget.setMRMLScene(slicer.mrmlScene)

        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self._onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self._onSceneImported)
        self._takeParameters()
        self.input.check()

    # For scripts and the self-test

    @property
    def running(self) -> bool:
        """An analysis or a measurement is at work."""
        return self.runs.running

    @property
    def resultSet(self) -> Any:
        """The result set that is shown, or None."""
        return self.session.resultSet

    @property
    def table(self) -> Any:
        """The table of vertebrae."""
        return self.review.table

    @property
    def reader(self) -> str:
        """Who reviews; kept with every change."""
        return self.ui.readerEdit.text.strip() or self.services.readerName()

    @reader.setter
    def reader(self, name: str) -> None:
        self.ui.readerEdit.text = name

    def startAnalysis(self) -> bool:
        """Analyze the selected CT; returns whether the analysis is at work."""
        return self.actions.analyze()

    def loadSampleAndAnalyze(self) -> bool:
        """Load the sample CT and analyze it."""
        return self.actions.loadSampleAndAnalyze()

    def showVertebra(self, vertebra: ReviewedVertebra) -> None:
        """Bring a vertebra into view, along its own axes if the user wants that."""
        self.services.navigation.showVertebra(vertebra, alongAxes=self.ui.alongAxesCheckBox.checked)

    # Called by the module's widget

    def enter(self) -> None:
        """The module is opened."""
        self._takeParameters()
        self.input.selectAny()
        self.input.check()

    def exit(self) -> None:
        """Another module is opened; a run goes on."""

    def cleanup(self) -> None:
        """The panel goes away: nothing may be left at work, or call it again."""
        self.runs.cancel(wait=True)
        self._releaseParameters()
        self.removeObservers()
        self.input.cleanup()
        self.review.cleanup()

    # The scene

    def _takeParameters(self) -> None:
        node = self._logic.getParameterNode()
        if self.parameters is not None and self.parameters.parameterNode is node:
            return
        self._releaseParameters()
        self.parameters = ParameterNode(node)
        # Not `connectGui`: in older versions it returns nothing to disconnect with, and the node of
        # a closed scene would go on writing into the panel.
        self._guiTag = self.parameters.connectParametersToGui(
            {
                widget.property("SlicerParameterName"): widget
                for widget in vars(self.ui).values()
                if widget.property("SlicerParameterName")
            }
        )
        self._selectResults()

    def _releaseParameters(self) -> None:
        if self.parameters is not None:
            self.parameters.disconnectGui(self._guiTag)
        self.parameters = None

    def _onSceneStartClose(self, _caller: Any, _event: Any) -> None:
        self._releaseParameters()
        self.session.open(None)
        self.messages.clear()

    def _onSceneEndClose(self, _caller: Any, _event: Any) -> None:
        self._takeParameters()
        self.input.check()

    def _onSceneImported(self, _caller: Any, _event: Any) -> None:
        self._takeParameters()
        self._selectResults()
        self.input.check()

    # Reactions

    def _onAnalyzeButton(self) -> None:
        if self.runs.running:
            self.runs.cancel()
        else:
            self.actions.analyze()

    def _onInputChanged(self) -> None:
        node = self.input.node
        shown = self.session.resultSet
        if node is not None and self.parameters is not None and not self.runs.running:
            sets = self.services.resultSets(node)
            if sets and shown not in sets:
                self.parameters.results = sets[-1].textNode
        self._showState()

    def _selectResults(self) -> None:
        """Show results that the scene holds, if none are shown."""
        if self.parameters is None:
            return
        if self.parameters.results is None:
            sets = self.services.resultSets(self.input.node) or self.services.resultSets()
            if sets:
                self.parameters.results = sets[-1].textNode
        self._onResultsSelected(self.parameters.results)

    def _onResultsSelected(self, textNode: Any) -> None:
        resultSet = self.services.resultSet(textNode)
        if resultSet == self.session.resultSet:
            return
        try:
            self.session.open(resultSet)
        except UserError as error:
            self.messages.error(error.message, error.hint)
        self._showState()

    def _onResults(self, resultSet: Any) -> None:
        self.session.open(None)
        self.parameters.results = resultSet.textNode
        self._onResultsSelected(resultSet.textNode)
        warnings = self.session.review.analysis.warnings if self.session.isOpen else ()
        if not self.session.vertebrae:
            self.messages.warn(_("No vertebra was found."), _("Check that the CT shows the spine."))
        elif warnings:
            self.messages.warn(" ".join(warnings))

    def _editSegment(self, key: str) -> None:
        self.messages.attempt(lambda: self.services.editSegment(self.session.resultSet, key))

    def _showState(self) -> None:
        ui, running = self.ui, self.runs.running
        ui.analyzeButton.text = _("&Cancel") if running else _("&Analyze spine")
        ui.analyzeButton.enabled = not self.runs.cancelling if running else self.input.suitable
        ui.analyzeButton.toolTip = self._analyzeToolTip(running)
        for name in ("inputSelector", "sampleButton", "resultsSelector", "advancedSection"):
            getattr(ui, name).enabled = not running
        ui.sampleButton.visible = not running and not self.session.isOpen
        ui.resultsSection.enabled = ui.outputsSection.enabled = self.session.isOpen
        self.review.setEnabled(not running)
        if self._unfolded != self.session.isOpen:
            # Only when there begin or cease to be results: what the user folded stays folded.
            self._unfolded = self.session.isOpen
            ui.resultsSection.collapsed = ui.outputsSection.collapsed = not self._unfolded

    def _analyzeToolTip(self, running: bool) -> str:
        if running:
            return _("Stop; the scene stays as it is")
        if self.input.node is None:
            return _("Choose a CT first")
        if not self.input.suitable:
            return self.input.message
        return _("Find, segment, name and grade the vertebrae of the CT")
