"""Starts the MRML half of 3D Slicer once per process."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import types
from typing import Any

from .ApplicationStandIn import ApplicationStandIn

_MODULES = (
    # Module name in `slicer.modules`, its logic class. Volumes and Markups register node classes.
    ("Colors", "vtkMRMLColorLogic"),
    ("Volumes", "vtkSlicerVolumesLogic"),
    ("Terminologies", "vtkSlicerTerminologiesModuleLogic"),
    ("Segmentations", "vtkSlicerSegmentationsModuleLogic"),
    ("SubjectHierarchy", "vtkSlicerSubjectHierarchyModuleLogic"),
    ("Markups", "vtkSlicerMarkupsLogic"),
    ("Tables", "vtkSlicerTablesLogic"),
    ("Texts", "vtkSlicerTextsLogic"),
    ("Models", "vtkSlicerModelsLogic"),
    ("Transforms", "vtkSlicerTransformLogic"),
    ("Sequences", "vtkSlicerSequencesLogic"),
    ("Units", "vtkSlicerUnitsLogic"),
    ("Data", "vtkSlicerDataModuleLogic"),
)


class _Module:
    """What `slicer.modules.NAME` is without Qt: the way to the module's logic."""

    def __init__(self, name: str, logic: Any) -> None:
        self.name = name
        self._logic = logic

    def logic(self) -> Any:
        return self._logic


class _Kept:
    """Objects that must live as long as the scene, which does not own them."""

    objects: list[Any] = []


def slicerCoreMissing() -> str:
    """Return why the tests of the scene cannot run here; empty when they can."""
    if importlib.util.find_spec("slicer") is None:
        return "the Python package slicer-core is not installed"
    try:
        importlib.import_module("slicer")
    except ImportError as error:
        return f"slicer-core lacks a library of the system ({error})"
    return ""


def startSlicer() -> Any:
    """Start the scene, the module logics and the stand-ins; later calls change nothing.

    Returns
    -------
    module
        `slicer`, with `mrmlScene`, `app`, `modules` and `i18n`.
    """
    import slicer
    import vtk

    if getattr(slicer, "mrmlScene", None) is not None:
        return slicer
    output = vtk.vtkOutputWindow()
    output.SetDisplayModeToAlwaysStdErr()
    vtk.vtkOutputWindow.SetInstance(output)

    scene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    for factory in (
        slicer.vtkMRMLSliceViewDisplayableManagerFactory,
        slicer.vtkMRMLThreeDViewDisplayableManagerFactory,
    ):
        factory.GetInstance().SetMRMLApplicationLogic(logic)
    modules = _startModules(slicer, scene, logic)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    _startInputOutput(slicer, scene, logic)

    slicer.mrmlScene = scene
    slicer.modules = types.SimpleNamespace(**modules)
    slicer.app = ApplicationStandIn(scene, logic)
    _provideTranslation(slicer)
    return slicer


def _startModules(slicer: Any, scene: Any, application: Any) -> dict[str, _Module]:
    import vtk

    modules = {}
    for name, className in _MODULES:
        logic = getattr(slicer, className)()
        # The package brings none of the application's own term files, and the logic complains.
        vtk.vtkObject.SetGlobalWarningDisplay(name != "Terminologies")
        logic.SetMRMLScene(scene)
        vtk.vtkObject.GlobalWarningDisplayOn()
        logic.SetMRMLApplicationLogic(application)
        application.SetModuleLogic(name, logic)
        modules[name.lower()] = _Module(name, logic)
    return modules


def _startInputOutput(slicer: Any, scene: Any, application: Any) -> None:
    # Without a data manager the scene can be written neither to nor read from an .mrb file.
    cache = tempfile.TemporaryDirectory(prefix="slicer-cache-")
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(scene)
    remote.SetMRMLApplicationLogic(application)
    remote.GetCacheManager().SetRemoteCacheDirectory(cache.name)
    manager = slicer.vtkDataIOManagerLogic()
    manager.SetMRMLScene(scene)
    manager.SetMRMLApplicationLogic(application)
    manager.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    _Kept.objects += [cache, remote, manager]


def _provideTranslation(slicer: Any) -> None:
    if importlib.util.find_spec("slicer.i18n") is not None:
        return
    i18n = types.ModuleType("slicer.i18n")
    i18n.tr = lambda text: text
    i18n.translate = lambda context, text: text
    sys.modules["slicer.i18n"] = i18n
    slicer.i18n = i18n
