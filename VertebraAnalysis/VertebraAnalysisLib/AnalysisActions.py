"""What the panel starts: analyses, measurements of edited segments, the search for missed ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from .InputSection import InputSection
from .LogView import LogView
from .MessageBar import MessageBar
from .PackageInstallation import PackageInstallation
from .PanelServices import PanelServices
from .ParameterNode import ParameterNode
from .ReviewSession import ReviewSession
from .RunController import RunController
from .RunOptions import RunOptions


class AnalysisActions:
    """Starts runs and takes their results into the scene.

    Parameters
    ----------
    services : PanelServices
    runs : RunController
    packages : PackageInstallation
    inputSection : InputSection
    session : ReviewSession
    messages : MessageBar
    log : LogView
    parameters : callable
        () -> ParameterNode.
    onResults : callable
        (ResultSet) when an analysis has been written to the scene.
    onAdded : callable
        (key) when a vertebra was added.
    """

    def __init__(
        self,
        services: PanelServices,
        runs: RunController,
        packages: PackageInstallation,
        inputSection: InputSection,
        session: ReviewSession,
        messages: MessageBar,
        log: LogView,
        parameters: Callable[[], ParameterNode],
        onResults: Callable[[Any], None],
        onAdded: Callable[[str], None],
    ) -> None:
        self._services, self._runs, self._input = services, runs, inputSection
        self._packages = packages
        self._session, self._messages, self._log = session, messages, log
        self._parameters, self._onResults = parameters, onResults
        self._onAdded = onAdded

    def analyze(self) -> bool:
        """Start the analysis of the selected CT; returns whether it is at work."""
        if self._runs.running:
            return False
        self._input.check()
        node = self._input.node
        if node is None:
            self._messages.error(_("No CT is selected."), _("Choose one above, or the sample."))
            return False
        if not self._input.suitable:
            self._messages.error(self._input.message)
            return False
        if not self._messages.attempt(self._packages.ensure):
            return False
        existing = self._services.resultSets(node)
        replaced = None
        if existing:
            answer = self._services.dialogs.askReplace(self._question(node, existing))
            if answer == "cancel":
                return False
            replaced = self._replaced(existing) if answer == "replace" else None
        return self._startAnalysis(node, replaced)

    def loadSampleAndAnalyze(self) -> bool:
        """Load the sample CT, select it, and analyze it."""
        if self._runs.running or self._packages.atWork:
            return False
        with slicer.util.WaitCursor():
            node = self._messages.attempt(self._services.loadSample)
        if node is None:
            return False
        parameters = self._parameters()
        parameters.inputVolume = node
        # Chosen for another CT.
        parameters.regionOfInterest = parameters.existingSegmentation = None
        return self.analyze()

    def remeasure(self, key: str) -> bool:
        """Measure and grade one vertebra again from its segment as it is now."""
        if not key or not self._canMeasure():
            return False
        session = self._session
        resultSet, level = session.resultSet, session.review.vertebra(key).level

        def make(**callbacks: Any) -> Any:
            return self._services.makeRemeasurement(
                resultSet, session.review, [key], self._options(None), **callbacks
            )

        def take(measured: dict[str, Any]) -> None:
            for measuredKey, own in measured.items():
                session.takeMeasurement(measuredKey, own.vertebra, own.body)
            self._messages.inform(_("{level} was measured again.").format(level=level))

        closed = _("The results of {level} are not open any more: nothing was changed.")
        again = _("Open them and press Re-measure again.")
        return self._measure(make, take, (closed.format(level=level), again))

    def addVertebra(self, pointRas: Any, level: str) -> bool:
        """Look for a missed vertebra at a point, world RAS mm, and add it under its level."""
        if not self._canMeasure():
            return False
        session = self._session
        resultSet = session.resultSet

        def make(**callbacks: Any) -> Any:
            return self._services.makeAddition(
                resultSet, session.review, pointRas, level, self._options(None), **callbacks
            )

        def take(missed: Any) -> None:
            key = session.addVertebra(missed)
            self._messages.inform(
                _("{level} was added. Check its outline and its heights.").format(level=level)
            )
            self._onAdded(key)

        closed = _("These results are not open any more: {level} was not added.")
        again = _("Open them and add it again.")
        return self._measure(make, take, (closed.format(level=level), again))

    def _canMeasure(self) -> bool:
        """Tell whether results are open, nothing runs, and the packages are there."""
        if self._runs.running or not self._session.isOpen:
            return False
        return bool(self._messages.attempt(self._packages.ensure))

    def _measure(
        self, make: Callable[..., Any], take: Callable[[Any], None], closed: tuple[str, str]
    ) -> bool:
        """Start a run on the open results; `closed` is said if they are not when it ends."""
        resultSet = self._session.resultSet

        def takeIfOpen(found: Any) -> None:
            if self._session.resultSet != resultSet or not resultSet.exists:
                self._messages.warn(*closed)
            else:
                take(found)

        return bool(self._messages.attempt(lambda: self._runs.start(make, takeIfOpen)))

    def _startAnalysis(self, node: Any, replaced: Any) -> bool:
        parameters = self._parameters()
        options = self._options(parameters.existingSegmentation)
        began = time.monotonic()
        self._log.add(_("Analysis of {name}.").format(name=node.GetID()))

        def make(**callbacks: Any) -> Any:
            return self._services.makeRun(node, options, **callbacks)

        def take(folder: Path) -> None:
            old = replaced if replaced is not None and replaced.exists else None
            with slicer.util.WaitCursor():
                results = self._services.sceneWriter.write(folder, node, old)
            seconds = time.monotonic() - began
            self._log.add(_("Done in {seconds:.0f} s.").format(seconds=seconds))
            self._onResults(results)

        return bool(self._messages.attempt(lambda: self._runs.start(make, take)))

    def _options(self, segmentationNode: Any) -> RunOptions:
        parameters = self._parameters()
        return RunOptions(
            device=parameters.device.argument,
            threads=parameters.threads,
            roiNode=parameters.regionOfInterest,
            segmentationNode=segmentationNode,
            setting=parameters.setting.value,
            lesions=parameters.lesions,
        )

    def _replaced(self, existing: list[Any]) -> Any:
        shown = self._session.resultSet
        return shown if shown in existing else existing[-1]

    def _question(self, node: Any, existing: list[Any]) -> str:
        old = self._replaced(existing)
        text = _('{name} has been analyzed before. Replace the results "{old}"?').format(
            name=node.GetName(), old=old.name
        )
        changes = len(self._session.review.standingChanges) if old == self._session.resultSet else 0
        if changes == 1:
            text += " " + _("The one change of its review would be lost.")
        elif changes:
            text += " " + _("The {n} changes of its review would be lost.").format(n=changes)
        return text
