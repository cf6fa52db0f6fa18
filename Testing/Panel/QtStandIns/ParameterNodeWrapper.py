"""Stands in for `slicer.parameterNodeWrapper`: typed parameters kept in a MRML node.

Covers what the panel uses: str, int, bool, enumerations and nodes; the packs of the original are
left out. Like the original it reads a value anew only when the node is modified, and while it
writes all widgets it writes no parameter's widget a second time.
"""

from __future__ import annotations

import enum
import types
import typing
from dataclasses import dataclass
from typing import Any

import slicer
from PySide6 import QtWidgets


@dataclass
class WithinRange:
    """Annotation: the smallest and largest value of a number."""

    minimum: float
    maximum: float


def provideParameterNodeWrapper(slicer: Any, modules: dict[str, Any]) -> None:
    """Put `slicer.parameterNodeWrapper` where `import` finds it."""
    module = types.ModuleType("slicer.parameterNodeWrapper")
    module.parameterNodeWrapper = parameterNodeWrapper
    module.WithinRange = WithinRange
    modules[module.__name__] = module
    slicer.parameterNodeWrapper = module


def parameterNodeWrapper(wrapped: type) -> type:
    """Turn annotated class members into parameters of a node."""
    for name, kind in typing.get_type_hints(wrapped).items():
        parameter = _Parameter(name, kind, getattr(wrapped, name, None))
        setattr(wrapped, name, parameter)
    wrapped.__init__ = _begin
    wrapped.connectParametersToGui = _connectParametersToGui
    wrapped.disconnectGui = _disconnectGui
    wrapped.AddObserver = lambda self, *a: self.parameterNode.AddObserver(*a)
    wrapped.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    return wrapped


class _Parameter:
    """One typed parameter as an attribute of the wrapper."""

    def __init__(self, name: str, kind: Any, default: Any) -> None:
        self.name, self.kind, self.default = name, kind, default
        self.isNode = hasattr(kind, "IsTypeOf")

    def __get__(self, owner: Any, ownerType: type | None = None) -> Any:
        return self if owner is None else owner._kept[self.name]

    def __set__(self, owner: Any, value: Any) -> None:
        with slicer.util.NodeModify(owner.parameterNode):
            self.write(owner.parameterNode, value)
            # Before observers ask for it.
            owner._kept[self.name] = self.read(owner.parameterNode)

    def read(self, node: Any) -> Any:
        if self.isNode:
            return node.GetNodeReference(self.name)
        if not node.GetParameter(self.name):
            return self.default if self.default is not None else self.kind()
        text = node.GetParameter(self.name)
        if issubclass(self.kind, enum.Enum):
            return self.kind[text]
        return text == "True" if self.kind is bool else self.kind(text)

    def write(self, node: Any, value: Any) -> None:
        if self.isNode:
            node.SetNodeReferenceID(self.name, value.GetID() if value else None)
        else:
            node.SetParameter(self.name, value.name if isinstance(value, enum.Enum) else str(value))


def _begin(self: Any, parameterNode: Any, prefix: str | None = None) -> None:
    self.parameterNode = parameterNode
    self._bindings, self._writingWidgets = {}, False
    parameters = [p for p in vars(type(self)).values() if isinstance(p, _Parameter)]
    self._kept = kept = {}

    def keep(*_unused: Any) -> None:
        kept.update({p.name: p.read(parameterNode) for p in parameters})

    keep()
    parameterNode.AddObserver("ModifiedEvent", keep)


def _connectParametersToGui(self: Any, mapping: dict[str, Any]) -> int:
    bound = [_Binding(self, name, widget) for name, widget in mapping.items()]
    tag = len(self._bindings)
    observer = self.AddObserver("ModifiedEvent", lambda *_: _writeWidgets(self, bound))
    self._bindings[tag] = (bound, observer)
    return tag


def _writeWidgets(self: Any, bound: list[_Binding]) -> None:
    # What a widget's signal changes meanwhile reaches the widgets that are written later only.
    if self._writingWidgets:
        return
    self._writingWidgets = True
    try:
        with slicer.util.NodeModify(self.parameterNode):
            for binding in bound:
                binding.toWidget()
    finally:
        self._writingWidgets = False


def _disconnectGui(self: Any, tag: int) -> None:
    bound, observer = self._bindings.pop(tag, ((), None))
    for binding in bound:
        binding.active = False
    if observer is not None:
        self.RemoveObserver(observer)


class _Binding:
    """Keeps a widget and a parameter equal."""

    def __init__(self, wrapper: Any, name: str, widget: Any) -> None:
        self.wrapper, self.name, self.widget = wrapper, name, widget
        self.kind = getattr(type(wrapper), name).kind
        self.active = True
        self.fill()
        self.toWidget()
        widget.connect(self.signal(), self.toParameter)

    def signal(self) -> str:
        if hasattr(self.widget, "currentNode"):
            return "currentNodeChanged(vtkMRMLNode*)"
        if isinstance(self.widget, QtWidgets.QComboBox):
            return "currentIndexChanged(int)"
        if isinstance(self.widget, QtWidgets.QAbstractButton):
            return "toggled(bool)"
        if isinstance(self.widget, QtWidgets.QSpinBox):
            return "valueChanged(int)"
        if isinstance(self.widget, QtWidgets.QLineEdit):
            return "textChanged(QString)"
        raise RuntimeError(f"Unable to connect {self.kind} to {type(self.widget).__name__}")

    def fill(self) -> None:
        if isinstance(self.kind, type) and issubclass(self.kind, enum.Enum):
            self.widget.clear()
            for choice in self.kind:
                label = getattr(self.kind, "label", None)
                self.widget.addItem(label(choice) if label else choice.name)

    def toWidget(self) -> None:
        if not self.active:
            return
        value = getattr(self.wrapper, self.name)
        if hasattr(self.widget, "currentNode"):
            self.widget.setCurrentNode(value)
        elif isinstance(self.widget, QtWidgets.QComboBox):
            self.widget.currentIndex = list(self.kind).index(value)
        elif isinstance(self.widget, QtWidgets.QAbstractButton):
            self.widget.checked = value
        elif isinstance(self.widget, QtWidgets.QSpinBox):
            self.widget.value = value
        else:
            self.widget.text = value

    def toParameter(self) -> None:
        if self.active and not self.wrapper._writingWidgets:
            setattr(self.wrapper, self.name, self.read())

    def read(self) -> Any:
        if hasattr(self.widget, "currentNode"):
            return self.widget.currentNode()
        if isinstance(self.widget, QtWidgets.QComboBox):
            return list(self.kind)[self.widget.currentIndex]
        if isinstance(self.widget, QtWidgets.QAbstractButton):
            return self.widget.checked
        return (
            self.widget.value if isinstance(self.widget, QtWidgets.QSpinBox) else (self.widget.text)
        )
