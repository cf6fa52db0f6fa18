"""Stands in for `slicer.ScriptedLoadableModule`, written from its documented behaviour."""

from __future__ import annotations

import types
import unittest
from pathlib import Path
from typing import Any

import slicer


class ScriptedLoadableModule:
    """A module as the application knows it."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__

    def resourcePath(self, filename: str) -> str:
        return str(Path(self.parent.path).parent / "Resources" / filename)

    def getDefaultModuleDocumentationLink(self) -> str:
        return ""


class ScriptedLoadableModuleWidget:
    """A module's panel."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False
        self.parent = parent
        self.layout = parent.layout()

    def resourcePath(self, filename: str) -> str:
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / filename)

    def setup(self) -> None:
        """Nothing: the application would add its developer's section."""

    def cleanup(self) -> None:
        """Nothing to clean up."""

    def onReload(self) -> None:
        """Nothing: the application would import the module's file and make its panel again."""


class ScriptedLoadableModuleLogic:
    """A module's logic, with its parameter node."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self) -> Any:
        scene = slicer.mrmlScene
        node = scene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag(self.moduleName)
            node.SetModuleName(self.moduleName)
            node.SetName(self.moduleName)
            node = scene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """A module's self-test."""

    def delayDisplay(self, message: str, *_: Any, **__: Any) -> None:
        """Nothing is displayed."""


def provideScriptedLoadableModule(modules: dict[str, Any]) -> None:
    """Put `slicer.ScriptedLoadableModule` where `import` finds it."""
    module = types.ModuleType("slicer.ScriptedLoadableModule")
    classes = (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    )
    module.__all__ = [c.__name__ for c in classes]
    for c in classes:
        setattr(module, c.__name__, c)
    modules[module.__name__] = module
    slicer.ScriptedLoadableModule = module
