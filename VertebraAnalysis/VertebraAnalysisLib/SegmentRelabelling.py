"""Gives segments other levels without touching their shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from vertebra_core.levels import MOBILE_LEVELS, level_named

from .SegmentNaming import idOfSegment, isRejectedId, nameSegment

_FREE_VALUES = range(max(level.number for level in MOBILE_LEVELS) + 1, 256)
"""Label values that are no number of a level."""

_DISPLAY_PROPERTIES = (
    "Visibility",
    "Visibility3D",
    "Visibility2DFill",
    "Visibility2DOutline",
    "Opacity3D",
    "Opacity2DFill",
    "Opacity2DOutline",
    "Pickable",
)


class SegmentRelabelling:
    """Renames segments of one node all at once, so that levels can change places.

    A segmentation cannot rename a segment's ID, and when a segment is removed it takes its voxels
    out of the shared label map. So segments leave without their voxels, the voxels get the new
    label values in place, and the segments come back under their new IDs.

    Parameters
    ----------
    segmentationNode : vtkMRMLSegmentationNode
    """

    def __init__(self, segmentationNode: Any) -> None:
        import slicer

        self._node = segmentationNode
        self._segmentation = segmentationNode.GetSegmentation()
        self._binary = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()

    def apply(self, levels: dict[str, str | None]) -> None:
        """Rename segments.

        Parameters
        ----------
        levels : dict of str
            ID of a segment -> its level from now on; None where it is no vertebra.
        """
        levels = {old: level for old, level in levels.items() if not _isCalled(old, level)}
        if not levels:
            return
        everything = [
            self._segmentation.GetNthSegmentID(i)
            for i in range(self._segmentation.GetNumberOfSegments())
        ]
        newIds: dict[str, str] = {}
        for old in (segmentId for segmentId in everything if segmentId in levels):
            taken = (set(everything) - set(levels)) | set(newIds.values())
            newIds[old] = _freeId(idOfSegment(levels[old]), taken)
        segments = {old: self._segmentation.GetSegment(old) for old in everything}
        images = {old: s.GetRepresentation(self._binary) for old, s in segments.items()}
        shown = {old: self._displayOf(old) for old in levels}

        modified = self._node.StartModify()
        try:
            for old in levels:
                segments[old].RemoveRepresentation(self._binary)
                self._segmentation.RemoveSegment(old)
            self._relabelVoxels(segments, images, levels)
            for index, old in enumerate(everything):
                if old not in levels:
                    continue
                nameSegment(segments[old], levels[old])
                if images[old] is not None:
                    segments[old].AddRepresentation(self._binary, images[old])
                self._segmentation.AddSegment(segments[old], newIds[old])
                self._segmentation.SetSegmentIndex(newIds[old], index)
                self._display(newIds[old], shown[old])
        finally:
            self._node.EndModify(modified)

    def _relabelVoxels(
        self, segments: dict[str, Any], images: dict[str, Any], levels: dict[str, str | None]
    ) -> None:
        layers: dict[int, tuple[Any, list[str]]] = {}
        for old, image in images.items():
            if image is not None:
                layers.setdefault(id(image), (image, []))[1].append(old)
        for image, ids in layers.values():
            before = {old: segments[old].GetLabelValue() for old in ids}
            after = _labelValues(before, levels)
            _replaceValues(image, {before[old]: after[old] for old in ids})
            for old in ids:
                segments[old].SetLabelValue(after[old])

    def _displayOf(self, segmentId: str) -> dict[str, Any]:
        display = self._node.GetDisplayNode()
        if display is None:
            return {}
        return {
            name: getattr(display, f"GetSegment{name}")(segmentId) for name in _DISPLAY_PROPERTIES
        }

    def _display(self, segmentId: str, properties: dict[str, Any]) -> None:
        display = self._node.GetDisplayNode()
        for name, value in properties.items():
            getattr(display, f"SetSegment{name}")(segmentId, value)


def _isCalled(segmentId: str, level: str | None) -> bool:
    return isRejectedId(segmentId) if level is None else segmentId == idOfSegment(level)


def _freeId(wanted: str, taken: set[str]) -> str:
    # A reader's own segment may already be called so.
    number, segmentId = 1, wanted
    while segmentId in taken:
        number += 1
        segmentId = f"{wanted}_{number}"
    return segmentId


def _labelValues(before: dict[str, int], levels: dict[str, str | None]) -> dict[str, int]:
    """Return ID -> new label value: of its level, or the old one, or else a free one.

    No two segments get the same value, or they would become one for good.
    """
    named = {old: level for old, level in levels.items() if level is not None and old in before}
    wanted = {old: level_named(level).number for old, level in named.items()}
    wanted |= {old: value for old, value in before.items() if old not in levels}
    after: dict[str, int] = {}
    for old in (*wanted, *(o for o in before if o not in wanted)):
        value = wanted.get(old)
        if value is None or value in after.values():
            reserved = {*after.values(), *wanted.values()}
            value = next(n for n in _FREE_VALUES if n not in reserved)
        after[old] = value
    return after


def _replaceValues(image: Any, values: dict[int, int]) -> None:
    from vtk.util.numpy_support import vtk_to_numpy

    if all(old == new for old, new in values.items()):
        return
    scalars = image.GetPointData().GetScalars()
    if scalars is None or scalars.GetNumberOfTuples() == 0:
        return
    voxels = vtk_to_numpy(scalars)
    # Voxels of no segment become empty: they must not turn up in one that takes their value.
    table = np.zeros(max(int(voxels.max()), *values) + 1, voxels.dtype)
    for old, new in values.items():
        table[old] = new
    np.take(table, voxels, out=voxels, mode="clip")
    # Told by the array, not by the image: the shapes stay, so surfaces need not be made again.
    scalars.Modified()
