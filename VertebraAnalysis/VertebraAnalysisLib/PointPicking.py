"""Lets the user click one point in a view, as 3D Slicer places points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.util import VTKObservationMixin

Point = tuple[float, float, float]

_POINT_LIST = "vtkMRMLMarkupsFiducialNode"


class PointPicking(VTKObservationMixin):
    """Turns the views to placing a point, and back when one was placed or none is wanted.

    What was to be placed before, by whatever module, is so again afterwards.

    Parameters
    ----------
    widget : QWidget
        While this is on display, Escape ends picking wherever the keyboard's focus is.
    onPicked : callable
        (point), world RAS mm.
    onCancelled : callable
        () when the user wants none, or another way of using the mouse was chosen.
    """

    def __init__(
        self,
        widget: Any,
        onPicked: Callable[[Point], None],
        onCancelled: Callable[[], None],
    ) -> None:
        VTKObservationMixin.__init__(self)
        self._onPicked, self._onCancelled = onPicked, onCancelled
        self._node: Any = None
        self._before: tuple[str, str, int] = ("", "", 0)
        self._escape = qt.QShortcut(qt.QKeySequence("Escape"), widget)
        self._escape.setContext(qt.Qt.ApplicationShortcut)
        for signal in ("activated()", "activatedAmbiguously()"):
            self._escape.connect(signal, self.cancel)
        self._escape.setEnabled(False)
        # The point list must outlive the events in which it tells of its point.
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._settle)

    @property
    def active(self) -> bool:
        """A click in a view is waited for."""
        return self._node is not None

    def start(self) -> None:
        """Wait for a click."""
        if self.active:
            return
        selection, interaction = _selection(), _interaction()
        self._before = (
            selection.GetActivePlaceNodeClassName() or "",
            selection.GetActivePlaceNodeID() or "",
            interaction.GetPlaceModePersistence(),
        )
        self._node = _temporaryPointList()
        selection.SetReferenceActivePlaceNodeClassName(_POINT_LIST)
        selection.SetActivePlaceNodeID(self._node.GetID())
        interaction.SetPlaceModePersistence(0)
        interaction.SetCurrentInteractionMode(interaction.Place)
        event = slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent
        self.addObserver(self._node, event, self._onEvent)
        event = slicer.vtkMRMLInteractionNode.InteractionModeChangedEvent
        self.addObserver(interaction, event, self._onEvent)
        self._escape.setEnabled(True)

    def cancel(self) -> None:
        """Wait no more, and tell so."""
        if self.active:
            self.stop()
            self._onCancelled()

    def stop(self) -> None:
        """Wait no more, and tell nobody."""
        if not self.active:
            return
        self._timer.stop()
        self._escape.setEnabled(False)
        self.removeObservers()
        node, self._node = self._node, None
        selection, interaction = _selection(), _interaction()
        if interaction.GetCurrentInteractionMode() == interaction.Place:
            interaction.SetCurrentInteractionMode(interaction.ViewTransform)
        className, nodeId, persistence = self._before
        interaction.SetPlaceModePersistence(persistence)
        selection.SetReferenceActivePlaceNodeClassName(className)
        selection.SetActivePlaceNodeID(nodeId or None)
        if node.GetScene() is not None:
            node.GetScene().RemoveNode(node)

    def _onEvent(self, _caller: Any, _event: Any) -> None:
        self._timer.start()

    def _settle(self) -> None:
        if not self.active:
            return
        point, interaction = _definedPoint(self._node), _interaction()
        if point is not None:
            self.stop()
            self._onPicked(point)
        elif interaction.GetCurrentInteractionMode() != interaction.Place:
            self.cancel()


def _selection() -> Any:
    return slicer.app.applicationLogic().GetSelectionNode()


def _interaction() -> Any:
    return slicer.app.applicationLogic().GetInteractionNode()


def _temporaryPointList() -> Any:
    node = getattr(slicer, _POINT_LIST)()
    node.SetName("Missed vertebra")
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    slicer.mrmlScene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetSaveWithScene(False)
    node.GetDisplayNode().SetPointLabelsVisibility(False)
    return node


def _definedPoint(node: Any) -> Point | None:
    # Until it is placed, a point follows the mouse as a preview.
    for index in range(node.GetNumberOfControlPoints()):
        if node.GetNthControlPointPositionStatus(index) == node.PositionDefined:
            x, y, z = node.GetNthControlPointPositionWorld(index)
            return float(x), float(y), float(z)
    return None
