"""The shape of one segment: taken from a segmentation, kept as JSON, and given back to it."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from .Coordinates import arrayFromMatrix
from .LabelMapFile import LabelMapFile
from .LabelmapImage import imageToWorld, orientedImage, voxelsOf


@dataclass(frozen=True, eq=False)
class SegmentShape:
    """Which voxels a segment holds, in the coordinates of its segmentation node.

    Attributes
    ----------
    voxels : ndarray of bool, shape (z, y, x)
        May hold nothing at all: the shape of an empty segment.
    firstIndex : tuple of int
        Index i, j, k of the first voxel.
    ijkToLocal : ndarray, shape (4, 4)
        From voxel indices to RAS mm, before any transform above the segmentation.
    """

    voxels: np.ndarray
    firstIndex: tuple[int, int, int]
    ijkToLocal: np.ndarray

    @staticmethod
    def of(node: Any, segmentId: str) -> SegmentShape:
        """Return the shape of a segment of a vtkMRMLSegmentationNode, cut to what it fills."""
        import slicer

        segment = node.GetSegmentation().GetSegment(segmentId)
        binary = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
        image = segment.GetRepresentation(binary)
        voxels = voxelsOf(image)
        if voxels is None:
            return SegmentShape(np.zeros((1, 1, 1), bool), (0, 0, 0), np.eye(4))
        own = voxels == segment.GetLabelValue()
        return _cut(own, image.GetExtent()[::2], imageToWorld(image))

    @staticmethod
    def fromLabelMap(labelMap: LabelMapFile, number: int, node: Any) -> SegmentShape | None:
        """Return the voxels of `number`, None if there are none.

        Parameters
        ----------
        labelMap : LabelMapFile
            In the world, wherever a transform has taken `node`.
        number : int
        node : vtkMRMLSegmentationNode
            For which the shape is meant.
        """
        import slicer
        import vtk

        own = labelMap.labels == number
        if not own.any():
            return None
        toLocal = vtk.vtkMatrix4x4()
        slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(
            None, node.GetParentTransformNode(), toLocal
        )
        return _cut(own, labelMap.firstIndex, arrayFromMatrix(toLocal) @ labelMap.ijkToRas)

    def giveTo(self, node: Any, segmentId: str) -> None:
        """Make this the shape of a segment; all other segments keep theirs."""
        import slicer

        image = orientedImage(self.voxels.astype(np.uint8), self.firstIndex, self.ijkToLocal)
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        logic.SetBinaryLabelmapToSegment(image, node, segmentId, logic.MODE_REPLACE)

    def toDict(self) -> dict[str, Any]:
        """Return the shape as plain values, packed to a few kilobytes for a vertebral body."""
        packed = zlib.compress(np.packbits(self.voxels).tobytes())
        return {
            "size_zyx": list(self.voxels.shape),
            "first_index_xyz": list(self.firstIndex),
            "ijk_to_local_ras": self.ijkToLocal.tolist(),
            "voxels": base64.b64encode(packed).decode("ascii"),
        }

    @staticmethod
    def fromDict(content: dict[str, Any]) -> SegmentShape:
        """Rebuild what `toDict` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        depth, rows, columns = (int(n) for n in content["size_zyx"])
        i, j, k = (int(n) for n in content["first_index_xyz"])
        matrix = np.array(content["ijk_to_local_ras"], float).reshape(4, 4)
        count = depth * rows * columns
        try:
            packed = base64.b64decode(content["voxels"], validate=True)
            unpacked = zlib.decompressobj().decompress(packed, count // 8 + 2)
        except zlib.error as error:
            raise ValueError("the voxels of a segment are damaged") from error
        if min(depth, rows, columns) < 1 or len(unpacked) != -(-count // 8):
            raise ValueError("the voxels of a segment are not all there")
        bits = np.unpackbits(np.frombuffer(unpacked, np.uint8), count=count)
        return SegmentShape(bits.astype(bool).reshape(depth, rows, columns), (i, j, k), matrix)


def _cut(own: np.ndarray, first: Any, matrix: np.ndarray) -> SegmentShape:
    """Cut voxels that begin at index `first` i, j, k to the smallest box that holds all set."""
    used = [np.flatnonzero(own.any(axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    box = tuple(slice(int(u[0]), int(u[-1]) + 1) if len(u) else slice(0, 1) for u in used)
    i, j, k = (int(f) + part.start for f, part in zip(first, box[::-1], strict=True))
    return SegmentShape(own[box].copy(), (i, j, k), matrix)
