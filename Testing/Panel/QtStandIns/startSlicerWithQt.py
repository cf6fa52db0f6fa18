"""Starts both halves of 3D Slicer for tests: the real scene and the stand-ins for Qt."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

_TESTING = Path(__file__).resolve().parents[2]


def qtStandInsMissing() -> str:
    """Return why the tests of the panel cannot run here; empty when they can."""
    if importlib.util.find_spec("PySide6") is None:
        return "the Python package PySide6-Essentials is not installed"
    try:
        importlib.import_module("PySide6.QtWidgets")
    except ImportError as error:
        return f"Qt lacks a library of the system ({error})"
    _makeTestingImportable()
    from SlicerBoot import slicerCoreMissing

    return slicerCoreMissing()


def startSlicerWithQt() -> Any:
    """Start everything once per process.

    Returns
    -------
    module
        `slicer`, with the scene, the module logics, and the Qt half's stand-ins.
    """
    _makeTestingImportable()
    from SlicerBoot import startSlicer

    from .provideQt import provideQt

    slicer = startSlicer()
    if "qt" in sys.modules:
        return slicer
    application = provideQt()
    from .MrmlWidgets import provideMrmlWidgets
    from .ParameterNodeWrapper import provideParameterNodeWrapper
    from .ScriptedLoadableModule import provideScriptedLoadableModule

    provideMrmlWidgets(slicer)
    provideParameterNodeWrapper(slicer, sys.modules)
    provideScriptedLoadableModule(sys.modules)
    _giveQtToApplication(slicer, application)
    return slicer


def _giveQtToApplication(slicer: Any, application: Any) -> None:
    kind = type(slicer.app)
    kind.processEvents = lambda self, *_: application.processEvents()
    kind.setOverrideCursor = lambda self, cursor: application.setOverrideCursor(cursor)
    kind.restoreOverrideCursor = lambda self: application.restoreOverrideCursor()
    kind.topLevelWidgets = lambda self: application.topLevelWidgets()
    kind.connect = lambda self, *_: True
    kind.moduleManager = lambda self: _ModuleManager()
    # `slicer.util` leaves out what needs Qt unless these exist.
    slicer.util.mainWindow = lambda: None


class _ModuleManager:
    """`slicer.app.moduleManager()`: knows no further modules."""

    def factoryManager(self) -> _ModuleManager:
        return self

    def registeredModuleNames(self) -> tuple[str, ...]:
        return ()

    def module(self, name: str) -> None:
        return None


def _makeTestingImportable() -> None:
    if str(_TESTING) not in sys.path:
        sys.path.insert(0, str(_TESTING))
