"""Loads a scripted module as the application's module factory does."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any


def loadScriptedModule(path: Path) -> Any:
    """Import the module file, make its module object and its panel.

    Parameters
    ----------
    path : Path
        ``NAME.py`` with the classes NAME and NAMEWidget.

    Returns
    -------
    object
        The module's widget after `setup`; its Qt widget is `.parent`.
    """
    import qt
    import slicer

    path = Path(path).resolve()
    name = path.stem
    if str(path.parent) not in sys.path:
        # The application does this for every folder of modules.
        sys.path.insert(0, str(path.parent))
    specification = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    parent = types.SimpleNamespace(
        path=str(path), title="", categories=[], dependencies=[], contributors=[], helpText="",
        acknowledgementText="", icon=None, hidden=False, widgetRepresentationCreationEnabled=True,
    )  # fmt: skip
    setattr(slicer.modules, name.lower(), parent)
    specification.loader.exec_module(module)
    parent.self = getattr(module, name)(parent)
    container = slicer.qMRMLWidget()
    container.setLayout(qt.QVBoxLayout())
    container.setMRMLScene(slicer.mrmlScene)
    widget = getattr(module, f"{name}Widget")(container)
    widget.setup()
    return widget
