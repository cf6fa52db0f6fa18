"""How a grade is called in tables, markups and the report."""

from __future__ import annotations

from ..analysis import Vertebra


def grade_label(vertebra: Vertebra) -> str:
    """Return ``"G2 wedge"``, ``"G0"``, ``"G1 wedge, borderline"`` or ``"not graded"``."""
    if vertebra.grade is None:
        return "not graded"
    label = f"G{vertebra.grade}"
    # A fracture network may grade a body whose heights are those of an intact one.
    if vertebra.grade > 0 and vertebra.shape not in (None, "normal"):
        label += f" {vertebra.shape}"
    return label + (", borderline" if vertebra.borderline else "")


def short_grade_label(vertebra: Vertebra) -> str:
    """Return ``"G2"``, ``"G1?"`` when borderline, or ``"G-"`` when not graded."""
    if vertebra.grade is None:
        return "G\N{EN DASH}"
    return f"G{vertebra.grade}" + ("?" if vertebra.borderline else "")
