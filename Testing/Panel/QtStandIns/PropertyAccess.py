"""Gives PySide6 classes PythonQt's manners: every Qt property is an attribute.

PySide6's own `true_property` feature is not usable here: it works per importing module, and the
panel must not know that it is being tested.
"""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore

from .StringConnections import connectByName, disconnectByName

_setPlain = QtCore.QObject.__mro__[1].__setattr__
_MARK = "_followsPythonQt"


class QtPropertyAttribute:
    """One Qt property as a Python attribute.

    Parameters
    ----------
    name : str
    writable : bool
    original : object or None
        The method of the same name that it hides; Qt's virtual calls still need it.
    """

    _beingRead: set[tuple[int, str]] = set()

    def __init__(self, name: str, writable: bool, original: Any) -> None:
        self.name, self.writable, self.original = name, writable, original

    def __get__(self, owner: Any, ownerType: type | None = None) -> Any:
        if owner is None:
            return self if self.original is None else self.original
        key = (id(owner), self.name)
        if key in self._beingRead and self.original is not None:
            # Qt looks for a Python override of the getter while it reads the property.
            return self.original.__get__(owner, ownerType)
        self._beingRead.add(key)
        try:
            return owner.property(self.name)
        finally:
            self._beingRead.discard(key)

    def __set__(self, owner: Any, value: Any) -> None:
        kind = type(owner).__name__
        if not self.writable:
            raise AttributeError(f"Property '{self.name}' of type '{kind}' is not writable")
        foreign = type(value).__module__ == "numpy" and not isinstance(value, float)
        if foreign or not owner.setProperty(self.name, value):
            raise AttributeError(
                f"Property '{self.name}' of type '{kind}' does not accept "
                f"an object of type {type(value).__name__} ({value!r})"
            )


def followPythonQt(qtClass: type) -> None:
    """Change `qtClass` so that its instances behave as in PythonQt."""
    meta = qtClass.staticMetaObject
    for index in range(meta.propertyCount()):
        described = meta.property(index)
        name = described.name()
        # An inherited property, too, goes before a method of the same name (sizeHint).
        if index < meta.propertyOffset() and name not in qtClass.__dict__:
            continue
        if isinstance(qtClass.__dict__.get(name), (QtCore.Property, QtCore.Signal)):
            continue
        attribute = QtPropertyAttribute(name, described.isWritable(), _hidden(qtClass, name))
        setattr(qtClass, name, attribute)
    # PySide6 gives every class accessors of its own, so each is wrapped.
    if not getattr(qtClass.__getattribute__, _MARK, False):
        qtClass.__getattribute__ = _reader(qtClass.__getattribute__)
    if not getattr(qtClass.__setattr__, _MARK, False):
        qtClass.__setattr__ = _writer()


def _hidden(qtClass: type, name: str) -> Any:
    for base in qtClass.__mro__:
        found = base.__dict__.get(name)
        if found is not None and not isinstance(found, QtPropertyAttribute):
            return found
    return None


def _reader(original: Any) -> Any:
    def read(owner: Any, name: str) -> Any:
        if name == "connect":
            return lambda *arguments: connectByName(owner, *arguments)
        if name == "disconnect":
            return lambda *arguments: disconnectByName(owner, *arguments)
        return original(owner, name)

    setattr(read, _MARK, True)
    return read


def _writer() -> Any:
    def write(owner: Any, name: str, value: Any) -> None:
        kind = type(owner)
        isQtClass = kind.__module__.startswith("PySide6") or "isStandIn" in kind.__dict__
        if isQtClass and not hasattr(kind, name):
            raise AttributeError(
                f"Attribute '{name}' does not exist on object of type '{kind.__name__}'"
            )
        declared = next((b.__dict__[name] for b in kind.__mro__ if name in b.__dict__), None)
        if isinstance(declared, QtCore.Property):
            owner.setProperty(name, value)
        else:
            _setPlain(owner, name, value)

    setattr(write, _MARK, True)
    return write
