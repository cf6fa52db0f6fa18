"""Loads .ui files with the stand-ins for CTK and MRML widgets."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

from PySide6 import QtCore, QtUiTools

from .StandInClass import STAND_INS
from .StringConnections import connectByName


class UiLoader(QtUiTools.QUiLoader):
    """`qt.QUiLoader`."""

    def createWidget(self, className: str, parent: Any = None, name: str = "") -> Any:
        if className in STAND_INS:
            widget = STAND_INS[className](parent)
            widget.setObjectName(name)
            return widget
        if className.startswith(("ctk", "qMRML", "qSlicer")):
            raise RuntimeError(f"There is no stand-in for {className}.")
        return super().createWidget(className, parent, name)

    def load(self, file: Any, parent: Any = None) -> Any:
        """Load a widget; connections with MRML types are made here, which PySide6 cannot."""
        path = file.fileName() if hasattr(file, "fileName") else str(file)
        root = ElementTree.parse(path).getroot()
        connections = root.find("connections")
        if connections is not None:
            root.remove(connections)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(root))
        buffer.open(QtCore.QIODevice.ReadOnly)
        widget = super().load(buffer, parent)
        for connection in connections if connections is not None else ():
            sender = _named(widget, connection.findtext("sender"))
            receiver = _named(widget, connection.findtext("receiver"))
            slot = getattr(receiver, connection.findtext("slot").split("(")[0])
            connectByName(sender, connection.findtext("signal"), slot)
        return widget


def _named(widget: Any, name: str) -> Any:
    return widget if widget.objectName == name else widget.findChild(QtCore.QObject, name)
