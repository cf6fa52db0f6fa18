"""The vertebrae of a result set as a label map file, as they are in the scene now."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .Coordinates import lpsGeometry
from .InputPlace import requireInputInPlace
from .NrrdFile import writeNrrd
from .ResultSet import hasSegments, segmentIdsByKey
from .SegmentationExport import SegmentationExport
from .UserError import UserError
from .VoxelGrid import VoxelGrid
from .WholeFile import notWritten

if TYPE_CHECKING:
    from vertebra_core.volume import LabelVolume

    from .ResultSet import ResultSet

FILE_ENDINGS: tuple[str, ...] = (".nii.gz", ".nrrd")
"""What the names of files may end in."""


class LabelMapExport:
    """Writes level numbers (VerSe: C1-C7 1-7, T1-T12 8-19, L1-L6 20-25, S1 26, T13 28)."""

    @staticmethod
    def write(resultSet: ResultSet, path: Path | str) -> Path:
        """Write the label map on the grid of the CT, in the world; on its own without the CT.

        Vertebrae have the levels of the review, whatever their segments are called. Other segments
        go by their names; see `leftOut`.

        Parameters
        ----------
        resultSet : ResultSet
        path : Path or str
            ``NAME.nii.gz`` or ``NAME.nrrd``.

        Returns
        -------
        Path
            The file; either complete or not there.

        Raises
        ------
        UserError
            If the segmentation was deleted, holds no vertebra, or the file cannot be written.
        """
        path = Path(path)
        if not path.name.lower().endswith(FILE_ENDINGS):
            raise UserError(
                f"{path.name} is no name for a label map.", "Let it end in .nii.gz or .nrrd."
            )
        labels = LabelMapExport.labels(resultSet)
        if not labels.labels.any():
            raise UserError(
                "No vertebra is left that the label map could hold.", "Restore one first."
            )
        ending = next(e for e in FILE_ENDINGS if path.name.lower().endswith(e))
        partial = path.with_name(f".{path.name[: -len(ending)]}-partial-{os.getpid()}{ending}")
        try:
            _write(partial, labels)
            os.replace(partial, path)
        except OSError as error:
            raise notWritten(path, error) from error
        finally:
            # Where the folder is gone or locked, that is told already.
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        return path

    @staticmethod
    def labels(
        resultSet: ResultSet, bodies: bool = False, grid: LabelVolume | None = None
    ) -> LabelVolume:
        """Return the level numbers of the vertebrae as they are in the scene now, LPS mm.

        Parameters
        ----------
        resultSet : ResultSet
        bodies : bool
            Of the vertebral bodies instead.
        grid : LabelVolume, optional
            Whose voxels are wanted; by default those of the CT, or their own without one.

        Raises
        ------
        UserError
            If the segmentation was deleted, is empty, lies elsewhere than the CT since one of them
            was moved, or the analysis cannot be read.
        """
        node = resultSet.bodiesNode if bodies else resultSet.segmentationNode
        if node is None:
            raise UserError(
                "The segmentation of these results was deleted.", "Run the analysis again."
            )
        requireInputInPlace(resultSet)
        if not hasSegments(node):
            raise UserError(
                "These results hold no vertebra to save.", "Choose other results, or analyze again."
            )
        numbers = _levelNumbers(resultSet, node)
        found = SegmentationExport.labels(node)
        table = np.zeros(max(int(found.voxels.max()), *found.names) + 1, np.uint8)
        for number, segmentId in found.ids.items():
            table[number] = numbers[segmentId]
        own = _volume(table[found.voxels], found.ijkToWorld)
        wanted = _gridOfCt(resultSet.inputNode) if grid is None else VoxelGrid.ofLabels(grid)
        return own if wanted is None else _onGrid(own, found.ijkToWorld, wanted)

    @staticmethod
    def leftOut(resultSet: ResultSet) -> list[str]:
        """Return the names of the reader's own segments that no label map holds.

        They are neither vertebrae of the analysis nor named after a level.
        """
        node = resultSet.segmentationNode
        if node is None:
            return []
        vertebrae = set(segmentIdsByKey(node).values())
        return [
            node.GetSegmentation().GetSegment(segmentId).GetName()
            for segmentId, number in _levelNumbers(resultSet, node).items()
            if not number and segmentId not in vertebrae
        ]

    @staticmethod
    def withoutMask(resultSet: ResultSet) -> list[str]:
        """Return the levels of the vertebrae that no label map holds, as they have no segment."""
        masks = segmentIdsByKey(resultSet.segmentationNode)
        return [v.level for v in resultSet.loadReview().accepted if v.key not in masks]


def _levelNumbers(resultSet: ResultSet, node: Any) -> dict[str, int]:
    """Return ID of segment -> number of its level; 0 where it has none, or was rejected."""
    segmentation = node.GetSegmentation()
    levels = {v.key: v.level for v in resultSet.loadReview().accepted}
    keys = {own: key for key, own in segmentIdsByKey(node).items()}
    names = {
        own: levels.get(keys[own], "") if own in keys else segmentation.GetSegment(own).GetName()
        for own in segmentation.GetSegmentIDs()
    }
    return {own: _levelNumber(name) for own, name in names.items()}


def _levelNumber(name: str) -> int:
    from vertebra_core.levels import level_named

    try:
        return level_named(name).number
    except KeyError:
        return 0


def _gridOfCt(volumeNode: Any) -> VoxelGrid | None:
    """The grid of the CT, in the world; None where there is no usable one."""
    if volumeNode is None or volumeNode.GetImageData() is None:
        return None
    try:
        return VoxelGrid.ofVolume(volumeNode)
    except ValueError:
        return None


def _volume(voxels: np.ndarray, ijkToWorld: np.ndarray) -> LabelVolume:
    from vertebra_core.volume import LabelVolume

    try:
        geometry = lpsGeometry(ijkToWorld)
    except ValueError as error:
        raise UserError(
            f"The label map cannot be written: {error}.", "Harden and resample the segmentation."
        ) from error
    return LabelVolume(voxels, geometry.spacing, geometry.origin, geometry.direction)


def _onGrid(own: LabelVolume, ownToWorld: np.ndarray, grid: VoxelGrid) -> LabelVolume:
    from vertebra_core.volume import resample_labels

    voxels = np.zeros(grid.size[::-1], np.uint8)
    target = _volume(voxels, grid.ijkToRas)
    between = np.linalg.inv(grid.ijkToRas) @ ownToWorld
    shift = np.rint(between[:3, 3]).astype(int)
    last = np.asarray(own.size_xyz)
    off = (between[:3, :3] - np.eye(3)) @ last + between[:3, 3] - shift
    if np.abs(off).max() > 0.01 or np.abs(between[:3, 3] - shift).max() > 0.01:
        return resample_labels(own, target)
    # The same voxels: copied, so that not one of them changes.
    first = np.maximum(shift, 0)
    end = np.minimum(shift + last, grid.size)
    if (end > first).all():
        into = tuple(slice(a, b) for a, b in zip(first, end, strict=True))[::-1]
        part = tuple(slice(a, b) for a, b in zip(first - shift, end - shift, strict=True))[::-1]
        voxels[into] = own.labels[part]
    return target


def _write(path: Path, labels: LabelVolume) -> None:
    if path.name.lower().endswith(".nii.gz"):
        from vertebra_core.output.label_map import write_label_map

        write_label_map(path, labels.labels, labels)
    else:
        writeNrrd(path, labels.labels, VoxelGrid.ofLabels(labels).ijkToRas)
