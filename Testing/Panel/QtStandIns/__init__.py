"""The Qt half of 3D Slicer, provided on PySide6 for tests and pictures of the panel.

The panel is written for PythonQt, which the application embeds. These modules give it `qt`, `ctk`
and the Qt half of `slicer` with PythonQt's manners: Qt properties are attributes, signals are
connected by their signature, and an attribute that the C++ class lacks raises. Real widgets, real
signals and real layouts, painted offscreen.

What this cannot show: who owns an object in PythonQt, what the real qMRML widgets do beyond their
documented interface, and how the application lays out its panels.
"""

from .loadScriptedModule import loadScriptedModule
from .startSlicerWithQt import qtStandInsMissing, startSlicerWithQt

__all__ = ["loadScriptedModule", "qtStandInsMissing", "startSlicerWithQt"]
