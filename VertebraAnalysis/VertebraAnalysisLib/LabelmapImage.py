"""Voxels of a segment's binary labelmap as an array, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .Coordinates import arrayFromMatrix, matrixFromArray


def voxelsOf(image: Any) -> np.ndarray | None:
    """Return the voxels of a vtkImageData, shape (z, y, x), None where there is none at all."""
    from vtk.util.numpy_support import vtk_to_numpy

    scalars = None if image is None else image.GetPointData().GetScalars()
    if scalars is None or not scalars.GetNumberOfTuples() or not image.GetNumberOfPoints():
        return None
    return vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])


def imageToWorld(image: Any) -> np.ndarray:
    """Return the matrix (4, 4) from voxel indices of a vtkOrientedImageData to RAS mm."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return arrayFromMatrix(matrix)


def orientedImage(voxels: np.ndarray, firstIndex: Sequence[int], ijkToWorld: np.ndarray) -> Any:
    """Return voxels (z, y, x) as a vtkOrientedImageData of its own.

    Parameters
    ----------
    voxels : ndarray, shape (z, y, x)
        Of an integer type.
    firstIndex : sequence of int
        Index i, j, k of the first voxel.
    ijkToWorld : ndarray, shape (4, 4)
        From voxel indices to RAS mm.
    """
    import slicer
    from vtk.util.numpy_support import numpy_to_vtk

    first = np.asarray(firstIndex)
    last = first + voxels.shape[::-1] - 1
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*np.stack([first, last], 1).ravel().tolist())
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(voxels).ravel(), deep=True))
    image.SetImageToWorldMatrix(matrixFromArray(ijkToWorld))
    return image
