"""`widget.connect("clicked(bool)", slot)`: signals named by their signature, as in PythonQt."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore

_plainConnect = QtCore.QObject.connect
_plainDisconnect = QtCore.QObject.disconnect
_connections: dict[tuple[int, str, Any], tuple[Any, Callable[..., Any]]] = {}


def connectByName(sender: Any, *arguments: Any) -> Any:
    """Connect `(signature, slot)` to `sender`; any other arguments go to Qt's own `connect`.

    PythonQt hands a slot as many arguments as it takes, but no more than the signature names.
    """
    if len(arguments) == 3 and isinstance(arguments[1], str):
        sender, *arguments = arguments
    if len(arguments) != 2 or not isinstance(arguments[0], str):
        return _plainConnect(sender, *arguments)
    signature, slot = arguments
    signal = _signal(sender, signature)
    count = min(_argumentsOf(signature), _argumentsTaken(slot))

    def handOver(*values: Any) -> None:
        slot(*values[:count])

    _connections[_key(sender, signature, slot)] = (signal, handOver)
    signal.connect(handOver)
    return True


def disconnectByName(sender: Any, *arguments: Any) -> Any:
    """Undo `connectByName`; returns False where there was no such connection."""
    if len(arguments) != 2 or not isinstance(arguments[0], str):
        return _plainDisconnect(sender, *arguments)
    signal, handOver = _connections.pop(_key(sender, *arguments), (None, None))
    if signal is None:
        return False
    signal.disconnect(handOver)
    return True


def _key(sender: Any, signature: str, slot: Any) -> tuple[int, str, Any]:
    return id(sender), signature.split("(")[0], slot


def _signal(sender: Any, signature: str) -> Any:
    name, _, types = signature.lstrip("0123456789").partition("(")
    signal = getattr(sender, name, None)
    if signal is None:
        raise ValueError(f"{type(sender).__name__} has no signal {signature}")
    types = types.rstrip(")")
    if not types:
        return signal
    try:
        return signal[types]
    except (KeyError, IndexError, TypeError):
        # Not overloaded, or a type that PySide6 calls otherwise (vtkMRMLNode*).
        return signal


def _argumentsOf(signature: str) -> int:
    return 0 if signature.endswith("()") else signature.count(",") + 1


def _argumentsTaken(slot: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(slot).parameters.values()
    except (TypeError, ValueError):
        return 99
    if any(p.kind == p.VAR_POSITIONAL for p in parameters):
        return 99
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
