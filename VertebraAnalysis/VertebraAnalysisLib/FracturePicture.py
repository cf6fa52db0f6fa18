"""The picture of one fractured vertebra: a sagittal cut with its heights drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from vertebra_core.output.grade_names import grade_label

from .Coordinates import lpsToRas
from .GradeStyle import gradeStyle
from .PictureCanvas import PictureCanvas
from .SagittalPlane import SagittalPlane

if TYPE_CHECKING:
    from .ReviewedVertebra import ReviewedVertebra

WINDOW_HU = (-250.0, 850.0)
"""Wide enough for cortex beside fat: endplates and trabecular bone are both seen."""

_WHITE = (1.0, 1.0, 1.0)
_LINE = (0.45, 0.95, 1.0)
_NEIGHBOR = (0.55, 0.72, 1.0)
_GREY = (0.75, 0.75, 0.75)
_SCALE_MM = 10.0

# Height -> its short name, and where its figure stands: beside its line or above it.
_HEIGHTS = {"anterior": ("Ha", "right"), "middle": ("Hm", "center"), "posterior": ("Hp", "left")}


class FracturePicture:
    """Draws one vertebra with its neighbours.

    Parameters
    ----------
    vertebra : ReviewedVertebra
    """

    def __init__(self, vertebra: ReviewedVertebra) -> None:
        self._vertebra = vertebra
        self.plane = self._middlePlane()
        """Where the CT and the segments are to be read."""

    def draw(self, hu: np.ndarray, outlines: Mapping[str, Sequence[np.ndarray]]) -> PictureCanvas:
        """Return the picture.

        Parameters
        ----------
        hu : ndarray, shape (rows, columns)
            The CT on `plane`.
        outlines : mapping of str
            Level -> closed lines of (column, row) around its segment on `plane`.
        """
        low, high = WINDOW_HU
        canvas = PictureCanvas((hu - low) / (high - low))
        own = gradeStyle(self._vertebra.grade).color01
        for level, lines in outlines.items():
            isOwn = level == self._vertebra.level
            for line in lines:
                canvas.drawPolyline(line, own if isOwn else _NEIGHBOR, 2.0 if isOwn else 1.0)
            if lines and not isOwn:
                longest = max(lines, key=len)
                canvas.drawText(level, longest.mean(axis=0), _NEIGHBOR, 15, "center")
        self._drawHeights(canvas)
        self._drawCaption(canvas, own)
        return canvas

    def captions(self) -> list[str]:
        """Return what is written on the picture, the most important line first."""
        vertebra = self._vertebra
        grade = grade_label(vertebra.current)
        lines = [f"{vertebra.level}   {grade}"]
        if vertebra.height_loss is not None:
            loss = vertebra.height_loss
            losses = (
                f"{name} {100 * getattr(loss, name):.0f}%"
                for name in ("wedge", "biconcave", "crush")
            )
            lines.append("Height loss: " + ", ".join(losses))
        if vertebra.levelChanged or vertebra.gradeChanged:
            ai = vertebra.ai
            lines.append(f"AI: {ai.level}   {grade_label(ai)}")
        return lines

    def _middlePlane(self) -> SagittalPlane:
        vertebra = self._vertebra
        center = np.array(lpsToRas(vertebra.center_lps_mm))
        ends = [
            lpsToRas(end)
            for line in vertebra.height_lines.values()
            for end in (line.top_lps_mm, line.bottom_lps_mm)
        ]
        if vertebra.axes_lps is None:
            return SagittalPlane.through(center, np.array([0.0, -1.0, 0.0]), np.array([0, 0, 1.0]))
        leftward, backward, upward = (np.array(lpsToRas(axis)) for axis in vertebra.axes_lps)
        if ends:
            # Heights are drawn where they were measured, which need not be the body's centre.
            center = center + np.dot(np.mean(ends, axis=0) - center, leftward) * leftward
        return SagittalPlane.through(center, backward, upward)

    def _drawHeights(self, canvas: PictureCanvas) -> None:
        heights = self._vertebra.heights_mm
        for name, (short, align) in _HEIGHTS.items():
            line = self._vertebra.height_lines.get(name)
            if line is None:
                continue
            ends = self.plane.toPixels(
                np.array([lpsToRas(line.top_lps_mm), lpsToRas(line.bottom_lps_mm)])
            )
            canvas.drawPolyline(ends, _LINE, 2.5)
            for end in ends:
                canvas.drawDot(end, _LINE)
            text = short if heights is None else f"{short} {getattr(heights, name):.1f} mm"
            place = {
                "right": ends.mean(axis=0) - (12, 0),
                "left": ends.mean(axis=0) + (12, 0),
                "center": ends[0] - (0, 16),
            }[align]
            canvas.drawText(text, place, _LINE, 15, align)

    def _drawCaption(self, canvas: PictureCanvas, own: Sequence[float]) -> None:
        edge = self.plane.pixels
        for i, line in enumerate(self.captions()):
            top = (14, 20) if i == 0 else (14, 24 + 22 * i)
            canvas.drawText(line, top, own if i == 0 else _WHITE, 22 if i == 0 else 15)
        canvas.drawText("A", (10, edge / 2), _WHITE, 18)
        canvas.drawText("P", (edge - 10, edge / 2), _WHITE, 18, "right")
        canvas.drawText("VertebraAnalysis. For research only.", (10, edge - 14), _GREY, 13)
        length = _SCALE_MM / self.plane.pixelMm
        bar = np.array([[edge - 14 - length, edge - 14], [edge - 14, edge - 14]])
        canvas.drawPolyline(bar, _WHITE, 3)
        canvas.drawText(f"{_SCALE_MM:.0f} mm", (edge - 14, edge - 28), _WHITE, 13, "right")
