"""What the report says was found, in a few lines above everything else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from ..analysis import SpineAnalysis, Vertebra
from ..counting import counted
from ..flagging import level_unsure
from ..grading.genant import GRADE_THRESHOLDS
from ..missing import missing_reasons

GRADE_NAMES = {0: "none", 1: "mild", 2: "moderate", 3: "severe"}
"""Genant grades in words."""

LOSS_SHAPES = ("wedge", "biconcave", "crush")
"""Attributes of `HeightLoss`, in the order of the table's columns."""

LESION = "lesion_candidate"

_NOTED_PERCENT = round(100 * GRADE_THRESHOLDS[0])

_DOUBTS = {
    "implausible_shape": "Doubtful outline",
    "touching_neighbour": "Touching a neighbour (fused, or not well separated)",
    "possibly_missed_neighbour": "A neighbour may have been missed beside",
    "no_height_reference": "No other body to compare the whole height with",
    "metal": "Metal in the body",
    "cement": "Cement or very dense bone in the body",
}
"""Code of a flag -> what the summary says before the levels that bear it."""


def needs_attention(vertebra: Vertebra) -> bool:
    """Tell whether a reader should look: at its grade, or at what may be a lesion."""
    return grade_needs_attention(vertebra) or has_flag(vertebra, LESION)


def grade_needs_attention(vertebra: Vertebra) -> bool:
    """Tell whether there is a fracture, a borderline or disputed grade, or a loss."""
    return bool(
        vertebra.grade
        or vertebra.borderline
        or has_flag(vertebra, "grade_disagreement")
        or _noted_loss(vertebra)
    )


def has_flag(vertebra: Vertebra, code: str) -> bool:
    """Tell whether `vertebra` bears a flag."""
    return any(flag.code == code for flag in vertebra.flags)


def summary_html(analysis: SpineAnalysis) -> str:
    """Say in a few lines what was found."""
    found = analysis.vertebrae
    if not found:
        return "<div class='summary'>No vertebra was found.</div>"
    span = found[0].level if len(found) == 1 else f"{found[0].level} to {found[-1].level}"
    lines = [
        *_fractures(found),
        *_lesions(found),
        *_listed("Near a threshold between grades", [v for v in found if v.borderline]),
        *_disputes([v for v in found if has_flag(v, "grade_disagreement")]),
        *_ungraded(found),
        *_doubts(found),
        *_unsure_levels(found),
    ]
    items = "".join(f"<li>{line}</li>" for line in lines)
    vertebrae = counted(len(found), "vertebra", "vertebrae")
    return f"<div class='summary'><b>{vertebrae}, {span}.</b><ul>{items}</ul></div>"


def _fractures(found: Sequence[Vertebra]) -> list[str]:
    """Fractures, and losses that no grade tells: what the table prints is not denied above it."""
    fractured = [
        f"{v.level} grade {v.grade} ({GRADE_NAMES[v.grade]}{', ' + v.shape if v.shape else ''})"
        for v in found
        if v.grade
    ]
    losses = [f"{v.level} {loss}" for v in found if not v.grade and (loss := _noted_loss(v))]
    limit = f"of {_NOTED_PERCENT} % or more"
    if fractured:
        lines = [f"<b>Deformed: {escape('; '.join(fractured))}.</b>"]
        if losses:
            lines.append(f"Height losses {limit} without a graded fracture: {'; '.join(losses)}.")
        return lines
    if all(v.grade is None for v in found):
        lines = [_nothing_graded(found)]
        return [*lines, f"Height losses {limit}: {'; '.join(losses)}."] if losses else lines
    if losses:
        return [f"No fracture was graded; height losses {limit}: {'; '.join(losses)}."]
    return [f"No height loss {limit} was found; {_graded_of(found)}."]


def _nothing_graded(found: Sequence[Vertebra]) -> str:
    reasons = {missing_reasons(v)["grade"] for v in found}
    why = reasons.pop() if len(reasons) == 1 else "The reasons are in the table."
    return f"No vertebra could be graded; nothing is said about fractures. {escape(why)}"


def _graded_of(found: Sequence[Vertebra]) -> str:
    graded = sum(v.grade is not None for v in found)
    return f"{graded} of {counted(len(found), 'vertebra', 'vertebrae')} could be graded"


def _noted_loss(v: Vertebra) -> str:
    """The largest loss with its shape, such as ``"24 % (wedge)"``; empty below grade 1's."""
    losses = {name: getattr(v.height_loss, name, math.nan) for name in LOSS_SHAPES}
    percents = {name: round(100 * loss) for name, loss in losses.items() if math.isfinite(loss)}
    largest = max(percents, key=percents.__getitem__, default=None)
    if largest is None or percents[largest] < _NOTED_PERCENT:
        return ""
    return f"{percents[largest]} % ({largest})"


def _lesions(found: Sequence[Vertebra]) -> list[str]:
    counts = [(v.level, sum(flag.code == LESION for flag in v.flags)) for v in found]
    levels = [f"{level} ({n})" if n > 1 else level for level, n in counts if n]
    return [f"<b>Suspected lesion: {', '.join(levels)}.</b>"] if levels else []


def _disputes(disputed: Sequence[Vertebra]) -> list[str]:
    cases: dict[str, list[Vertebra]] = {}
    for v in disputed:
        cases.setdefault(_dispute(v), []).append(v)
    return [line for case, own in cases.items() for line in _listed(case, own)]


def _dispute(v: Vertebra) -> str:
    """Tell the cases of `grading.joint_grade.grade_doubt` apart."""
    if v.learned_grade is not None and v.learned_grade != v.morphometric_grade:
        return "Measured and learned grade disagree"
    return "Opinions on the grade are split"


def _ungraded(found: Sequence[Vertebra]) -> list[str]:
    ungraded = [v.level for v in found if v.grade is None]
    # That none was graded stands above already.
    if not ungraded or len(ungraded) == len(found):
        return []
    return [f"Not graded: {', '.join(ungraded)} (reasons in the table)."]


def _doubts(found: Sequence[Vertebra]) -> list[str]:
    return [
        line
        for code, case in _DOUBTS.items()
        for line in _listed(case, [v for v in found if has_flag(v, code)])
    ]


def _unsure_levels(found: Sequence[Vertebra]) -> list[str]:
    unsure = [v for v in found if level_unsure(v)]
    if len(unsure) > 6:
        return [f"The level is uncertain in {len(unsure)} of {len(found)} vertebrae."]
    return _listed("Level uncertain", unsure)


def _listed(case: str, vertebrae: Sequence[Vertebra]) -> list[str]:
    """One line with the levels, none without any."""
    return [f"{case}: {', '.join(v.level for v in vertebrae)}."] if vertebrae else []
