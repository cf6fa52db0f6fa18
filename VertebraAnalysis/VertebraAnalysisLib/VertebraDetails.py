"""What is known of the chosen vertebra beyond its row, as rich text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from slicer.i18n import tr as _
from vertebra_core.grading.genant import grade_of_loss
from vertebra_core.output.grade_names import grade_label

from .Change import Change
from .ReviewedVertebra import ReviewedVertebra
from .VertebraCells import gradedLoss, lossText

_CHANGES_SHOWN = 3


def detailsHtml(vertebra: ReviewedVertebra, changes: Sequence[Change] = ()) -> str:
    """Return a few lines: grades of AI and reader, losses, reasons of the flags, latest changes.

    Parameters
    ----------
    vertebra : ReviewedVertebra
    changes : sequence of Change
        Of this vertebra, oldest first.
    """
    lines = [_rejected(vertebra)] if vertebra.rejected else _findings(vertebra)
    lines += [f"<i>{escape(_changeText(change))}</i>" for change in changes[-_CHANGES_SHOWN:]]
    return "<br>".join(lines)


def _findings(v: ReviewedVertebra) -> list[str]:
    lines = [_grades(v)]
    losses = lossText(v)
    if losses:
        lines.append(_("Height loss: {losses}").format(losses=losses) + _posteriorNote(v))
    return lines + [f"\N{BULLET} {escape(flag.reason)}" for flag in v.flags]


def _rejected(v: ReviewedVertebra) -> str:
    before = grade_label(v.ai)
    return _(
        "<b><s>{level}</s></b>: not a vertebra, says the reader "
        "\N{MIDDLE DOT} AI: {aiLevel} {before}"
    ).format(level=escape(v.level), aiLevel=escape(v.aiLevel), before=escape(before))


def _grades(v: ReviewedVertebra) -> str:
    now = grade_label(v.current)
    if not v.changed:
        return f"<b>{escape(v.level)}</b>: {escape(now)}"
    before = grade_label(v.ai)
    if v.added and not v.gradeChanged:
        return _("<b>{level}</b>: {now} \N{MIDDLE DOT} missed by the AI").format(
            level=escape(v.level), now=escape(now)
        )
    if v.added:
        return _(
            "<b>{level}</b>: {now} \N{MIDDLE DOT} missed by the AI; its grade: {before}"
        ).format(level=escape(v.level), now=escape(now), before=escape(before))
    return _("<b>{level}</b>: {now} \N{MIDDLE DOT} AI: {aiLevel} {before}").format(
        level=escape(v.level), now=escape(now), aiLevel=escape(v.ai.level), before=escape(before)
    )


def _posteriorNote(v: ReviewedVertebra) -> str:
    """Why a grade can be higher than the loss of its shape alone; empty where it is not."""
    loss = gradedLoss(v.height_loss, v.shape)
    grade = v.current.morphometric_grade
    if grade is None or grade_of_loss(loss) >= grade or v.height_loss.crush <= 0:
        return ""
    return " " + _("(the posterior loss adds to it: grade {grade})").format(grade=grade)


def _changeText(change: Change) -> str:
    # ISO 8601, UTC: date and minutes are enough to read.
    time = change.time[:16].replace("T", " ")
    text = _("{time} UTC, {reader}: {before} \N{RIGHTWARDS ARROW} {after}").format(
        time=time, reader=change.reader, before=change.before, after=change.after
    )
    return f"{text} ({change.reason})" if change.reason else text
