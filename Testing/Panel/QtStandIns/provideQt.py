"""Makes the modules `qt` and `ctk`."""

from __future__ import annotations

import os
import sys
import tempfile
import types
from typing import Any

# Before the first import of Qt: there may be no display.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets  # noqa: E402

from .CtkWidgets import provideCtk  # noqa: E402
from .PropertyAccess import QtPropertyAttribute, followPythonQt  # noqa: E402
from .UiLoader import UiLoader  # noqa: E402

_kept: list[Any] = []


def _keepSettingsAside(application: Any) -> None:
    """Have `qt.QSettings` write to a folder that goes away with the process."""
    folder = tempfile.TemporaryDirectory(prefix="qt-settings-")
    _kept.append(folder)
    application.setOrganizationName("StandIns")
    application.setApplicationName("Slicer")
    settings = QtCore.QSettings
    settings.setDefaultFormat(settings.Format.IniFormat)
    settings.setPath(settings.Format.IniFormat, settings.Scope.UserScope, folder.name)


def provideQt() -> Any:
    """Put `qt` and `ctk` where `import` finds them; returns the QApplication."""
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["test"])
    application.setStyle("Fusion")
    qt, ctk = types.ModuleType("qt"), types.ModuleType("ctk")
    for module in (QtCore, QtGui, QtWidgets, QtUiTools):
        for name in (n for n in dir(module) if not n.startswith("_")):
            thing = getattr(module, name)
            setattr(qt, name, thing)
            isOwn = isinstance(thing, type) and thing.__module__ == module.__name__
            if isOwn and issubclass(thing, QtCore.QObject):
                followPythonQt(thing)
    QtCore.QObject.name = QtPropertyAttribute("objectName", True, None)
    QtCore.QObject.delete = QtCore.QObject.deleteLater
    QtCore.QObject.className = lambda self: self.metaObject().className()
    QtWidgets.QDialog.exec_ = lambda self: self.exec()
    _keepSettingsAside(application)
    qt.QUiLoader = UiLoader
    provideCtk(ctk)
    sys.modules["qt"], sys.modules["ctk"] = qt, ctk
    return application
