"""Segmentation nodes: a segment per vertebra, all in one shared label map."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from vertebra_core.levels import is_level_number, level_named, level_numbered
from vertebra_core.output.scene_keys import ALGORITHM_NAME, KEY_ATTRIBUTE, segment_id

from .LabelmapImage import orientedImage
from .ResultSet import segmentIdsByKey
from .SegmentNaming import isRejectedId, nameSegment
from .SegmentRelabelling import SegmentRelabelling
from .UserError import UserError

if TYPE_CHECKING:
    from .LabelMapFile import LabelMapFile
    from .ResultSet import ResultSet
    from .ReviewedVertebra import ReviewedVertebra
    from .SegmentShape import SegmentShape

_FILL_OPACITY_2D = 0.25


class SegmentationWriter:
    """Writes, relabels and shows the segmentations of a result set."""

    @staticmethod
    def write(
        scene: Any,
        name: str,
        labelMap: LabelMapFile,
        vertebrae: Sequence[ReviewedVertebra],
        inputNode: Any,
        visible: bool = True,
    ) -> Any:
        """Make a segmentation node.

        Parameters
        ----------
        scene : vtkMRMLScene
        name : str
        labelMap : LabelMapFile
            Level numbers as the analysis gave them.
        vertebrae : sequence of ReviewedVertebra
            Head to foot. Further levels in the label map, such as S1, get a segment too.
        inputNode : vtkMRMLScalarVolumeNode
            Whose grid is the reference geometry, which DICOM export asks for.
        visible : bool

        Returns
        -------
        vtkMRMLSegmentationNode
        """
        import slicer

        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        node.CreateDefaultDisplayNodes()
        shared = orientedImage(labelMap.labels, labelMap.firstIndex, labelMap.ijkToRas)
        segmentation = node.GetSegmentation()
        binary = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
        segmentation.SetSourceRepresentationName(binary)
        # The label map of the analysis does not hold what was added later.
        levels = [(v.key, v.ai.level) for v in vertebrae if not v.added]
        known = {level_named(level).number for _, level in levels}
        further = sorted(n for n in labelMap.numbers - known if is_level_number(n))
        levels += [("", level_numbered(number).name) for number in further]
        for key, level in levels:
            segment = _segment(key, level)
            segment.AddRepresentation(binary, shared)
            segmentation.AddSegment(segment, segment_id(level))
        node.SetReferenceImageGeometryParameterFromVolumeNode(inputNode)
        display = node.GetDisplayNode()
        display.SetVisibility(visible)
        display.SetOpacity2DFill(_FILL_OPACITY_2D)
        display.SetVisibility3D(False)
        if any(v.rejected or v.levelChanged for v in vertebrae):
            SegmentationWriter.update(node, vertebrae)
        return node

    @staticmethod
    def update(node: Any, vertebrae: Iterable[ReviewedVertebra]) -> list[str]:
        """Make names, IDs, colours, terminology and label values follow the levels.

        What is no vertebra any more is hidden, and shown again when it is restored. Segments that
        the reader added, deleted or edited are left as they are otherwise.

        Returns
        -------
        list of str
            Levels of the segments that had been given the name of another level by hand.
        """
        if node is None:
            return []
        wanted = {v.key: None if v.rejected else v.level for v in vertebrae}
        present = {key: own for key, own in segmentIdsByKey(node).items() if key in wanted}
        turned = [key for key, own in present.items() if isRejectedId(own) != (not wanted[key])]
        SegmentRelabelling(node).apply({own: wanted[key] for key, own in present.items()})
        display, ids = node.GetDisplayNode(), segmentIdsByKey(node)
        for key in turned if display is not None else ():
            display.SetSegmentVisibility(ids[key], wanted[key] is not None)
        segmentation, misnamed = node.GetSegmentation(), []
        for key, level in wanted.items():
            segment = segmentation.GetSegment(ids[key]) if level and key in ids else None
            if segment is not None and segment.GetName() != level and _isLevel(segment.GetName()):
                segment.SetName(level)
                misnamed.append(level)
        return misnamed

    @staticmethod
    def add(
        node: Any, vertebra: ReviewedVertebra, shape: SegmentShape, above: Iterable[str]
    ) -> str:
        """Add the segment of a vertebra that the analysis missed, in a layer of its own.

        So no other segment is touched, not even one that it overlaps.

        Parameters
        ----------
        node : vtkMRMLSegmentationNode
        vertebra : ReviewedVertebra
        shape : SegmentShape
            In the coordinates of `node`.
        above : iterable of str
            Keys of the vertebrae that lie above it: its segment follows theirs.

        Returns
        -------
        str
            ID of the segment.
        """
        import slicer

        segmentation, ids = node.GetSegmentation(), segmentIdsByKey(node)
        segment = _segment(vertebra.key, vertebra.level)
        segment.SetTag("DICOM.SegmentAlgorithmType", "SEMIAUTOMATIC")
        voxels = shape.voxels.astype(np.uint8) * segment.GetLabelValue()
        binary = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
        image = orientedImage(voxels, shape.firstIndex, shape.ijkToLocal)
        segment.AddRepresentation(binary, image)
        segmentId = segmentation.GenerateUniqueSegmentID(segment_id(vertebra.level))
        if not segmentation.AddSegment(segment, segmentId):
            raise UserError(
                f"The segment of {vertebra.level} cannot be added to {node.GetName()}.",
                "Save the scene, open it again and repeat this.",
            )
        places = [segmentation.GetSegmentIndex(ids[key]) for key in above if key in ids]
        segmentation.SetSegmentIndex(segmentId, max(places, default=-1) + 1)
        return segmentId

    @staticmethod
    def remove(node: Any, keys: Iterable[str]) -> None:
        """Remove the segments of vertebrae that are no more; those are alone in their layers."""
        ids = segmentIdsByKey(node)
        for key in keys:
            if key in ids:
                node.GetSegmentation().RemoveSegment(ids[key])

    @staticmethod
    def show3D(resultSet: ResultSet, visible: bool) -> None:
        """Show the vertebrae as surfaces in 3D views, made when first asked for."""
        node = resultSet.segmentationNode
        if node is None:
            return
        if visible:
            node.CreateClosedSurfaceRepresentation()
            node.GetDisplayNode().SetVisibility(True)
        node.GetDisplayNode().SetVisibility3D(visible)

    @staticmethod
    def isShown3D(resultSet: ResultSet) -> bool:
        """Tell whether the vertebrae are shown in 3D views."""
        node = resultSet.segmentationNode
        display = node.GetDisplayNode() if node is not None else None
        return bool(display and display.GetVisibility() and display.GetVisibility3D())


def _isLevel(name: str) -> bool:
    try:
        level_named(name)
    except KeyError:
        return False
    return True


def _segment(key: str, level: str) -> Any:
    import slicer

    segment = slicer.vtkSegment()
    nameSegment(segment, level)
    if key:
        segment.SetTag(KEY_ATTRIBUTE, key)
    # Without these 3D Slicer's DICOM export calls the result of a program "manual".
    segment.SetTag("DICOM.SegmentAlgorithmType", "AUTOMATIC")
    segment.SetTag("DICOM.SegmentAlgorithmName", ALGORITHM_NAME)
    return segment
