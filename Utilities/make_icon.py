"""Draw the icon of the module and the extension: three vertebrae, the middle one wedged.

python Utilities/make_icon.py [PATH]        needs PySide6
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
from PySide6 import QtCore, QtGui

ICON_FILE = (
    Path(__file__).resolve().parents[1] / "VertebraAnalysis/Resources/Icons/VertebraAnalysis.png"
)
SIZE = 128

_BACKGROUND = "#17324d"
_BONE, _BONE_EDGE = "#f3ead3", "#c9b98d"
_FRACTURE, _FRACTURE_EDGE = "#f08a24", "#b85f0c"
_RULER = "#7fd0ff"

# Corners of a body seen from the side, front on the left, in units of the icon's 128 pixels:
# front top, back top, back bottom, front bottom.
_BODIES = (
    (((32, 14), (77, 10), (78, 39), (32, 40)), _BONE, _BONE_EDGE),
    (((36, 60), (80, 47), (81, 79), (37, 79)), _FRACTURE, _FRACTURE_EDGE),
    (((33, 87), (80, 87), (78, 117), (30, 114)), _BONE, _BONE_EDGE),
)


def draw_icon(size: int = SIZE) -> QtGui.QImage:
    """Return the icon.

    Parameters
    ----------
    size : int
        Edge in pixels.
    """
    scale = 4  # drawn larger and averaged: smoother than the painter's own edges
    image = QtGui.QImage(size * scale, size * scale, QtGui.QImage.Format.Format_ARGB32)
    image.fill(QtCore.Qt.GlobalColor.transparent)
    painter = QtGui.QPainter(image)
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    painter.scale(size * scale / 128, size * scale / 128)
    painter.setPen(QtCore.Qt.PenStyle.NoPen)
    painter.setBrush(QtGui.QColor(_BACKGROUND))
    painter.drawRoundedRect(QtCore.QRectF(1, 1, 126, 126), 22, 22)
    for corners, fill, edge in _BODIES:
        _draw_arch(painter, corners, fill, edge)
        _draw_body(painter, corners, fill, edge)
    _draw_height(painter, 22, 60, 79)
    painter.end()
    smooth = QtCore.Qt.TransformationMode.SmoothTransformation
    return image.scaled(size, size, mode=smooth)


def _draw_body(painter: QtGui.QPainter, corners, fill: str, edge: str) -> None:
    a, b, c, d = (QtCore.QPointF(*p) for p in corners)
    path = QtGui.QPainterPath(a)
    # Waists in front and behind and slightly hollow endplates make it a vertebra, not a box.
    path.quadTo((a + b) / 2 + QtCore.QPointF(0, 3), b)
    path.quadTo((b + c) / 2 + QtCore.QPointF(-5, 0), c)
    path.quadTo((c + d) / 2 + QtCore.QPointF(0, -3), d)
    path.quadTo((d + a) / 2 + QtCore.QPointF(6, 0), a)
    path.closeSubpath()
    _paint(painter, path, fill, edge)


def _draw_arch(painter: QtGui.QPainter, corners, fill: str, edge: str) -> None:
    back = (QtCore.QPointF(*corners[1]) * 2 + QtCore.QPointF(*corners[2])) / 3
    path = QtGui.QPainterPath(back + QtCore.QPointF(-4, -4))
    path.lineTo(back + QtCore.QPointF(17, -1))
    path.quadTo(back + QtCore.QPointF(35, 8), back + QtCore.QPointF(38, 19))
    path.quadTo(back + QtCore.QPointF(37, 26), back + QtCore.QPointF(28, 22))
    path.quadTo(back + QtCore.QPointF(22, 11), back + QtCore.QPointF(-4, 9))
    path.closeSubpath()
    _paint(painter, path, fill, edge)


def _draw_height(painter: QtGui.QPainter, x: float, top: float, bottom: float) -> None:
    pen = QtGui.QPen(QtGui.QColor(_RULER), 4.5)
    pen.setCapStyle(QtCore.Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    painter.drawLine(QtCore.QPointF(x, top), QtCore.QPointF(x, bottom))
    for y in (top, bottom):
        painter.drawLine(QtCore.QPointF(x - 6, y), QtCore.QPointF(x + 6, y))


def _paint(painter: QtGui.QPainter, path: QtGui.QPainterPath, fill: str, edge: str) -> None:
    pen = QtGui.QPen(QtGui.QColor(edge), 2)
    pen.setJoinStyle(QtCore.Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.setBrush(QtGui.QColor(fill))
    painter.drawPath(path)


def main(arguments: list[str] | None = None) -> int:
    """Write the icon; return 1 where that is not possible."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, nargs="?", default=ICON_FILE, help="PNG to write")
    target = parser.parse_args(arguments).path
    application = QtGui.QGuiApplication(sys.argv[:1])
    target.parent.mkdir(parents=True, exist_ok=True)
    if not draw_icon().save(str(target), "PNG"):
        print(f"{target} could not be written", file=sys.stderr)
        return 1
    print(target)
    del application
    return 0


if __name__ == "__main__":
    sys.exit(main())
