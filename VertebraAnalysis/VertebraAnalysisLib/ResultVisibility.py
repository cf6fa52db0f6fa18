"""Shows one result set at a time: several of one CT lie over one another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .ResultSet import ResultSet

_HIDDEN = "VertebraAnalysis.HiddenWithResults"
"""Attribute ``"1"`` of the display nodes that were visible when their set was hidden."""


def showOnly(resultSet: ResultSet) -> None:
    """Show a result set as it was last, and hide all others of its scene."""
    for other in ResultSet.findAll(resultSet.scene):
        if other != resultSet:
            hide(other)
    for display in _displays(resultSet):
        if display.GetAttribute(_HIDDEN):
            display.SetVisibility(True)
            display.RemoveAttribute(_HIDDEN)


def hide(resultSet: ResultSet) -> None:
    """Hide what is visible of a result set, until `showOnly` shows it again."""
    for display in _displays(resultSet):
        if display.GetVisibility():
            display.SetAttribute(_HIDDEN, "1")
            display.SetVisibility(False)


def _displays(resultSet: ResultSet) -> Iterator[Any]:
    for node in resultSet.nodes:
        if node.IsA("vtkMRMLDisplayableNode"):
            displays = [node.GetNthDisplayNode(i) for i in range(node.GetNumberOfDisplayNodes())]
            yield from (display for display in displays if display is not None)
