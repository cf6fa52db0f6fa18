"""Brings a vertebra into view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import slicer

from .Coordinates import lpsToRas

if TYPE_CHECKING:
    from vertebra_core.analysis import Vertebra

    from .ReviewedVertebra import ReviewedVertebra

_SAME_ORIENTATION = 1e-4
_BEFORE_ATTRIBUTE = "VertebraAnalysis.AxesBeforeTilt"
_TILTED_ATTRIBUTE = "VertebraAnalysis.TiltedAxes"


class ViewNavigation:
    """Centres slice views and 3D views on vertebrae.

    Layout, zoom, and what the views show are left as they are. Slice views are tilted only on
    request, and can be put back: a tilted view node carries its axes from before, also in a saved
    scene.

    Parameters
    ----------
    scene : vtkMRMLScene, optional
        Default: the application's.
    """

    def __init__(self, scene: Any = None) -> None:
        self._scene = slicer.mrmlScene if scene is None else scene

    def showVertebra(self, vertebra: ReviewedVertebra | Vertebra, alongAxes: bool = False) -> None:
        """Centre all slice views and 3D views on the body of a vertebra.

        Parameters
        ----------
        vertebra : ReviewedVertebra or Vertebra
            Its centre and axes are in LPS mm of the world.
        alongAxes : bool
            Tilt the slice views to the body's own axes, so that the sagittal view cuts it in its
            middle and shows its true heights. Without known axes the views stay untilted.
        """
        center = lpsToRas(vertebra.center_lps_mm)
        if alongAxes and vertebra.axes_lps is not None:
            self._tilt(bodyRotation(vertebra.axes_lps))
        else:
            self.resetAxes()
        slicer.vtkMRMLSliceNode.JumpAllSlices(
            self._scene, *center, slicer.vtkMRMLSliceNode.CenteredJumpSlice
        )
        for camera in self._nodes("vtkMRMLCameraNode"):
            self._focus(camera, np.array(center))

    def resetAxes(self) -> None:
        """Put tilted slice views back as they were; they stay where they are."""
        for node in self._nodes("vtkMRMLSliceNode"):
            before = _axesBeforeTilt(node)
            if before is not None:
                _setOrientation(node, before)
            for name in (_BEFORE_ATTRIBUTE, _TILTED_ATTRIBUTE):
                node.RemoveAttribute(name)

    def _tilt(self, rotation: np.ndarray) -> None:
        for node in self._nodes("vtkMRMLSliceNode"):
            before = _axesBeforeTilt(node)
            if before is None:
                before = _orientation(node)
            _setOrientation(node, rotation @ before)
            node.SetAttribute(_BEFORE_ATTRIBUTE, _text(before))
            node.SetAttribute(_TILTED_ATTRIBUTE, _text(_orientation(node)))

    def _focus(self, camera: Any, center: np.ndarray) -> None:
        shift = center - np.array(camera.GetFocalPoint())
        with slicer.util.NodeModify(camera):
            camera.SetPosition(np.array(camera.GetPosition()) + shift)
            camera.SetFocalPoint(center)
        camera.ResetClippingRange()

    def _nodes(self, className: str) -> list[Any]:
        number = self._scene.GetNumberOfNodesByClass(className)
        return [self._scene.GetNthNodeByClass(i, className) for i in range(number)]


def bodyRotation(axesLps: tuple[tuple[float, float, float], ...]) -> np.ndarray:
    """Return the rotation that turns the patient's axes into those of a body.

    Parameters
    ----------
    axesLps : tuple
        Right-to-left, front-to-back and foot-to-head axis of the body, LPS.

    Returns
    -------
    ndarray, shape (3, 3)
        Acts on RAS; the identity for a body that stands straight.
    """
    leftward, backward, upward = (np.array(lpsToRas(axis)) for axis in axesLps)
    axes = np.column_stack([-leftward, -backward, upward])
    # The nearest true rotation: measured axes are orthogonal to within rounding only.
    left, _, right = np.linalg.svd(axes)
    return left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right


def _axesBeforeTilt(node: Any) -> np.ndarray | None:
    """Return the axes of a slice view before it was tilted; None if it is not tilted.

    A view that was turned by hand since then belongs to the user again.
    """
    before, tilted = (
        _matrix(node.GetAttribute(name)) for name in (_BEFORE_ATTRIBUTE, _TILTED_ATTRIBUTE)
    )
    if before is None or tilted is None or not _same(_orientation(node), tilted):
        return None
    return before


def _text(matrix: np.ndarray) -> str:
    return " ".join(repr(float(value)) for value in matrix.ravel())


def _matrix(text: str | None) -> np.ndarray | None:
    try:
        return np.array([float(word) for word in (text or "").split()]).reshape(3, 3)
    except ValueError:
        return None


def _orientation(node: Any) -> np.ndarray:
    matrix = node.GetSliceToRAS()
    return np.array([[matrix.GetElement(i, j) for j in range(3)] for i in range(3)])


def _setOrientation(node: Any, orientation: np.ndarray) -> None:
    with slicer.util.NodeModify(node):
        matrix = node.GetSliceToRAS()
        for i in range(3):
            for j in range(3):
                matrix.SetElement(i, j, orientation[i, j])
        node.UpdateMatrices()


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.allclose(a, b, atol=_SAME_ORIENTATION))
