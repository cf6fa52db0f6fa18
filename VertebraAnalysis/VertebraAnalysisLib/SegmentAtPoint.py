"""Tells which vertebra's segment holds a point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .Coordinates import arrayFromMatrix
from .LabelmapImage import imageToWorld, voxelsOf
from .ResultSet import segmentIdsByKey
from .SegmentNaming import isRejectedId

_BINARY = "Binary labelmap"


def keyAtPoint(segmentationNode: Any, pointRas: Sequence[float]) -> str:
    """Return the key of the vertebra whose segment holds a point; empty where there is none.

    Parameters
    ----------
    segmentationNode : vtkMRMLSegmentationNode or None
    pointRas : sequence of float
        World RAS mm, wherever a transform has taken the segmentation.
    """
    if segmentationNode is None:
        return ""
    local = _worldToLocal(segmentationNode) @ [*pointRas, 1.0]
    for key, segmentId in segmentIdsByKey(segmentationNode).items():
        segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
        if not isRejectedId(segmentId) and _holds(segment, local):
            return key
    return ""


def _holds(segment: Any, local: np.ndarray) -> bool:
    image = segment.GetRepresentation(_BINARY)
    voxels = voxelsOf(image)
    if voxels is None:
        return False
    ijk = np.rint((np.linalg.inv(imageToWorld(image)) @ local)[:3]).astype(int)
    i, j, k = ijk - image.GetExtent()[::2]
    inside = all(0 <= n < size for n, size in zip((k, j, i), voxels.shape, strict=True))
    return inside and bool(voxels[k, j, i] == segment.GetLabelValue())


def _worldToLocal(node: Any) -> np.ndarray:
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(
        None, node.GetParentTransformNode(), matrix
    )
    return arrayFromMatrix(matrix)
