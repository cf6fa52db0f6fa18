"""A colour picture to draw smooth lines and text on; needs no graphics card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from .WholeFile import writeWhole

Color = Sequence[float]
"""Red, green and blue, 0-1."""


class PictureCanvas:
    """A picture in colour.

    Points are (column, row) in pixels, row 0 above.

    Parameters
    ----------
    grey : ndarray, shape (rows, columns)
        Background, 0-1.
    """

    def __init__(self, grey: np.ndarray) -> None:
        self._rgb = np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=2).astype(np.float32)

    @property
    def pixels(self) -> np.ndarray:
        """The picture as uint8, shape (rows, columns, 3)."""
        return np.round(255 * self._rgb).astype(np.uint8)

    def drawPolyline(self, points: np.ndarray, color: Color, width: float = 1.5) -> None:
        """Draw straight pieces between points, `width` pixels wide."""
        points = np.asarray(points, float)
        for start, end in zip(points[:-1], points[1:], strict=True):
            self._drawPiece(start, end, color, width)

    def drawDot(self, point: Sequence[float], color: Color, diameter: float = 7.0) -> None:
        """Draw a filled circle."""
        self._drawPiece(np.asarray(point, float), np.asarray(point, float), color, diameter)

    def drawText(
        self, text: str, point: Sequence[float], color: Color, size: int = 16, align: str = "left"
    ) -> None:
        """Write one line, vertically centred on `point`, on a dark ground that keeps it readable.

        Parameters
        ----------
        text : str
        point : sequence of float
            Where the text begins, ends or is centred, as `align` says.
        color : sequence of float
        size : int
            Height of the letters, pixels.
        align : str
            ``"left"``, ``"right"`` or ``"center"``.
        """
        shape = _renderedText(text, size)
        height, width = shape.shape
        shift = {"left": 0.0, "right": 1.0, "center": 0.5}[align] * width
        rows, columns = self._rgb.shape[:2]
        # Text near the edge is moved inward rather than cut.
        left = int(np.clip(round(point[0] - shift), 2, max(2, columns - width - 2)))
        top = int(np.clip(round(point[1] - height / 2), 2, max(2, rows - height - 2)))
        ground = self._rgb[max(0, top - 2) : top + height + 2, max(0, left - 3) : left + width + 3]
        ground *= 0.35
        self._blend(slice(top, top + height), slice(left, left + width), shape, color)

    def savePng(self, path: Path) -> None:
        """Write the picture as PNG; errors as in `writePng`."""
        writePng(self.pixels, path)

    def _drawPiece(self, start: np.ndarray, end: np.ndarray, color: Color, width: float) -> None:
        reach = width / 2 + 1
        low = np.floor(np.minimum(start, end) - reach).astype(int)
        high = np.ceil(np.maximum(start, end) + reach).astype(int) + 1
        rows, columns = self._rgb.shape[:2]
        x0, x1 = np.clip((low[0], high[0]), 0, columns)
        y0, y1 = np.clip((low[1], high[1]), 0, rows)
        if x0 >= x1 or y0 >= y1:
            return
        y, x = np.mgrid[y0:y1, x0:x1]
        along, length2 = end - start, float(((end - start) ** 2).sum())
        t = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / (length2 or 1.0)
        t = np.clip(t, 0, 1)
        distance = np.hypot(x - start[0] - t * along[0], y - start[1] - t * along[1])
        self._blend(slice(y0, y1), slice(x0, x1), np.clip(width / 2 + 0.5 - distance, 0, 1), color)

    def _blend(self, rows: slice, columns: slice, share: np.ndarray, color: Color) -> None:
        part = self._rgb[rows, columns]
        share = share[: part.shape[0], : part.shape[1], None]
        part += share * (np.asarray(color, np.float32) - part)


def writePng(pixels: np.ndarray, path: Path) -> None:
    """Write a picture as PNG.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns, 3)
    path : Path

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    rgb = np.ascontiguousarray(pixels[::-1])
    image = vtk.vtkImageData()
    image.SetDimensions(rgb.shape[1], rgb.shape[0], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(rgb.reshape(-1, 3), deep=True))
    writer = vtk.vtkPNGWriter()
    # Written by Python, which knows every file name there can be.
    writer.WriteToMemoryOn()
    writer.SetInputData(image)
    writer.Write()
    writeWhole(path, vtk_to_numpy(writer.GetResult()).tobytes())


def _renderedText(text: str, size: int) -> np.ndarray:
    """Return how far each pixel is covered by the text, 0-1."""
    style = vtk.vtkTextProperty()
    style.SetFontFamilyToArial()
    style.SetFontSize(size)
    image, used = vtk.vtkImageData(), [0, 0]
    if not vtk.vtkTextRenderer.GetInstance().RenderString(style, text, image, used, 72):
        return np.zeros((1, 1), np.float32)
    columns, rows, _ = image.GetDimensions()
    rgba = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, -1)
    return rgba[: used[1], : used[0], 3][::-1].astype(np.float32) / 255
