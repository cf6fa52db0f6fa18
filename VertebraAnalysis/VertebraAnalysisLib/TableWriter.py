"""The results table: a row per vertebra, typed columns with units, AI and reader side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertebra_core.missing import missing_reasons
from vertebra_core.output.unquoted import unquoted

if TYPE_CHECKING:
    from vertebra_core.analysis import Vertebra

    from .ReviewedVertebra import ReviewedVertebra

NO_GRADE = -1
"""What an integer column holds where there is no value; stated as the column's null value."""


@dataclass(frozen=True)
class TableColumn:
    """One column of the results table.

    Attributes
    ----------
    title : str
        Header, with the unit where there is one.
    kind : type
        int, float or str.
    value : callable
        ReviewedVertebra -> value, or None if there is none.
    unit : str
    description : str
    """

    title: str
    kind: type
    value: Callable[[ReviewedVertebra], Any]
    unit: str = ""
    description: str = ""


class TableWriter:
    """Writes and updates the table of a result set."""

    @staticmethod
    def write(scene: Any, name: str, vertebrae: Sequence[ReviewedVertebra]) -> Any:
        """Make the table, head to foot.

        Returns
        -------
        vtkMRMLTableNode
        """
        node = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
        node.SetUseColumnTitleAsColumnHeader(True)
        # Corrections are made in the panel, which keeps who made them.
        node.SetLocked(True)
        TableWriter.update(node, vertebrae)
        return node

    @staticmethod
    def update(node: Any, vertebrae: Sequence[ReviewedVertebra]) -> None:
        """Write all rows anew; `vertebrae` are all of the review."""
        if node is None:
            return
        modified = node.StartModify()
        node.RemoveAllColumns()
        for column in COLUMNS:
            node.AddColumn(_array(column, vertebrae))
            node.SetColumnTitle(column.title, column.title)
            if column.unit:
                node.SetColumnUnitLabel(column.title, column.unit)
            if column.description:
                node.SetColumnDescription(column.title, column.description)
            if column.kind is int:
                node.SetColumnNullValue(column.title, str(NO_GRADE))
        node.EndModify(modified)


def _array(column: TableColumn, vertebrae: Sequence[ReviewedVertebra]) -> Any:
    import vtk

    values = [column.value(v) for v in vertebrae]
    if column.kind is int:
        array = vtk.vtkIntArray()
        values = [NO_GRADE if v is None else int(v) for v in values]
    elif column.kind is float:
        array = vtk.vtkDoubleArray()
        values = [math.nan if v is None else round(float(v), 2) for v in values]
    else:
        array = vtk.vtkStringArray()
        values = [unquoted(str(v or "")) for v in values]
    array.SetName(column.title)
    for value in values:
        array.InsertNextValue(value)
    return array


def _yes(value: bool | None) -> str:
    if value is None:
        return ""
    return "yes" if value else "no"


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _loss(shape: str, ai: bool = False) -> Callable[[ReviewedVertebra], float | None]:
    return lambda v: _percent(getattr((v.ai if ai else v).height_loss, shape, None))


def _height(name: str, ai: bool = False) -> Callable[[ReviewedVertebra], float | None]:
    return lambda v: getattr((v.ai if ai else v).heights_mm, name, None)


def _gradeProbability(v: ReviewedVertebra) -> float | None:
    probabilities: Any = v.grade_probabilities
    if v.rejected or v.grade is None or probabilities is None:
        return None
    return _percent(probabilities[v.grade])


def _notes(v: ReviewedVertebra) -> str:
    current: Vertebra = v.current
    reasons = [*(flag.reason for flag in v.flags), *missing_reasons(current).values()]
    return " ".join(dict.fromkeys(reasons))


def _ofVertebra(name: str, value: Callable[[Any], Any] = lambda x: x) -> Callable[..., Any]:
    """Return what reads an attribute of a vertebra, and nothing of what is none."""
    return lambda v: None if v.rejected else value(getattr(v, name))


def _changedByReader(v: ReviewedVertebra) -> str:
    changes = {
        "added": v.added,
        "level": v.levelChanged,
        "grade": v.gradeChanged,
        "heights": v.heightsChanged,
        "segment": v.remeasured,
    }
    return ", ".join(name for name, changed in changes.items() if changed)


_SHAPES = ("wedge", "biconcave", "crush")
_HEIGHTS = {"Ha": "anterior", "Hm": "middle", "Hp": "posterior"}

COLUMNS: tuple[TableColumn, ...] = (
    TableColumn("Level", str, _ofVertebra("level")),
    TableColumn("Grade", int, _ofVertebra("grade"), "", "Genant grade 0-3; -1 is not graded"),
    TableColumn("Shape", str, _ofVertebra("shape")),
    TableColumn("Borderline", str, _ofVertebra("borderline", _yes)),
    *(TableColumn(f"{shape.capitalize()} loss (%)", float, _loss(shape), "%") for shape in _SHAPES),
    *(
        TableColumn(f"{symbol} (mm)", float, _height(name), "mm", f"{name} height of the body")
        for symbol, name in _HEIGHTS.items()
    ),
    TableColumn("Density (HU)", float, lambda v: v.density_hu, "HU", "mean trabecular density"),
    TableColumn("Volume (ml)", float, lambda v: v.volume_ml, "ml", "whole vertebra"),
    TableColumn("Level probability (%)", float, _ofVertebra("level_probability", _percent), "%"),
    TableColumn("Grade probability (%)", float, _gradeProbability, "%"),
    TableColumn("Runner-up level", str, _ofVertebra("runner_up_level")),
    TableColumn(
        "Runner-up probability (%)", float, _ofVertebra("runner_up_probability", _percent), "%"
    ),
    TableColumn("Flags", str, lambda v: ", ".join(flag.code for flag in v.flags)),
    TableColumn("Notes", str, _notes),
    TableColumn("Reviewed", str, lambda v: _yes(v.reviewed)),
    TableColumn("Rejected", str, lambda v: _yes(v.rejected), "", "no vertebra, says the reader"),
    TableColumn("Changed by reader", str, _changedByReader),
    TableColumn("Reader's reason", str, lambda v: v.reason),
    TableColumn("AI level", str, lambda v: v.aiLevel),
    TableColumn("AI grade", int, lambda v: v.ai.grade, "", "Genant grade 0-3; -1 is not graded"),
    TableColumn("AI shape", str, lambda v: v.ai.shape),
    *(TableColumn(f"AI {shape} loss (%)", float, _loss(shape, True), "%") for shape in _SHAPES),
    *(
        TableColumn(f"AI {symbol} (mm)", float, _height(name, True), "mm")
        for symbol, name in _HEIGHTS.items()
    ),
    TableColumn("Key", str, lambda v: v.key, "", "which vertebra of the analysis, head to foot"),
)
"""Columns from left to right; those of the reader's values come first."""
