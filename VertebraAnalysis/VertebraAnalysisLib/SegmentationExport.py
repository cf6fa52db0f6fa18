"""A segmentation of the scene as one label map: for grading it, and for measuring it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .Coordinates import arrayFromMatrix
from .LabelmapImage import imageToWorld, voxelsOf
from .NrrdFile import writeNrrd
from .RoiCrop import roiCornersRas, voxelBox
from .SegmentNaming import isRejectedId
from .UserError import UserError

_BINARY = "Binary labelmap"
_SAME_LATTICE_VOXELS = 0.01
_RIM_MM = 2.0


@dataclass(frozen=True)
class SegmentLabels:
    """Segments as numbers on one grid.

    Attributes
    ----------
    voxels : ndarray, shape (k, j, i)
        0 where there is no segment.
    ijkToWorld : ndarray, shape (4, 4)
        Voxel index to world RAS mm.
    names : dict of int to str
        Number -> name of the segment.
    ids : dict of int to str
        Number -> ID of the segment.
    """

    voxels: np.ndarray
    ijkToWorld: np.ndarray
    names: dict[int, str]
    ids: dict[int, str]

    def write(self, path: Path) -> None:
        """Write a ``.seg.nrrd`` that tells the names; errors as in `NrrdFile.writeNrrd`."""
        keys = {}
        for index, (number, name) in enumerate(self.names.items()):
            keys[f"Segment{index}_LabelValue"] = str(number)
            keys[f"Segment{index}_Name"] = name
        writeNrrd(path, self.voxels, self.ijkToWorld, keys)

    def part(self, names: Mapping[int, str]) -> SegmentLabels:
        """Return only some of the segments, renamed, on the smallest grid that holds them.

        Parameters
        ----------
        names : mapping of int to str
            Number -> name to give it.

        Raises
        ------
        UserError
            If they are all empty.
        """
        table = np.zeros(int(self.voxels.max()) + 1, bool)
        table[[number for number in names if 0 < number < len(table)]] = True
        wanted = table[self.voxels]
        used = [np.nonzero(wanted.any(axes))[0] for axes in ((1, 2), (0, 2), (0, 1))]
        if not len(used[0]):
            raise UserError("The segments are empty.", "Undo the last edit, or paint them again.")
        box = tuple(slice(int(u[0]), int(u[-1]) + 1) for u in used)
        matrix = self.ijkToWorld.copy()
        matrix[:3, 3] += matrix[:3, :3] @ [part.start for part in box[::-1]]
        voxels = self.voxels[box] * wanted[box]
        return SegmentLabels(voxels, matrix, dict(names), {n: self.ids[n] for n in names})

    def framed(self) -> SegmentLabels:
        """Return the segments with an empty rim, on a grid that says nothing about where they end.

        Slicer keeps no more of a segment than it fills, and the core takes what reaches the side
        of a label map for cut off.
        """
        spacing = np.linalg.norm(self.ijkToWorld[:3, :3], axis=0)
        rim = np.ceil(_RIM_MM / spacing + 0.5).astype(int)
        matrix = self.ijkToWorld.copy()
        matrix[:3, 3] -= matrix[:3, :3] @ rim
        voxels = np.pad(self.voxels, [(int(n), int(n)) for n in rim[::-1]])
        return SegmentLabels(voxels, matrix, self.names, self.ids)

    def inside(self, cornersRas: np.ndarray) -> SegmentLabels:
        """Return the part in the box around points, world RAS mm (n, 3); see `voxelBox`."""
        size = self.voxels.shape[::-1]
        box = voxelBox(cornersRas, self.ijkToWorld, size, "segmentation")
        voxels, matrix = self.voxels[box[::-1]], self.ijkToWorld.copy()
        matrix[:3, 3] += matrix[:3, :3] @ [part.start for part in box]
        return SegmentLabels(voxels, matrix, self.names, self.ids)

    def cornersRas(self) -> np.ndarray:
        """Return the centres of the corner voxels, world RAS mm, shape (8, 3)."""
        last = np.asarray(self.voxels.shape[::-1]) - 1
        ijk = np.array([np.asarray(corner) * last for corner in np.ndindex(2, 2, 2)])
        return ijk @ self.ijkToWorld[:3, :3].T + self.ijkToWorld[:3, 3]


class SegmentationExport:
    """Reads segmentation nodes; the scene is not changed."""

    @staticmethod
    def write(segmentationNode: Any, path: Path, roiNode: Any = None) -> None:
        """Write a segmentation, or its part in a markups ROI, as ``.seg.nrrd`` for the core.

        Raises
        ------
        UserError
            If there is nothing to write, or the disk is full or not writable.
        """
        labels = SegmentationExport.labels(segmentationNode).framed()
        if roiNode is not None:
            labels = labels.inside(roiCornersRas(roiNode))
        try:
            labels.write(path)
        except OSError as error:
            raise UserError(
                "The segmentation cannot be written to the temporary folder: "
                f"{error.strerror or error}.",
                "Make room on the disk, or choose another temporary folder in Slicer's settings.",
            ) from error

    @staticmethod
    def labels(segmentationNode: Any) -> SegmentLabels:
        """Return the segments of a node on one grid, in world coordinates.

        Segments that share one layer keep their label values, others are numbered from 1. Where
        segments overlap, the later one counts.

        Raises
        ------
        UserError
            If there is no segment, no binary label map, or a non-linear transform above it.
        """
        segmentation = segmentationNode.GetSegmentation()
        # What is no vertebra gives way where it overlaps one.
        ids = sorted(segmentation.GetSegmentIDs(), key=isRejectedId, reverse=True)
        name = segmentationNode.GetName()
        if not ids:
            raise UserError(f"The segmentation '{name}' has no segments.", "Choose another one.")
        if not segmentation.ContainsRepresentation(_BINARY):
            raise UserError(
                f"The segmentation '{name}' has no binary label map.",
                "Create one in the Segmentations module, under Representations.",
            )
        toWorld = _toWorld(segmentationNode)
        segments = [segmentation.GetSegment(segmentId) for segmentId in ids]
        layers = [segment.GetRepresentation(_BINARY) for segment in segments]
        if len({layer.GetAddressAsString("") for layer in layers}) == 1:
            numbers = [segment.GetLabelValue() for segment in segments]
        else:
            numbers = list(range(1, len(segments) + 1))
        names = {n: s.GetName() for n, s in zip(numbers, segments, strict=True)}
        idOf = dict(zip(numbers, ids, strict=True))
        merged = _pasted(segments, layers, numbers) or _resampled(segmentationNode, ids, numbers)
        if merged is None or not merged[0].any():
            raise UserError(
                f"The segments of '{name}' are empty.",
                "Paint them, or choose another segmentation.",
            )
        return SegmentLabels(merged[0], toWorld @ merged[1], names, idOf)


def _toWorld(node: Any) -> np.ndarray:
    import vtk

    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    if not transform.IsTransformToWorldLinear():
        raise UserError(
            f"The segmentation '{node.GetName()}' is under a non-linear transform.",
            "Harden the transform in the Transforms module, or take the segmentation out of it.",
        )
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    return arrayFromMatrix(matrix)


def _pasted(
    segments: list[Any], layers: list[Any], numbers: list[int]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Put layers of one lattice side by side; None if they are of several lattices."""
    filled = [layer for layer in layers if _voxels(layer) is not None]
    if not filled:
        return None
    matrix = imageToWorld(filled[0])
    if not all(_sameLattice(matrix, layer) for layer in filled):
        return None
    extents = np.array([layer.GetExtent() for layer in filled])
    first, last = extents[:, ::2].min(0), extents[:, 1::2].max(0)
    kind = np.uint8 if max(numbers) < 256 else np.uint16
    merged = np.zeros((last - first + 1)[::-1], kind)
    for layer in dict.fromkeys(filled):
        voxels = _voxels(layer)
        # One table per layer: a comparison per segment would take seconds on a large scan.
        table = np.zeros(int(voxels.max()) + 1, kind)
        for segment, own, number in zip(segments, layers, numbers, strict=True):
            if own is layer and segment.GetLabelValue() < len(table):
                table[segment.GetLabelValue()] = number
        start = (np.asarray(layer.GetExtent()[::2]) - first)[::-1]
        box = tuple(slice(s, s + n) for s, n in zip(start, voxels.shape, strict=True))
        mapped = table[voxels]
        np.copyto(merged[box], mapped, where=mapped > 0)
    matrix = matrix.copy()
    matrix[:3, 3] += matrix[:3, :3] @ first
    return merged, matrix


