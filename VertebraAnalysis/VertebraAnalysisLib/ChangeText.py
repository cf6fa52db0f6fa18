"""How the audit trail puts a value into words."""

from __future__ import annotations

from vertebra_core.output.grade_names import grade_label

from .HeightEditing import usable
from .ReviewedVertebra import REJECTED_NAME, ReviewedVertebra


def changedText(action: str, vertebra: ReviewedVertebra | None) -> str:
    """Return the value that an action is about, in a few words.

    Parameters
    ----------
    action : {"level", "grade", "heights", "measurement", "reviewed", "rejected", "added"}
    vertebra : ReviewedVertebra or None
        Before or after the action; None before it was added.
    """
    if vertebra is None:
        return "missed"
    if action == "added":
        return f"added as {vertebra.level}"
    if action == "level":
        return vertebra.level
    if action == "reviewed":
        return "reviewed" if vertebra.reviewed else "not reviewed"
    if action == "rejected":
        return REJECTED_NAME if vertebra.rejected else vertebra.level
    grade = grade_label(vertebra.current)
    if action == "grade":
        return grade
    heights = vertebra.heights_mm
    if not usable(heights):
        return f"no heights, {grade}"
    return (
        f"Ha {heights.anterior:.1f}, Hm {heights.middle:.1f}, Hp {heights.posterior:.1f} mm, "
        f"{grade}"
    )
