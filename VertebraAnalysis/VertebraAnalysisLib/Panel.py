"""The panel: puts its parts together and keeps them in step with the scene."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin
from vertebra_core.output.scene_keys import RESULT_SET_ATTRIBUTE

from .AnalysisActions import AnalysisActions
from .AnalyzeButton import AnalyzeButton
from .ImportAction import ImportAction
from .InputSection import InputSection
from .LogView import LogView
from .MessageBar import MessageBar
from .MissedVertebraButton import MissedVertebraButton
from .OutputsSection import OutputsSection
from .PackageInstallation import PackageInstallation
from .PanelServices import PanelServices
from .ParameterNode import ParameterNode
from .ProgressView import ProgressView
from .ReviewedVertebra import ReviewedVertebra
from .ReviewSection import ReviewSection
from .ReviewSession import ReviewSession
from .RunController import RunController
from .SceneParameters import SceneParameters
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
        self.uiWidget = uiWidget
        self.ui = ui = slicer.util.childWidgetVariables(uiWidget)
        self.services = services = services or PanelServices()
        self._parameters = SceneParameters(ui, logic)
        self._unfolded: bool | None = None
        self._hadInput = False

        self.messages = messages = MessageBar(ui)
        self.log, progress = LogView(ui), ProgressView(ui)
        self.runs = RunController(progress, self.messages, self.log, self._showState)
        self.packages = PackageInstallation(services, progress, self._showState)
        self.session = ReviewSession(services.sceneWriter, lambda: self.reader)
        self.input = InputSection(
            ui, services.inputProblem, services.inputWarning, self._onInputChecked
        )
        self._analyzeButton = AnalyzeButton(ui, self.input)
        self.actions = AnalysisActions(
            services, self.runs, self.packages, self.input, self.session, self.messages, self.log,
            lambda: self.parameters, self._onResults, lambda key: self.table.select(key),
        )  # fmt: skip
        self.importing = ImportAction(ui, services, self.input, messages, self.log, self._onResults)
        self.review = ReviewSection(
            ui, self.session, services.linesWriter, self.messages, self.showVertebra,
            lambda key: services.editSegment(self.session.resultSet, key), self.actions.remeasure,
            MissedVertebraButton(ui, self.session, services, messages, self.actions.addVertebra),
            services.dialogs.confirm,
        )  # fmt: skip
        self.outputs = OutputsSection(ui, self.session, services, self.messages)

        ui.resultsSelector.addAttribute("vtkMRMLTextNode", RESULT_SET_ATTRIBUTE, "1")
        ui.resultsSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._onResultsSelected)
        for selector in (ui.roiSelector, ui.segmentationSelector):
            selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda _node: self._showState())
        ui.analyzeButton.connect("clicked()", self._onAnalyzeButton)
        ui.sampleButton.connect("clicked()", self.actions.loadSampleAndAnalyze)
        ui.alongAxesCheckBox.connect("toggled(bool)", self._onAlongAxes)
        ui.readerEdit.text = services.readerName()
        ui.readerEdit.connect("editingFinished()", self._onReaderEdited)
        uiWidget.setMRMLScene(slicer.mrmlScene)

        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self._onSceneEndClose)
        self.addObserver(scene, scene.StartImportEvent, self._onSceneStartImport)
        self.addObserver(scene, scene.EndImportEvent, self._onSceneImported)
        self.addObserver(scene, scene.NodeRemovedEvent, self._onNodeRemoved)
        self._takeParameters()
        self.input.check()

    # For scripts and the self-test

    @property
    def running(self) -> bool:
        """An analysis or a measurement is at work."""
        return self.runs.running

    @property
    def parameters(self) -> ParameterNode | None:
        """What is chosen in the panel; None while no scene is open."""
        return self._parameters.node

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
        """Bring a vertebra of the results into view, along its own axes if the user wants that."""
        if self.resultSet is None:
            return
        self.services.showVolume(self.resultSet.inputNode)
        self.services.navigation.showVertebra(
            self.services.inWorld(self.resultSet, vertebra),
            alongAxes=self.ui.alongAxesCheckBox.checked,
        )

    # Called by the module's widget

    def enter(self) -> None:
        """The module is opened."""
        self._takeParameters()
        self.input.selectAny()
        self.input.check()
        if self.parameters.results is None and not self.runs.running:
            self._selectResults()
        self._takeInOtherModules()

    def exit(self) -> None:
        """Another module is opened; a run goes on."""
        self.review.missed.stop()

    def cleanup(self) -> None:
        """The panel goes away: nothing may be left at work, or call it again."""
        self.runs.cancel(wait=True)
        self._parameters.release()
        self.removeObservers()
        self.input.cleanup()
        self.review.cleanup()

    # The scene

    def _takeParameters(self) -> None:
        if self._parameters.take():
            self._hadInput = self.parameters.inputVolume is not None
            self._selectResults()

    def _onSceneStartClose(self, _caller: Any, _event: Any) -> None:
        self._parameters.release()
        self._hadInput = False
        self.session.open(None)
        self.messages.clear()

    def _onSceneEndClose(self, _caller: Any, _event: Any) -> None:
        self._takeParameters()
        self.input.check()

    def _onSceneStartImport(self, _caller: Any, _event: Any) -> None:
        # A scene that is added to this one brings choices of its own.
        self._parameters.beginImport(keep=self.session.isOpen)

    def _onSceneImported(self, _caller: Any, _event: Any) -> None:
        self._parameters.endImport()
        self._takeParameters()
        self.input.check()

    def _onNodeRemoved(self, _caller: Any, _event: Any) -> None:
        if self.session.isOpen:
            self.outputs.refresh()

    def _takeInOtherModules(self) -> None:
        """Bring in line what was done to the nodes of the results in other modules."""
        renamed = ""
        if self.session.isOpen and self.resultSet.exists:
            with self.session.writing():
                renamed = self.services.nameSegments(self.resultSet, self.session.review)
        if told := self.session.placeProblem or renamed:
            self.messages.warn(told)
        self.outputs.refresh()

    # Reactions

    def _onAnalyzeButton(self) -> None:
        if self.runs.running:
            self.runs.cancel()
        else:
            self.actions.analyze()

    def _onReaderEdited(self) -> None:
        self.services.keepReaderName(self.ui.readerEdit.text.strip())
        # Who signs without a name of their own is seen as well.
        self.ui.readerEdit.text = self.reader

    def _onAlongAxes(self, on: bool) -> None:
        if not on:
            self.services.navigation.resetAxes()
        self.review.showAgain()

    def _onInputChecked(self, other: bool) -> None:
        # Only when another CT is selected: results that the reader chose stay.
        told = other and self.input.node is not None and self.parameters is not None
        if told and not self._parameters.following:
            self._onInputSelected(self.input.node)
        self._showState()

    def _onInputSelected(self, node: Any) -> None:
        # Told before the parameter node has it, whose changes would put the selector back.
        self.parameters.inputVolume = node
        if self._hadInput:
            # They were chosen for another CT, and may lie folded away.
            self._parameters.choose("regionOfInterest", None)
            self._parameters.choose("existingSegmentation", None)
        self._hadInput = True
        sets = self.services.resultSets(node)
        if self.session.resultSet not in sets and not self.runs.running:
            self._parameters.choose("results", sets[-1].textNode if sets else None)

    def _selectResults(self) -> None:
        """Show results that the scene holds, if none are shown."""
        if self.parameters.results is None:
            sets = self.services.resultSets(self.input.node)
            if sets:
                self.parameters.results = sets[-1].textNode
        self._onResultsSelected(self.parameters.results)

    def _onResultsSelected(self, textNode: Any) -> None:
        if self._parameters.following:
            return
        resultSet = self.services.resultSet(textNode)
        if resultSet == self.session.resultSet:
            return
        try:
            self.session.open(resultSet)
        except UserError as error:
            self.messages.error(error.message, error.hint)
        if self.session.notices:
            self.messages.warn(" ".join(self.session.notices))
        if self.session.isOpen and resultSet.inputNode is not None:
            self._parameters.choose("results", textNode)
            self._parameters.choose("inputVolume", resultSet.inputNode)
        self._showState()

    def _onResults(self, resultSet: Any) -> None:
        self.session.open(None)
        self.parameters.results = resultSet.textNode
        self._onResultsSelected(resultSet.textNode)
        warnings = self.session.review.analysis.warnings if self.session.isOpen else ()
        warnings = (*self.session.notices, *warnings)
        if not self.session.vertebrae:
            self.messages.warn(_("No vertebra was found."), _("Check that the CT shows the spine."))
        elif warnings:
            self.messages.warn(" ".join(warnings))

    def _showState(self) -> None:
        ui, running = self.ui, self.runs.running
        free = not running and not self.packages.atWork
        startable = self.input.suitable and free
        self._analyzeButton.show(running, not self.runs.cancelling if running else startable)
        for name in ("inputSelector", "sampleButton", "resultsSelector", "advancedSection"):
            getattr(ui, name).enabled = free
        ui.sampleButton.visible = not running and not self.session.isOpen
        # The selector of results must be within reach while there are any.
        ui.resultsSection.enabled = self.session.isOpen or bool(self.services.resultSets())
        ui.outputsSection.enabled = self.session.isOpen
        self.importing.showState(not free)
        self.review.setEnabled(free)
        if self._unfolded != self.session.isOpen:
            # Only when there begin or cease to be results: what the user folded stays folded.
            self._unfolded = self.session.isOpen
            ui.resultsSection.collapsed = ui.outputsSection.collapsed = not self._unfolded