def _resampled(
    node: Any, ids: list[str], numbers: list[int]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Let Slicer bring layers of several lattices to one."""
    import slicer
    import vtk

    wanted = vtk.vtkStringArray()
    for segmentId in ids:
        wanted.InsertNextValue(segmentId)
    image = slicer.vtkOrientedImageData()
    extentMode = slicer.vtkSegmentation.EXTENT_UNION_OF_SEGMENTS
    if not node.GenerateMergedLabelmapForAllSegments(image, extentMode, None, wanted):
        return None
    voxels = _voxels(image)
    if voxels is None:
        return None
    # Slicer numbers merged segments from 1 in the order asked for.
    kind = np.uint8 if max(numbers) < 256 else np.uint16
    table = np.array([0, *numbers], kind)
    matrix = imageToWorld(image)
    matrix[:3, 3] += matrix[:3, :3] @ np.asarray(image.GetExtent()[::2])
    return table[np.clip(voxels, 0, len(numbers))], matrix


def _voxels(image: Any) -> np.ndarray | None:
    voxels = voxelsOf(image)
    return voxels if voxels is None or voxels.dtype.kind in "iu" else voxels.astype(np.int32)


def _sameLattice(matrix: np.ndarray, image: Any) -> bool:
    """Tell whether voxels of `image` fall on voxels of `matrix`, with the same numbers."""
    difference = np.linalg.inv(matrix) @ imageToWorld(image) - np.eye(4)
    corner = np.asarray(image.GetExtent()).reshape(3, 2).max(1)
    return bool(
        np.abs(difference[:3, :3] @ corner + difference[:3, 3]).max() < _SAME_LATTICE_VOXELS
        and np.abs(difference[:3, 3]).max() < _SAME_LATTICE_VOXELS
    )
