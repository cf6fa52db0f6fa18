"""Outlines of a picture at a level, as closed polylines."""

from __future__ import annotations

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkFiltersCore import vtkContourFilter, vtkStripper


def outlines(values: np.ndarray, level: float = 0.5) -> list[np.ndarray]:
    """Return where `values` crosses `level`, between pixels.

    Parameters
    ----------
    values : ndarray of float, shape (rows, columns)
    level : float

    Returns
    -------
    list of ndarray, shape (n, 2)
        Polylines of (column, row); closed, since beyond the picture everything is below `level`.
    """
    padded = np.pad(np.asarray(values, np.float32), 1, constant_values=level - 1.0)
    if not (padded > level).any():
        return []
    rows, columns = padded.shape
    image = vtkImageData()
    image.SetDimensions(columns, rows, 1)
    image.GetPointData().SetScalars(numpy_to_vtk(padded.ravel(), deep=True))
    contour = vtkContourFilter()
    contour.SetInputData(image)
    contour.SetValue(0, level)
    joined = vtkStripper()
    joined.SetInputConnection(contour.GetOutputPort())
    joined.SetMaximumLength(padded.size)
    joined.Update()
    found = joined.GetOutput()
    if found.GetNumberOfLines() == 0:
        return []
    points = vtk_to_numpy(found.GetPoints().GetData())[:, :2] - 1.0
    lines = found.GetLines()
    ends = vtk_to_numpy(lines.GetOffsetsArray())
    order = vtk_to_numpy(lines.GetConnectivityArray())
    return [points[order[a:b]] for a, b in zip(ends[:-1], ends[1:], strict=True)]
