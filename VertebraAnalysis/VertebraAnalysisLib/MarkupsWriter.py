"""The list of points: one at the centre of every vertebral body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vertebra_core.output.markups_json import point_description, point_label
from vertebra_core.output.scene_keys import KEYS_ATTRIBUTE

from .Coordinates import lpsToRas
from .GradeStyle import GRADE_STYLES
from .ReviewedVertebra import REJECTED_NAME

if TYPE_CHECKING:
    from .ReviewedVertebra import ReviewedVertebra

_TEXT_SCALE = 2.5
_GLYPH_SCALE = 1.5


def pointLabel(vertebra: ReviewedVertebra) -> str:
    """Return the label of a vertebra's point, such as ``"L1  G2 wedge"``."""
    return vertebra.title if vertebra.rejected else point_label(vertebra.current)


def pointDescription(vertebra: ReviewedVertebra) -> str:
    """Return heights, density, who named and graded it, and flags, as one line."""
    return point_description(
        vertebra.current, vertebra.ai, vertebra.gradeOverridden, vertebra.added
    )


class MarkupsWriter:
    """Writes and updates the points of a result set.

    A list of points has two colours in 3D Slicer, of selected and of other points, so these tell
    fractured from other vertebrae; the label tells the grade itself, and the height lines, which
    are nodes of their own, have its colour.
    """

    @staticmethod
    def write(scene: Any, name: str, vertebrae: Sequence[ReviewedVertebra]) -> Any:
        """Make the list.

        Parameters
        ----------
        scene : vtkMRMLScene
        name : str
        vertebrae : sequence of ReviewedVertebra
            Head to foot; control points have this order.

        Returns
        -------
        vtkMRMLMarkupsFiducialNode
        """
        import slicer

        node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetColor(*GRADE_STYLES[0].color01)
        display.SetSelectedColor(*GRADE_STYLES[2].color01)
        display.SetTextScale(_TEXT_SCALE)
        display.SetGlyphScale(_GLYPH_SCALE)
        display.SetGlyphType(slicer.vtkMRMLMarkupsDisplayNode.Sphere3D)
        display.SetPointLabelsVisibility(True)
        display.SetPropertiesLabelVisibility(False)
        modified = node.StartModify()
        for vertebra in vertebrae:
            _add(node, vertebra)
        node.SetAttribute(KEYS_ATTRIBUTE, " ".join(v.key for v in vertebrae))
        # Neither added to nor taken from, points and keys stay in step.
        node.SetFixedNumberOfControlPoints(True)
        node.EndModify(modified)
        return node

    @staticmethod
    def add(node: Any, vertebra: ReviewedVertebra) -> None:
        """Add the point of a vertebra that the analysis missed, behind all others."""
        keys = (node.GetAttribute(KEYS_ATTRIBUTE) or "").split()
        with _pointsChanging(node):
            _add(node, vertebra)
            node.SetAttribute(KEYS_ATTRIBUTE, " ".join([*keys, vertebra.key]))

    @staticmethod
    def remove(node: Any, keys: Iterable[str]) -> None:
        """Remove the points of vertebrae that are no more."""
        present = (node.GetAttribute(KEYS_ATTRIBUTE) or "").split() if node is not None else []
        gone = [index for index, key in enumerate(present) if key in set(keys)]
        if not gone:
            return
        with _pointsChanging(node):
            for index in reversed(gone):
                node.RemoveNthControlPoint(index)
            left = [key for index, key in enumerate(present) if index not in gone]
            node.SetAttribute(KEYS_ATTRIBUTE, " ".join(left))

    @staticmethod
    def update(node: Any, vertebrae: Sequence[ReviewedVertebra]) -> None:
        """Make labels, colours and descriptions of the points of `vertebrae` follow them."""
        if node is None:
            return
        keys = (node.GetAttribute(KEYS_ATTRIBUTE) or "").split()
        modified = node.StartModify()
        for vertebra in vertebrae:
            index = keys.index(vertebra.key) if vertebra.key in keys else -1
            if 0 <= index < node.GetNumberOfControlPoints():
                _label(node, index, vertebra)
                _describe(node, index, vertebra)
                _move(node, index, lpsToRas(vertebra.center_lps_mm))
        node.EndModify(modified)


@contextmanager
def _pointsChanging(node: Any) -> Iterator[None]:
    """Let points be added and removed, which nobody else may do."""
    modified = node.StartModify()
    node.SetFixedNumberOfControlPoints(False)
    try:
        yield
    finally:
        node.SetFixedNumberOfControlPoints(True)
        node.EndModify(modified)


def _add(node: Any, vertebra: ReviewedVertebra) -> None:
    import vtk

    position = vtk.vtkVector3d(*lpsToRas(vertebra.center_lps_mm))
    index = node.AddControlPoint(position, pointLabel(vertebra))
    # Point by point: a list locked as a whole would not answer clicks.
    node.SetNthControlPointLocked(index, True)
    node.SetNthControlPointVisibility(index, not vertebra.rejected)
    _describe(node, index, vertebra)


def _label(node: Any, index: int, vertebra: ReviewedVertebra) -> None:
    before, now = node.GetNthControlPointLabel(index), pointLabel(vertebra)
    node.SetNthControlPointLabel(index, now)
    # Only when that changes: what the reader hid by hand stays hidden.
    if (before == REJECTED_NAME) != vertebra.rejected:
        node.SetNthControlPointVisibility(index, not vertebra.rejected)


def _describe(node: Any, index: int, vertebra: ReviewedVertebra) -> None:
    node.SetNthControlPointDescription(index, pointDescription(vertebra))
    node.SetNthControlPointSelected(index, vertebra.fractured)


def _move(node: Any, index: int, position: tuple[float, float, float]) -> None:
    # Re-measuring an edited segment moves its centre. A transform above the results moves the
    # point by itself, so it is not the world's coordinates that count.
    now = node.GetNthControlPointPosition(index)
    if max(abs(a - b) for a, b in zip(now, position, strict=True)) > 1e-3:
        node.SetNthControlPointPosition(index, *position)
