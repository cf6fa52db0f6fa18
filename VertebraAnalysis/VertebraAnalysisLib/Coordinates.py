"""The one place where LPS (vertebra_core, files) and RAS (MRML) meet. All lengths in mm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Point = tuple[float, float, float]

_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
_SHEAR_TOLERANCE = 1e-3


@dataclass(frozen=True)
class LpsGeometry:
    """A regular voxel grid as vertebra_core and image files describe it.

    Attributes
    ----------
    spacing : tuple of float
        Voxel size along i, j, k, mm.
    origin : tuple of float
        Centre of the first voxel, LPS mm.
    direction : tuple of float
        Row-major 3x3 direction cosines, LPS.
    """

    spacing: Point
    origin: Point
    direction: tuple[float, ...]


def lpsToRas(point: Sequence[float]) -> Point:
    """Return an LPS point or direction in RAS."""
    x, y, z = (float(c) for c in point)
    return -x, -y, z


def rasToLps(point: Sequence[float]) -> Point:
    """Return a RAS point or direction in LPS."""
    return lpsToRas(point)


def arrayFromMatrix(matrix: Any) -> np.ndarray:
    """Return a vtkMatrix4x4 as an array, shape (4, 4)."""
    return np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])


def matrixFromArray(values: np.ndarray) -> Any:
    """Return an array, shape (4, 4), as a vtkMatrix4x4."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(values, float).ravel().tolist())
    return matrix


def ijkToRas(geometry: LpsGeometry) -> np.ndarray:
    """Return the matrix, shape (4, 4), from voxel indices i, j, k to RAS mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(geometry.direction, (3, 3)) * np.asarray(geometry.spacing)
    matrix[:3, 3] = geometry.origin
    return _FLIP @ matrix


def lpsGeometry(ijkToRasMatrix: np.ndarray) -> LpsGeometry:
    """Return the grid of a matrix, shape (4, 4), from voxel indices i, j, k to RAS mm.

    Raises
    ------
    ValueError
        If the axes are not at right angles, which no such grid can express.
    """
    matrix = _FLIP @ np.asarray(ijkToRasMatrix, float)
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    if not (spacing > 0).all():
        raise ValueError("the voxels have no extent")
    direction = matrix[:3, :3] / spacing
    if np.abs(direction.T @ direction - np.eye(3)).max() > _SHEAR_TOLERANCE:
        raise ValueError("the axes of the volume are not at right angles")
    return LpsGeometry(
        tuple(spacing.tolist()), tuple(matrix[:3, 3].tolist()), tuple(direction.ravel().tolist())
    )


def ijkToWorldOfVolume(volumeNode: Any) -> np.ndarray:
    """Return the matrix from voxel indices i, j, k of a volume node to RAS mm in the world.

    Unlike ``GetIJKToRASMatrix`` it takes the transform above the volume into account.

    Raises
    ------
    ValueError
        If that transform is not linear.
    """
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    own = arrayFromMatrix(matrix)
    transform = volumeNode.GetParentTransformNode()
    if transform is None:
        return own
    if not transform.IsTransformToWorldLinear():
        raise ValueError("the volume lies under a transform that is not linear")
    transform.GetMatrixTransformToWorld(matrix)
    return arrayFromMatrix(matrix) @ own
