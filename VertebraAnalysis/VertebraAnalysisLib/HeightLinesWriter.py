"""Height lines: Ha, Hm and Hp of a vertebral body, whose ends the reader can move."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vertebra_core.analysis import HeightLine
from vertebra_core.output.scene_keys import HEIGHT_ATTRIBUTE, HEIGHTS_ROLE, KEY_ATTRIBUTE

from .Coordinates import lpsToRas, rasToLps
from .GradeStyle import gradeStyle
from .HeightEditing import HEIGHT_NAMES
from .SubjectHierarchy import SubjectHierarchy

if TYPE_CHECKING:
    from .ResultSet import ResultSet
    from .ReviewedVertebra import ReviewedVertebra

HEIGHT_SYMBOLS: dict[str, str] = {"anterior": "Ha", "middle": "Hm", "posterior": "Hp"}
"""Name of a height -> what radiologists call it."""

FOLDER_NAME = "Heights"

_TEXT_SCALE = 2.5
_GLYPH_SCALE = 1.5
_LINE_THICKNESS = 0.3
_SAME_PLACE_MM = 1e-3

# Whether a line was shown because its body needs it, or because the reader asked for it.
_NEEDED = "VertebraAnalysis.Needed"
_REQUESTED = "VertebraAnalysis.Requested"


def needsHeightLines(vertebra: ReviewedVertebra) -> bool:
    """Tell whether a body is fractured or borderline, so that its heights are shown unasked."""
    return bool(vertebra.grade or vertebra.borderline)


def keyOf(lineNode: Any) -> tuple[str, str]:
    """Return key and height name of a height line; empty texts for any other node."""
    return (
        lineNode.GetAttribute(KEY_ATTRIBUTE) or "",
        lineNode.GetAttribute(HEIGHT_ATTRIBUTE) or "",
    )


class HeightLinesWriter:
    """Writes, shows and reads the height lines of result sets."""

    @staticmethod
    def write(resultSet: ResultSet, vertebrae: Sequence[ReviewedVertebra]) -> None:
        """Make the lines of all fractured and borderline bodies."""
        for vertebra in vertebrae:
            if needsHeightLines(vertebra):
                HeightLinesWriter.show(resultSet, vertebra)

    @staticmethod
    def show(resultSet: ResultSet, vertebra: ReviewedVertebra) -> None:
        """Show the lines of one body, whatever its grade; made where they are missing."""
        there = resultSet.heightLineNodes
        for name in HEIGHT_NAMES:
            line = vertebra.height_lines.get(name)
            node = there.get((vertebra.key, name))
            if line is None:
                continue
            if node is None:
                node = _add(resultSet, vertebra, name)
            _follow(node, vertebra, name, line)
            needed = needsHeightLines(vertebra)
            node.SetAttribute(_NEEDED, str(int(needed)))
            node.SetAttribute(_REQUESTED, str(int(not needed)))
            node.SetDisplayVisibility(True)

    @staticmethod
    def hide(resultSet: ResultSet, key: str) -> None:
        """Hide the lines of one body."""
        for (own, _), node in resultSet.heightLineNodes.items():
            if own == key:
                node.SetAttribute(_REQUESTED, "0")
                node.SetDisplayVisibility(False)

    @staticmethod
    def isShown(resultSet: ResultSet, key: str) -> bool:
        """Tell whether any line of one body is visible."""
        nodes = resultSet.heightLineNodes.items()
        return any(own == key and node.GetDisplayVisibility() for (own, _), node in nodes)

    @staticmethod
    def update(resultSet: ResultSet, vertebrae: Sequence[ReviewedVertebra]) -> None:
        """Make names, colours and ends of the lines of `vertebrae` follow them.

        Bodies that are fractured now get lines. Lines that are needed no more are hidden, unless
        the reader asked for them or moved one; those of heights that are not known any more go.
        """
        there = resultSet.heightLineNodes
        for vertebra in vertebrae:
            own = {name: there.get((vertebra.key, name)) for name in HEIGHT_NAMES}
            if not any(own.values()):
                if needsHeightLines(vertebra):
                    HeightLinesWriter.show(resultSet, vertebra)
                continue
            for name, node in own.items():
                line = vertebra.height_lines.get(name)
                if node is None:
                    continue
                if line is None:
                    resultSet.forget(node)
                    SubjectHierarchy(resultSet.scene).removeNode(node)
                else:
                    _follow(node, vertebra, name, line)
                    _showIfNeeded(node, needsHeightLines(vertebra) or vertebra.heightsChanged)

    @staticmethod
    def showLengths(resultSet: ResultSet, key: str) -> None:
        """Write the lengths that the lines of one body have now beside them, as in a drag."""
        for (own, _), node in resultSet.heightLineNodes.items():
            if own == key:
                _showLength(node)

    @staticmethod
    def readLines(resultSet: ResultSet, key: str) -> dict[str, HeightLine]:
        """Return the lines of one body as they are in the scene now, LPS mm in the world."""
        return {
            name: HeightLine(_end(node, 0), _end(node, 1))
            for (own, name), node in resultSet.heightLineNodes.items()
            if own == key and node.GetNumberOfControlPoints() == 2
        }


def _add(resultSet: ResultSet, vertebra: ReviewedVertebra, name: str) -> Any:
    import slicer

    scene = resultSet.scene
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", _name(vertebra, name))
    node.SetAttribute(KEY_ATTRIBUTE, vertebra.key)
    node.SetAttribute(HEIGHT_ATTRIBUTE, name)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetTextScale(_TEXT_SCALE)
    display.SetGlyphScale(_GLYPH_SCALE)
    display.SetCurveLineSizeMode(slicer.vtkMRMLMarkupsDisplayNode.UseLineThickness)
    display.SetLineThickness(_LINE_THICKNESS)
    # Name and length in the middle would cover those of the other lines: the ends bear short ones.
    display.SetPropertiesLabelVisibility(False)
    display.SetPointLabelsVisibility(True)
    resultSet.refer(HEIGHTS_ROLE, node)
    hierarchy = SubjectHierarchy(scene)
    folder = hierarchy.folderOf(resultSet)
    if folder:
        hierarchy.place(node, hierarchy.subfolder(folder, FOLDER_NAME))
    return node


def _follow(node: Any, vertebra: ReviewedVertebra, name: str, line: HeightLine) -> None:
    import vtk

    modified = node.StartModify()
    node.SetName(_name(vertebra, name))
    color = gradeStyle(vertebra.grade).color01
    node.GetDisplayNode().SetColor(*color)
    node.GetDisplayNode().SetSelectedColor(*color)
    for index, end in enumerate((line.top_lps_mm, line.bottom_lps_mm)):
        if index >= node.GetNumberOfControlPoints():
            node.AddControlPointWorld(vtk.vtkVector3d(*lpsToRas(end)), "")
        elif max(abs(a - b) for a, b in zip(_end(node, index), end, strict=True)) > _SAME_PLACE_MM:
            node.SetNthControlPointPositionWorld(index, *lpsToRas(end))
    _showLength(node)
    node.EndModify(modified)


def _showLength(node: Any) -> None:
    name = keyOf(node)[1]
    if name not in HEIGHT_SYMBOLS or node.GetNumberOfControlPoints() != 2:
        return
    length = math.dist(_end(node, 0), _end(node, 1))
    # A tenth of a millimetre is as fine as heights are known.
    text = f"{HEIGHT_SYMBOLS[name]} {length:.1f}"
    # Both ends: in a slice view that is a little askew only one of them may be seen.
    for index in range(2):
        # An equal text is not set again: that would count as a movement of the point.
        if node.GetNthControlPointLabel(index) != text:
            node.SetNthControlPointLabel(index, text)


def _showIfNeeded(node: Any, needed: bool) -> None:
    # Only when that changes: what the reader hid by hand stays hidden.
    if (node.GetAttribute(_NEEDED) == "1") == needed:
        return
    node.SetAttribute(_NEEDED, str(int(needed)))
    node.SetDisplayVisibility(needed or node.GetAttribute(_REQUESTED) == "1")


def _end(node: Any, index: int) -> tuple[float, float, float]:
    return rasToLps(node.GetNthControlPointPositionWorld(index))


def _name(vertebra: ReviewedVertebra, name: str) -> str:
    return f"{vertebra.level} {HEIGHT_SYMBOLS[name]}"
