"""Height lines: Ha, Hm and Hp of a vertebral body, whose ends the reader can move."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from vertebra_core.analysis import HeightLine
from vertebra_core.output.scene_keys import HEIGHT_ATTRIBUTE, HEIGHTS_ROLE, KEY_ATTRIBUTE

from .Coordinates import lpsToRas, rasToLps
from .GradeStyle import gradeStyle
from .HeightEditing import HEIGHT_NAMES, movedLines
from .InputPlace import transformAbove
from .ReviewedVertebra import REJECTED_NAME
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

# Attribute of the text node: keys of the bodies whose lines have been made. Lines that are gone
# since then were deleted by the user.
_MADE = "VertebraAnalysis.LinesMade"

# Whether a line was shown because its body needs it, or because the reader asked for it.
_NEEDED = "VertebraAnalysis.Needed"
_REQUESTED = "VertebraAnalysis.Requested"


def needsHeightLines(vertebra: ReviewedVertebra) -> bool:
    """Tell whether a body is fractured or borderline, so that its heights are shown unasked."""
    return bool(vertebra.grade or vertebra.borderline) and not vertebra.rejected


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
        _noteMade(resultSet, _made(resultSet) | {vertebra.key})

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
    def remove(resultSet: ResultSet, keys: Iterable[str]) -> None:
        """Remove the lines of vertebrae that are no more, as if they had never been made."""
        gone = set(keys)
        for (own, _), node in resultSet.heightLineNodes.items():
            if own in gone:
                resultSet.forget(node)
                SubjectHierarchy(resultSet.scene).removeNode(node)
        _noteMade(resultSet, _made(resultSet) - gone)

    @staticmethod
    def update(resultSet: ResultSet, vertebrae: Sequence[ReviewedVertebra]) -> None:
        """Make names, colours and ends of the lines of `vertebrae` follow them.

        Bodies that are fractured now get lines, but for those whose lines the user deleted. Lines
        that are needed no more are hidden, unless the reader asked for them or moved one, and so
        are those of what is no vertebra; those of heights that are not known any more go.
        """
        there = resultSet.heightLineNodes
        for vertebra in vertebrae:
            own = {name: there.get((vertebra.key, name)) for name in HEIGHT_NAMES}
            if not any(own.values()):
                if needsHeightLines(vertebra) and vertebra.key not in _made(resultSet):
                    HeightLinesWriter.show(resultSet, vertebra)
                continue
            for name, node in own.items():
                line = vertebra.height_lines.get(name)
                if node is None:
                    continue
                if line is None:
                    resultSet.forget(node)
                    SubjectHierarchy(resultSet.scene).removeNode(node)
                    _noteMade(resultSet, _made(resultSet) - {vertebra.key})
                else:
                    _follow(node, vertebra, name, line)
                    _showIfNeeded(node, vertebra)

    @staticmethod
    def putBack(resultSet: ResultSet, vertebrae: Sequence[ReviewedVertebra]) -> list[str]:
        """Put lines that were moved while nobody reviewed back to where `vertebrae` have them.

        Returns
        -------
        list of str
            Levels of the bodies whose lines were moved.
        """
        strays = [
            vertebra
            for vertebra in vertebrae
            if movedLines(
                vertebra.height_lines, HeightLinesWriter.readLines(resultSet, vertebra.key)
            )
        ]
        HeightLinesWriter.update(resultSet, strays)
        return [vertebra.level for vertebra in strays]

    @staticmethod
    def noteAllMade(resultSet: ResultSet, vertebrae: Sequence[ReviewedVertebra]) -> None:
        """Take lines that need to be there, and are not, for deleted by the user.

        For scenes of earlier versions, which kept no note of the lines that had been made.
        """
        if resultSet.textNode.GetAttribute(_MADE) is None:
            there = {key for key, _ in resultSet.heightLineNodes}
            _noteMade(resultSet, there | {v.key for v in vertebrae if needsHeightLines(v)})

    @staticmethod
    def showLengths(resultSet: ResultSet, key: str) -> None:
        """Write the lengths that the lines of one body have now beside them, as in a drag."""
        for (own, _), node in resultSet.heightLineNodes.items():
            if own == key:
                _showLength(node)

    @staticmethod
    def readLines(resultSet: ResultSet, key: str) -> dict[str, HeightLine]:
        """Return the lines of one body as they are now, LPS mm.

        In the coordinates of the analysis, wherever a transform above the results takes them.
        """
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
    transform = transformAbove(resultSet)
    if transform is not None:
        node.SetAndObserveTransformNodeID(transform.GetID())
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
    color, display = gradeStyle(vertebra.grade).color01, node.GetDisplayNode()
    if display is not None:
        display.SetColor(*color)
        display.SetSelectedColor(*color)
    for index, end in enumerate((line.top_lps_mm, line.bottom_lps_mm)):
        if index >= node.GetNumberOfControlPoints():
            node.AddControlPoint(vtk.vtkVector3d(*lpsToRas(end)), "")
        elif max(abs(a - b) for a, b in zip(_end(node, index), end, strict=True)) > _SAME_PLACE_MM:
            node.SetNthControlPointPosition(index, *lpsToRas(end))
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


def _showIfNeeded(node: Any, vertebra: ReviewedVertebra) -> None:
    needed = needsHeightLines(vertebra) or vertebra.heightsChanged
    state = REJECTED_NAME if vertebra.rejected else str(int(needed))
    # Only when that changes: what the reader hid by hand stays hidden.
    if (node.GetAttribute(_NEEDED) or "0") == state:
        return
    node.SetAttribute(_NEEDED, state)
    wanted = needed or node.GetAttribute(_REQUESTED) == "1"
    node.SetDisplayVisibility(wanted and not vertebra.rejected)


def _end(node: Any, index: int) -> tuple[float, float, float]:
    return rasToLps(node.GetNthControlPointPosition(index))


def _made(resultSet: ResultSet) -> set[str]:
    return set((resultSet.textNode.GetAttribute(_MADE) or "").split())


def _noteMade(resultSet: ResultSet, keys: set[str]) -> None:
    resultSet.textNode.SetAttribute(_MADE, " ".join(sorted(keys)))


def _name(vertebra: ReviewedVertebra, name: str) -> str:
    return f"{vertebra.title} {HEIGHT_SYMBOLS[name]}"
