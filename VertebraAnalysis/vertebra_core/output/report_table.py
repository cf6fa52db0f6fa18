"""Words and table of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from ..analysis import Heights, SpineAnalysis, Vertebra
from ..counting import counted
from ..flagging import level_unsure, probability_percent
from ..grading.genant import GRADE_THRESHOLDS
from ..missing import missing_reasons
from .grade_names import grade_label
from .report_style import GRADE_COLORS

GRADE_NAMES = {0: "none", 1: "mild", 2: "moderate", 3: "severe"}
"""Genant grades in words."""

LOSS_SHAPES = ("wedge", "biconcave", "crush")
"""Attributes of `HeightLoss`, in the order of the table's columns."""

_NOTED_PERCENT = round(100 * GRADE_THRESHOLDS[0])
_ABSENT = "<span aria-label='not measured'>&ndash;</span>"
_SAID = ("heights_mm", "grade", "density_hu", "volume_ml")


def needs_attention(vertebra: Vertebra) -> bool:
    """Tell whether a reader should look: at a fracture, a borderline or disputed grade, a loss."""
    return bool(
        vertebra.grade
        or vertebra.borderline
        or _has(vertebra, "grade_disagreement")
        or _noted_loss(vertebra)
    )


def summary_html(analysis: SpineAnalysis) -> str:
    """Say in a few lines what was found."""
    found = analysis.vertebrae
    if not found:
        return "<div class='summary'>No vertebra was found.</div>"
    span = found[0].level if len(found) == 1 else f"{found[0].level} to {found[-1].level}"
    lines = _fractures(found)
    doubtful = [v.level for v in found if v.borderline]
    if doubtful:
        lines.append(f"Near a threshold between grades: {', '.join(doubtful)}.")
    lines += _disputes([v for v in found if _has(v, "grade_disagreement")])
    ungraded = [v.level for v in found if v.grade is None]
    if ungraded:
        lines.append(f"Not graded: {', '.join(ungraded)} (reasons in the table).")
    unsure = [v.level for v in found if level_unsure(v)]
    if len(unsure) > 6:
        lines.append(f"The level is uncertain in {len(unsure)} of {len(found)} vertebrae.")
    elif unsure:
        lines.append(f"Level uncertain: {', '.join(unsure)}.")
    items = "".join(f"<li>{line}</li>" for line in lines)
    vertebrae = counted(len(found), "vertebra", "vertebrae")
    return f"<div class='summary'><b>{vertebrae}, {span}.</b><ul>{items}</ul></div>"


def table_html(
    vertebrae: Sequence[Vertebra], changes: Mapping[str, Sequence[str]] | None = None
) -> str:
    """Return the table of all vertebrae, head to foot.

    Parameters
    ----------
    vertebrae : sequence of Vertebra
    changes : mapping of str to sequence of str, optional
        Level -> what a reader changed there, first among its notes.
    """
    head = (
        "<tr><th class='text' scope='col' rowspan='2'>Level</th>"
        "<th class='text' scope='col' rowspan='2'>Genant grade</th>"
        "<th scope='colgroup' colspan='3'>Height, mm</th>"
        "<th scope='colgroup' colspan='3'>Height loss, %</th>"
        "<th scope='col' rowspan='2'>Density<br><small>HU</small></th>"
        "<th scope='col' rowspan='2'>Volume<br><small>ml</small></th>"
        "<th class='text' scope='col' rowspan='2'>Notes</th></tr>"
        "<tr>" + "".join(
            f"<th scope='col'>{name}</th>"
            for name in ("Ha", "Hm", "Hp", "wedge", "biconc.", "crush")
        ) + "</tr>"
    )  # fmt: skip
    # What all vertebrae lack is said once, not in every row.
    reasons = [missing_reasons(v) for v in vertebrae]
    common = {
        name: reason
        for name, reason in (reasons[0] if reasons else {}).items()
        if name in _SAID and all(r.get(name) == reason for r in reasons) and len(reasons) > 1
    }
    changes = changes or {}
    rows = "".join(_row(v, common, changes.get(v.level, ())) for v in vertebrae)
    notes = "".join(f"<p class='quiet'>{escape(reason)}</p>" for reason in common.values())
    return (
        f"{notes}<div class='table'><table><caption>{_CAPTION}</caption>"
        f"<thead>{head}</thead><tbody>{rows}</tbody></table></div>"
    )


_CAPTION = (
    "Below each grade: probability of G0 / G1 / G2 / G3; below each level: its probability, and "
    "the second most probable level where it is uncertain. "
    "Ha, Hm, Hp: anterior, middle and posterior height of the body, robust mean &plusmn; spread "
    "over its middle sagittal slices. Height loss is taken against the intact shape of that level "
    "(wedge, biconcave) and against neighbours or the level's norm (crush); negative: higher than "
    "the norm. Where the back wall has sunk too, its loss is added to that of front and middle "
    "before it is graded. Genant: 20&ndash;25 % mild (G1), 25&ndash;40 % moderate (G2), above 40 % "
    "severe (G3). Readers agree within about &plusmn;12 percentage points of height loss; no "
    "figure here is surer than that."
)


def grade_key_html() -> str:
    """Return the key to the colours of grades."""
    entries = [(g, f"G{g} {name}") for g, name in GRADE_NAMES.items()]
    entries = [*entries, (None, "not graded")]
    chips = "".join(f"<span>{_chip(grade, text)}</span>" for grade, text in entries)
    return f"<div class='key' aria-label='Colours of grades'>{chips}</div>"


