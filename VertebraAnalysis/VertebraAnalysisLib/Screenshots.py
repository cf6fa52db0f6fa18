"""Writes a picture of every fractured vertebra of a result."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from .CheckedVolume import checkedVolume
from .Coordinates import arrayFromMatrix
from .FracturePicture import FracturePicture
from .InputPlace import requireInputInPlace, resultsToWorld
from .MovedVertebra import movedVertebra
from .ResultSet import segmentIdsByKey
from .SagittalPlane import SagittalPlane
from .SegmentNaming import isRejectedId
from .UserError import UserError

if TYPE_CHECKING:
    from .ResultSet import ResultSet
    from .ReviewedVertebra import ReviewedVertebra

_AIR_HU = -1000.0
_SMOOTHING_MM = 0.5


class Screenshots:
    """Takes pictures from the CT and the segments themselves, so that no view is touched.

    Parameters
    ----------
    resultSet : ResultSet
    """

    def __init__(self, resultSet: ResultSet) -> None:
        self._resultSet = resultSet

    def export(self, folder: Path) -> list[Path]:
        """Write a PNG for every vertebra of grade 1 or more; existing files are kept.

        Parameters
        ----------
        folder : Path
            Made if it does not exist.

        Returns
        -------
        list of Path
            Files written, head to foot, named after level, grade and shape.

        Raises
        ------
        UserError
            If no vertebra is fractured, the CT is gone or was moved, or the folder cannot be
            written to.
        """
        fractured = [v for v in self._resultSet.loadReview().vertebrae if v.fractured]
        if not fractured:
            raise UserError(
                _("No vertebra of this result is graded as fractured."),
                _("Pictures are taken of vertebrae of grade 1 or more."),
            )
        if self._resultSet.inputNode is None or self._resultSet.inputNode.GetImageData() is None:
            raise UserError(
                _("The CT of this result is not in the scene any more."),
                _("Load it again, or open the scene that was saved with it."),
            )
        requireInputInPlace(self._resultSet)
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                _("The folder {folder} cannot be made.").format(folder=folder),
                _("Choose another folder."),
            ) from error
        written = []
        for vertebra in fractured:
            name = "_".join(filter(None, (vertebra.level, f"G{vertebra.grade}", vertebra.shape)))
            path = _unusedPath(folder, name)
            self.picture(vertebra).savePng(path)
            written.append(path)
        return written

    def picture(self, vertebra: ReviewedVertebra) -> Any:
        """Return the picture of one vertebra as `PictureCanvas`."""
        current = movedVertebra(vertebra.current, resultsToWorld(self._resultSet))
        picture = FracturePicture(replace(vertebra, current=current))
        return picture.draw(self._huOn(picture.plane), self._outlinesOn(picture.plane))

    @cached_property
    def _hu(self) -> np.ndarray:
        # Not the stored values: they may be HU + 1024.
        return checkedVolume(self._resultSet.inputNode).hu

    @cached_property
    def _levels(self) -> dict[str, str]:
        return {v.key: v.level for v in self._resultSet.loadReview().accepted}

    def _huOn(self, plane: SagittalPlane) -> np.ndarray:
        node = self._resultSet.inputNode
        matrix = vtk.vtkMatrix4x4()
        node.GetRASToIJKMatrix(matrix)
        worldToIjk = arrayFromMatrix(matrix) @ _worldToLocal(node)
        return plane.sample(self._hu, worldToIjk, 1, _AIR_HU)

    def _outlinesOn(self, plane: SagittalPlane) -> dict[str, list[np.ndarray]]:
        from scipy import ndimage
        from vertebra_core.output.contours import outlines

        node = self._resultSet.segmentationNode
        if node is None:
            return {}
        levels = {own: self._levels.get(key) for key, own in segmentIdsByKey(node).items()}
        segmentation = node.GetSegmentation()
        representation = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
        worldToNode = _worldToLocal(node)
        found: dict[str, list[np.ndarray]] = {}
        # Segments share one label map until one of them is edited: what lies on the plane is
        # found once per map.
        present: dict[Any, set[int]] = {}
        for index in range(segmentation.GetNumberOfSegments()):
            segment = segmentation.GetNthSegment(index)
            image = segment.GetRepresentation(representation)
            if image is None or image.GetPointData().GetScalars() is None:
                continue
            segmentId = segmentation.GetNthSegmentID(index)
            if isRejectedId(segmentId):
                continue
            labels, worldToIjk = _labels(image)
            worldToIjk = worldToIjk @ worldToNode
            if image not in present:
                present[image] = set(np.unique(plane.sample(labels, worldToIjk, 0)).astype(int))
            value = segment.GetLabelValue()
            if value in present[image]:
                share = plane.sample(labels, worldToIjk, 1, label=value)
                # Voxels leave steps; they are evened out by less than their own size.
                smooth = ndimage.gaussian_filter(share, _SMOOTHING_MM / plane.pixelMm)
                # A segment that was renamed by hand is the vertebra that it was written as.
                name = levels.get(segmentId) or segment.GetName()
                found.setdefault(name, []).extend(outlines(smooth))
        return found


def _labels(image: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the voxels [k, j, i] of a vtkOrientedImageData and its world-to-voxel matrix."""
    i, j, k = image.GetDimensions()
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(k, j, i)
    matrix = vtk.vtkMatrix4x4()
    image.GetWorldToImageMatrix(matrix)
    first = np.eye(4)
    first[:3, 3] = -np.array(image.GetExtent()[::2])
    return voxels, first @ arrayFromMatrix(matrix)


def _worldToLocal(node: Any) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(
        None, node.GetParentTransformNode(), matrix
    )
    return arrayFromMatrix(matrix)


def _unusedPath(folder: Path, name: str) -> Path:
    # Pictures of another patient may lie there.
    path, number = folder / f"{name}.png", 1
    while path.exists():
        number += 1
        path = folder / f"{name}_{number}.png"
    return path
