"""Whether the CT of a result set still is where it was analysed.

Results are in the coordinates of the world at the time of the analysis. A transform above CT and
results together moves both and changes nothing between them; any other movement parts them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .Coordinates import Point, arrayFromMatrix, rasToLps
from .UserError import UserError
from .VoxelGrid import VoxelGrid

if TYPE_CHECKING:
    from .ResultSet import ResultSet

_NOTE = "VertebraAnalysis.InputGrid"
"""Attribute of the text node: the voxel grid of the CT when results and CT were first together."""

_STRETCH = 1e-3


def requireInputInPlace(resultSet: ResultSet) -> None:
    """Raise `UserError` if the CT was moved or changed since the analysis.

    Without a CT in the scene there is nothing to compare.
    """
    ct = resultSet.inputNode
    if ct is None or ct.GetImageData() is None:
        return
    now = _gridNow(resultSet)
    if now is None or not now.sharesVoxels(_noted(resultSet) or _analysed(resultSet)):
        raise UserError(
            f"{ct.GetName()} is not where it was when it was analyzed, seen from these results.",
            "Undo its transform, or analyze it again.",
        )


def noteInputPlace(resultSet: ResultSet) -> None:
    """Keep where the CT is, if it is in place and that was not kept before.

    The analysis itself knows of its part of the CT only.
    """
    ct = resultSet.inputNode
    if ct is None or ct.GetImageData() is None or resultSet.textNode.GetAttribute(_NOTE):
        return
    now = _gridNow(resultSet)
    if now is not None and now.sharesVoxels(_analysed(resultSet)):
        content = {"size": list(now.size), "ijk_to_ras": now.ijkToRas.tolist()}
        resultSet.textNode.SetAttribute(_NOTE, json.dumps(content))


def transformAbove(resultSet: ResultSet) -> Any:
    """Return the vtkMRMLTransformNode above the results, or None."""
    node = resultSet.segmentationNode or resultSet.centersNode
    return node.GetParentTransformNode() if node is not None else None


def resultsToWorld(resultSet: ResultSet) -> np.ndarray:
    """Return the matrix, shape (4, 4), from coordinates of the analysis to the world now, RAS mm.

    The identity where the results lie under a transform that is not linear.
    """
    import vtk

    matrix, transform = vtk.vtkMatrix4x4(), transformAbove(resultSet)
    if transform is not None and transform.IsTransformToWorldLinear():
        transform.GetMatrixTransformToWorld(matrix)
    return arrayFromMatrix(matrix)


def pointFromWorld(resultSet: ResultSet, pointRas: Sequence[float]) -> Point:
    """Return a point of the world, RAS mm, in the coordinates of the analysis, LPS mm."""
    return rasToLps((np.linalg.inv(resultsToWorld(resultSet)) @ [*pointRas, 1.0])[:3])


def _gridNow(resultSet: ResultSet) -> VoxelGrid | None:
    """The CT as it is now, seen from the results; None if that is bent or stretched."""
    ct, transform = resultSet.inputNode, transformAbove(resultSet)
    if transform is not None and not transform.IsTransformToWorldLinear():
        return None
    toWorld = resultsToWorld(resultSet)
    axes = toWorld[:3, :3]
    if np.abs(axes.T @ axes - np.eye(3)).max() > _STRETCH or np.linalg.det(axes) < 0:
        return None
    try:
        own = VoxelGrid.ofVolume(ct)
    except ValueError:
        return None
    return VoxelGrid(np.linalg.inv(toWorld) @ own.ijkToRas, own.size)


def _noted(resultSet: ResultSet) -> VoxelGrid | None:
    text = resultSet.textNode.GetAttribute(_NOTE)
    if not text:
        return None
    content = json.loads(text)
    return VoxelGrid(np.array(content["ijk_to_ras"]), tuple(content["size"]))


def _analysed(resultSet: ResultSet) -> VoxelGrid:
    return VoxelGrid.ofManifest(resultSet.loadReview().analysis.manifest)
