"""What the stand-ins for CTK and MRML widgets share."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore

STAND_INS: dict[str, type] = {}
"""Class name in a .ui file -> class that stands in for it."""


def standIn(module: Any) -> Any:
    """Register the decorated widget class in `module` (`ctk` or `slicer`) and for .ui files."""

    def register(widgetClass: type) -> type:
        widgetClass.isStandIn = True
        STAND_INS[widgetClass.__name__] = widgetClass
        setattr(module, widgetClass.__name__, widgetClass)
        return widgetClass

    return register


def storedProperty(kind: Any, name: str, default: Any, afterwards: Any = None) -> QtCore.Property:
    """A Qt property that is merely kept; `afterwards(owner)` is called when it has changed."""
    key = f"_{name}"

    def read(owner: Any) -> Any:
        return owner.__dict__.get(key, default)

    def write(owner: Any, value: Any) -> None:
        changed = read(owner) != value
        owner.__dict__[key] = value
        if changed and afterwards is not None:
            afterwards(owner)

    return QtCore.Property(kind, read, write)