def percent(fraction: float | None) -> str:
    """Return a fraction as whole percent, with a true minus sign."""
    if fraction is None or not math.isfinite(fraction):
        return _ABSENT
    return f"{round(100 * fraction):d}".replace("-", "&minus;")


def _fractures(found: Sequence[Vertebra]) -> list[str]:
    """Fractures, and losses that no grade tells: what the table prints is not denied above it."""
    fractured = [
        f"{v.level} grade {v.grade} ({GRADE_NAMES[v.grade]}{', ' + v.shape if v.shape else ''})"
        for v in found
        if v.grade
    ]
    losses = [f"{v.level} {loss}" for v in found if not v.grade and (loss := _noted_loss(v))]
    limit = f"of {_NOTED_PERCENT} % or more"
    if not fractured and not losses:
        return [f"No height loss {limit} was found in the vertebrae that could be graded."]
    if not fractured:
        return [f"No fracture was graded; height losses {limit}: {'; '.join(losses)}."]
    lines = [f"<b>Deformed: {escape('; '.join(fractured))}.</b>"]
    if losses:
        lines.append(f"Height losses {limit} without a graded fracture: {'; '.join(losses)}.")
    return lines


def _noted_loss(v: Vertebra) -> str:
    """The largest loss with its shape, such as ``"24 % (wedge)"``; empty below grade 1's."""
    losses = {name: getattr(v.height_loss, name, math.nan) for name in LOSS_SHAPES}
    percents = {name: round(100 * loss) for name, loss in losses.items() if math.isfinite(loss)}
    largest = max(percents, key=percents.__getitem__, default=None)
    if largest is None or percents[largest] < _NOTED_PERCENT:
        return ""
    return f"{percents[largest]} % ({largest})"


def _disputes(disputed: Sequence[Vertebra]) -> list[str]:
    cases: dict[str, list[str]] = {}
    for v in disputed:
        cases.setdefault(_dispute(v), []).append(v.level)
    return [f"{case}: {', '.join(levels)}." for case, levels in cases.items()]


def _dispute(v: Vertebra) -> str:
    """Tell the cases of `grading.joint_grade.grade_doubt` apart."""
    if v.learned_grade is not None and v.learned_grade != v.morphometric_grade:
        return "Measured and learned grade disagree"
    return "Opinions on the grade are split"


def _row(v: Vertebra, common: dict[str, str], changes: Sequence[str]) -> str:
    level = f"{v.level}<br><small>{_level_doubt(v)}</small>"
    grade = _chip(v.grade, grade_label(v))
    if v.grade_probabilities is not None:
        shares = "&thinsp;/&thinsp;".join(percent(p) for p in v.grade_probabilities)
        grade += f"<br><small title='probability of grades 0, 1, 2, 3'>{shares} %</small>"
    heights = [_height(v, name) for name in ("anterior", "middle", "posterior")]
    losses = [percent(getattr(v.height_loss, name, None)) for name in LOSS_SHAPES]
    numbers = [*heights, *losses, _number(v.density_hu, 0), _number(v.volume_ml, 1)]
    attention = " class='attention'" if needs_attention(v) else ""
    return (
        f"<tr{attention}><th scope='row'>{level}</th><td class='text'>{grade}</td>"
        + "".join(f"<td>{n}</td>" for n in numbers)
        + f"<td class='notes'>{_notes(v, common, changes)}</td></tr>"
    )


def _level_doubt(v: Vertebra) -> str:
    if v.level_probability is None:
        return "given"
    text = f"{probability_percent(v.level_probability)} %"
    if level_unsure(v) and v.runner_up_level:
        text += f", or {escape(v.runner_up_level)}"
        if v.runner_up_probability is not None:
            text += f" {percent(v.runner_up_probability)} %"
    return text


def _notes(v: Vertebra, common: dict[str, str], changes: Sequence[str]) -> str:
    reasons = [*changes, *(flag.reason for flag in v.flags)]
    missing = missing_reasons(v)
    reasons += [missing[name] for name in _SAID if name in missing and name not in common]
    # "The edge cuts the body." needs no line beside "The edge cuts the body, so ...".
    told = [r for r in dict.fromkeys(reasons) if not _goes_on(r, reasons)]
    return "".join(f"<p>{escape(reason)}</p>" for reason in told)


def _goes_on(reason: str, others: Sequence[str]) -> bool:
    return any(other.startswith(reason.removesuffix(".") + ",") for other in others)


def _height(v: Vertebra, name: str) -> str:
    text = _number(getattr(v.heights_mm, name, None), 1)
    spread: Heights | None = v.heights_spread_mm
    if v.heights_mm is None or spread is None:
        return text
    return f"{text}<br><small>&plusmn;&thinsp;{_number(getattr(spread, name), 1)}</small>"


def _number(value: float | None, decimals: int) -> str:
    if value is None or not math.isfinite(value):
        return _ABSENT
    return f"{value:.{decimals}f}".replace("-", "&minus;")


def _chip(grade: int | None, text: str) -> str:
    return f"<span class='chip' style='background:{GRADE_COLORS[grade]}'>{escape(text)}</span>"


def _has(v: Vertebra, code: str) -> bool:
    return any(flag.code == code for flag in v.flags)
