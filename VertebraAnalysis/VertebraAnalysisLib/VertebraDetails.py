"""What is known of the chosen vertebra beyond its row, as rich text."""

from __future__ import annotations

from html import escape

from slicer.i18n import tr as _

from .GradeStyle import gradeText
from .ReviewedVertebra import ReviewedVertebra
from .VertebraCells import lossText


def detailsHtml(vertebra: ReviewedVertebra) -> str:
    """Return a few lines: grades of AI and reader, losses, reasons of the flags."""
    lines = [_grades(vertebra)]
    losses = lossText(vertebra)
    if losses:
        lines.append(_("Height loss: {losses}").format(losses=losses))
    lines += [f"\N{BULLET} {escape(flag.reason)}" for flag in vertebra.flags]
    return "<br>".join(lines)


def _grades(v: ReviewedVertebra) -> str:
    now = gradeText(v.grade, v.shape, v.borderline)
    if not v.changed:
        return f"<b>{escape(v.level)}</b>: {escape(now)}"
    before = gradeText(v.ai.grade, v.ai.shape, v.ai.borderline)
    text = _("<b>{level}</b>: reader {now}; AI {aiLevel} {before}").format(
        level=escape(v.level), now=escape(now), aiLevel=escape(v.ai.level), before=escape(before)
    )
    return text + (f" (<i>{escape(v.reason)}</i>)" if v.reason else "")
