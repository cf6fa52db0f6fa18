"""A volume of the scene as a file for the analysis process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from vertebra_core.volume_source import NAME_FIELD

from .Coordinates import ijkToWorldOfVolume
from .NrrdFile import writeNrrd
from .RoiCrop import roiCornersRas, voxelBox
from .UserError import UserError


class VolumeExport:
    """Writes volumes where they appear in the world; the scene is only read."""

    @staticmethod
    def write(volumeNode: Any, path: Path, roiNode: Any = None) -> None:
        """Write `volumeNode` as NRRD, which tells the node's name.

        Parameters
        ----------
        volumeNode : vtkMRMLScalarVolumeNode
            May be under a linear transform, which is taken into the file's geometry.
        path : Path
            ``NAME.nrrd``.
        roiNode : vtkMRMLMarkupsROINode, optional
            Only the voxels inside it are written.

        Raises
        ------
        UserError
            If the region misses the volume, or the disk is full or not writable.
        """
        corners = None if roiNode is None else roiCornersRas(roiNode)
        VolumeExport.writePart(volumeNode, path, corners)

    @staticmethod
    def writePart(volumeNode: Any, path: Path, cornersRas: np.ndarray | None) -> None:
        """Write the voxels of the box around points, world RAS mm (n, 3); None writes all."""
        import slicer

        if volumeNode is None or volumeNode.GetImageData() is None:
            raise UserError("The volume is empty.", "Choose the CT series.")
        voxels = slicer.util.arrayFromVolume(volumeNode)
        matrix = ijkToWorldOfVolume(volumeNode)
        if cornersRas is not None:
            box = voxelBox(cornersRas, matrix, voxels.shape[::-1])
            voxels = voxels[box[::-1]]
            matrix = matrix.copy()
            matrix[:3, 3] += matrix[:3, :3] @ [part.start for part in box]
        try:
            writeNrrd(path, voxels, matrix, {NAME_FIELD: volumeNode.GetName() or ""})
        except OSError as error:
            raise UserError(
                f"The CT cannot be written to the temporary folder: {error.strerror or error}.",
                "Make room on the disk, or choose another temporary folder in Slicer's settings.",
            ) from error
