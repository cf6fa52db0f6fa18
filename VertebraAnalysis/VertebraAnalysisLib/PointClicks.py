"""Tells which vertebra's point was clicked in a view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.util import VTKObservationMixin


class PointClicks(VTKObservationMixin):
    """Watches the list of points of one result set.

    Parameters
    ----------
    onClicked : callable
        (key of the vertebra).
    """

    def __init__(self, onClicked: Callable[[str], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._onClicked = onClicked
        self._resultSet: Any = None

    def follow(self, resultSet: Any) -> None:
        """Watch the points of `resultSet`; None for none."""
        self.removeObservers()
        self._resultSet = resultSet
        points = resultSet.centersNode if resultSet is not None else None
        display = points.GetDisplayNode() if points is not None else None
        if display is not None:
            # The points are locked, so a click on one does not begin to drag it: it jumps.
            event = slicer.vtkMRMLMarkupsDisplayNode.JumpToPointEvent
            self.addObserver(display, event, self._onJump)

    def cleanup(self) -> None:
        """Stop watching."""
        self.follow(None)

    def _onJump(self, display: Any, _event: Any) -> None:
        key = self._resultSet.keyOfPoint(_activePoint(display))
        if key:
            self._onClicked(key)


def _activePoint(display: Any) -> int:
    """Index of the point under the mouse in any view; -1 if there is none."""
    point = slicer.vtkMRMLMarkupsDisplayNode.ComponentControlPoint
    for context in display.GetActiveComponentInteractionContexts():
        if display.GetActiveComponentType(context) == point:
            return display.GetActiveComponentIndex(context)
    return -1
