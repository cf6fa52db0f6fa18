"""Slice and 3D views of the scene rendered without windows, with 3D Slicer's own managers.

Needs OpenGL, software rendering suffices (Debian: libegl1 libgl1-mesa-dri). Views stay for as long
as the process: use them in a process that does nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

_SLICE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
)
_THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLMarkupsDisplayableManager",
)


class _OffscreenView:
    """A render window with the managers of one kind of view.

    Attributes
    ----------
    node : vtkMRMLAbstractViewNode
        The view's node in the scene.
    """

    node: Any

    def __init__(self, factory: Any, managers: tuple[str, ...], size: tuple[int, int]) -> None:
        self.size = size
        self._renderer = vtk.vtkRenderer()
        self._window = vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        self._window.SetSize(*size)
        self._window.AddRenderer(self._renderer)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._interactor.Initialize()
        self._addBackground()
        factory = factory.GetInstance()
        factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        for name in managers:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self._managers = slicer.vtkMRMLDisplayableManagerGroup()
        self._managers.Initialize(factory, self._renderer)

    def render(self) -> np.ndarray:
        """Return the picture, uint8, shape (rows, columns, 3)."""
        image = self._grab().GetOutput()
        columns, rows, _ = image.GetDimensions()
        pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, 3)
        return pixels[::-1].copy()

    def savePng(self, path: Path) -> None:
        """Write the picture as PNG."""
        grab = self._grab()  # must outlive the writing
        writer = vtk.vtkPNGWriter()
        writer.SetInputConnection(grab.GetOutputPort())
        writer.SetFileName(str(path))
        writer.Write()

    def _grab(self) -> Any:
        self._window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self._window)
        grab.SetInputBufferTypeToRGB()
        grab.ReadFrontBufferOff()
        grab.ShouldRerenderOff()
        grab.Update()
        return grab

    def _addBackground(self) -> None:
        """Add what must lie behind all that the managers draw."""


class OffscreenSliceView(_OffscreenView):
    """A slice view.

    Parameters
    ----------
    name : str
        Layout name, e.g. ``"Yellow"``.
    orientation : str
        ``"Axial"``, ``"Sagittal"`` or ``"Coronal"``.
    size : tuple of int
        Width and height, pixels.
    """

    def __init__(
        self,
        name: str = "Yellow",
        orientation: str = "Sagittal",
        size: tuple[int, int] = (600, 600),
    ) -> None:
        super().__init__(slicer.vtkMRMLSliceViewDisplayableManagerFactory, _SLICE_MANAGERS, size)
        self._renderer.GetActiveCamera().ParallelProjectionOn()
        # Markups draw their handles and texts into a second renderer.
        self._overlay = vtk.vtkRenderer()
        self._overlay.SetLayer(1)
        self._overlay.GetActiveCamera().ParallelProjectionOn()
        self._window.SetNumberOfLayers(2)
        self._window.AddRenderer(self._overlay)
        application = slicer.app.applicationLogic()
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(application)
        self._logic.SetMRMLScene(slicer.mrmlScene)
        application.GetSliceLogics().AddItem(self._logic)
        _removeLeftNode(name, "vtkMRMLSliceNode")
        # AddSliceNode, not SetSliceNode: the latter crashes at the next jump.
        self.node = self._logic.AddSliceNode(name)
        self.node.SetOrientation(orientation)
        self.node.SetMappedInLayout(1)
        self._managers.SetMRMLDisplayableNode(self.node)
        self._logic.ResizeSliceNode(*size)

    def show(self, volumeNode: Any, heightMm: float | None = None) -> None:
        """Show a volume as the background.

        Parameters
        ----------
        volumeNode : vtkMRMLVolumeNode
        heightMm : float, optional
            Field of view from top to bottom; default: the whole volume.
        """
        self._logic.GetSliceCompositeNode().SetBackgroundVolumeID(volumeNode.GetID())
        self._logic.FitSliceToBackground()
        if heightMm is not None:
            width, height = self.size
            self.node.SetFieldOfView(heightMm * width / height, heightMm, 1.0)
            self.node.UpdateMatrices()
        self._mapper.SetInputConnection(self._logic.GetImageDataConnection())
        self._background.SetVisibility(True)

    def _addBackground(self) -> None:
        # The first thing added, else translucent fills blend with black.
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._background = vtk.vtkActor2D()
        self._background.SetMapper(self._mapper)
        self._background.GetProperty().SetDisplayLocationToBackground()
        self._background.SetVisibility(False)
        self._renderer.AddViewProp(self._background)


class OffscreenThreeDView(_OffscreenView):
    """A 3D view.

    Parameters
    ----------
    name : str
        Layout name.
    size : tuple of int
        Width and height, pixels.
    """

    def __init__(self, name: str = "View1", size: tuple[int, int] = (500, 600)) -> None:
        super().__init__(slicer.vtkMRMLThreeDViewDisplayableManagerFactory, _THREE_D_MANAGERS, size)
        application = slicer.app.applicationLogic()
        self._logic = slicer.vtkMRMLViewLogic()
        self._logic.SetMRMLApplicationLogic(application)
        self._logic.SetMRMLScene(slicer.mrmlScene)
        application.GetViewLogics().AddItem(self._logic)
        _removeLeftNode(name, "vtkMRMLViewNode")
        self.node = self._logic.AddViewNode(name)
        self.node.SetMappedInLayout(1)
        self.node.SetBoxVisible(False)
        self.node.SetAxisLabelsVisible(False)
        self._managers.SetMRMLDisplayableNode(self.node)

    @property
    def cameraNode(self) -> Any:
        """The node of the view's camera."""
        name = "vtkMRMLCameraDisplayableManager"
        return self._managers.GetDisplayableManagerByClassName(name).GetCameraNode()

    def look(self, direction: int, zoom: float = 1.0) -> None:
        """Show everything from one side.

        Parameters
        ----------
        direction : int
            A constant of vtkMRMLCameraNode, such as ``Left``.
        zoom : float
            1 shows all there is.
        """
        self._window.Render()
        self._renderer.ResetCamera()
        self.cameraNode.RotateTo(direction)
        self._renderer.ResetCamera()
        self._renderer.GetActiveCamera().Zoom(zoom)
        self._renderer.ResetCameraClippingRange()


def _removeLeftNode(layoutName: str, className: str) -> None:
    # View nodes survive the clearing of a scene, and a new view would be left without one.
    node = slicer.mrmlScene.GetSingletonNode(layoutName, className)
    if node is not None:
        slicer.mrmlScene.RemoveNode(node)
