"""Stand-ins for the qMRML widgets that the panel uses, on the real scene."""

from __future__ import annotations

import weakref
from typing import Any

import shiboken6
from PySide6 import QtCore, QtWidgets

from .StandInClass import standIn, storedProperty


def _observe(slicer: Any, scene: Any, widget: Any) -> list[int]:
    """Refresh `widget` whenever nodes come and go, for as long as it exists."""
    alive = weakref.ref(widget)
    tags: list[int] = []

    def refresh(*_: Any) -> None:
        found = alive()
        if found is not None and shiboken6.isValid(found):
            found._refresh()
        else:
            for tag in tags:
                scene.RemoveObserver(tag)

    for event in ("NodeAddedEvent", "NodeRemovedEvent", "EndBatchProcessEvent"):
        tags.append(scene.AddObserver(getattr(slicer.vtkMRMLScene, event), refresh))
    return tags


def provideMrmlWidgets(slicer: Any) -> None:
    """Put the stand-ins into the module `slicer`."""

    @standIn(slicer)
    class qMRMLWidget(QtWidgets.QWidget):
        """A widget that hands the scene on to the widgets in it."""

        mrmlSceneChanged = QtCore.Signal(object)

        def setMRMLScene(self, scene: Any) -> None:
            self.__dict__["_scene"] = scene
            self.mrmlSceneChanged.emit(scene)

        def mrmlScene(self) -> Any:
            return self.__dict__.get("_scene")

    @standIn(slicer)
    class qMRMLNodeComboBox(QtWidgets.QComboBox):
        """Selects a node of the scene."""

        currentNodeChanged = QtCore.Signal(object)
        currentNodeIDChanged = QtCore.Signal(str)
        nodeTypes = storedProperty("QStringList", "nodeTypes", [], lambda w: w._refresh())
        noneEnabled = storedProperty(bool, "noneEnabled", False, lambda w: w._refresh())
        noneDisplay = storedProperty(str, "noneDisplay", "None", lambda w: w._refresh())
        addEnabled = storedProperty(bool, "addEnabled", True)
        removeEnabled = storedProperty(bool, "removeEnabled", True)
        renameEnabled = storedProperty(bool, "renameEnabled", False)
        editEnabled = storedProperty(bool, "editEnabled", False)
        showHidden = storedProperty(bool, "showHidden", False, lambda w: w._refresh())
        showChildNodeTypes = storedProperty(
            bool, "showChildNodeTypes", True, lambda w: w._refresh()
        )
        selectNodeUponCreation = storedProperty(bool, "selectNodeUponCreation", True)

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.__dict__.update(_scene=None, _ids=[], _tags=[], _attributes=[])
            self.currentIndexChanged.connect(lambda _: self._announce())

        def addAttribute(self, nodeType: str, name: str, value: Any = None) -> None:
            self._attributes.append((nodeType, name, value))
            self._refresh()

        def setMRMLScene(self, scene: Any) -> None:
            for tag in self._tags:
                self._scene.RemoveObserver(tag)
            self.__dict__["_scene"] = scene
            self.__dict__["_tags"] = _observe(slicer, scene, self) if scene else []
            self._refresh()

        def mrmlScene(self) -> Any:
            return self._scene

        def currentNode(self) -> Any:
            return self._scene.GetNodeByID(self._id()) if self._scene and self._id() else None

        def setCurrentNode(self, node: Any) -> None:
            self.setCurrentNodeID(node.GetID() if node else "")

        def setCurrentNodeID(self, identifier: str) -> None:
            # A node made during a batch is not listed yet.
            if identifier and identifier not in self._ids:
                self._refresh()
            known = (identifier or "") in self._ids
            self.setCurrentIndex(self._ids.index(identifier or "") if known else -1)

        def _id(self) -> str:
            index = self.currentIndex
            return self._ids[index] if 0 <= index < len(self._ids) else ""

        currentNodeID = QtCore.Property(str, _id, setCurrentNodeID)

        def nodeCount(self) -> int:
            return sum(1 for identifier in self._ids if identifier)

        def _fits(self, node: Any) -> bool:
            kinds = self.nodeTypes
            if self.showChildNodeTypes:
                kind = next((k for k in kinds if node.IsA(k)), None)
            else:
                kind = next((k for k in kinds if node.GetClassName() == k), None)
            if kind is None or (node.GetHideFromEditors() and not self.showHidden):
                return False
            return all(
                node.GetAttribute(name) is not None
                and (value is None or node.GetAttribute(name) == str(value))
                for nodeType, name, value in self._attributes
                if nodeType == kind
            )

        def _refresh(self) -> None:
            before = self._id()
            self.blockSignals(True)
            self.clear()
            self.__dict__["_ids"] = []
            if self.noneEnabled:
                self.addItem(self.noneDisplay)
                self._ids.append("")
            scene = self._scene
            for index in range(scene.GetNumberOfNodes() if scene else 0):
                node = scene.GetNthNode(index)
                if self._fits(node):
                    self.addItem(node.GetName())
                    self._ids.append(node.GetID())
            self.setCurrentIndex(
                self._ids.index(before) if before in self._ids else (0 if self._ids else -1)
            )
            self.blockSignals(False)
            if self._id() != before:
                self._announce()

        def _announce(self) -> None:
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIDChanged.emit(self._id())
