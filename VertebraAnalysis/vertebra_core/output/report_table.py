"""The table of the report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ..analysis import Heights, Manifest, Vertebra
from ..flagging import level_unsure, probability_percent
from ..missing import missing_reasons
from .grade_names import grade_label
from .report_style import GRADE_COLORS
from .report_summary import GRADE_NAMES, LOSS_SHAPES, needs_attention

_ABSENT = "<span aria-label='not measured'>&ndash;</span>"
_SAID = ("heights_mm", "grade", "density_hu", "volume_ml")


def table_html(
    vertebrae: Sequence[Vertebra],
    changes: Mapping[str, Sequence[str]] | None = None,
    manifest: Manifest | None = None,
) -> str:
    """Return the table of all vertebrae, head to foot.

    Parameters
    ----------
    vertebrae : sequence of Vertebra
    changes : mapping of str to sequence of str, optional
        Level -> what a reader changed there, first among its notes.
    manifest : Manifest, optional
        Of the analysis; tells whether there was a CT.
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
    # What is true of all vertebrae is said once, not in every row.
    reasons = [_reasons(v, manifest) for v in vertebrae]
    common = [r for r in reasons[0] if all(r in own for own in reasons)] if reasons[1:] else []
    changes = changes or {}
    rows = "".join(
        _row(v, [*changes.get(v.level, ()), *(r for r in own if r not in common)])
        for v, own in zip(vertebrae, reasons, strict=True)
    )
    notes = "".join(f"<p class='quiet'>All vertebrae: {escape(reason)}</p>" for reason in common)
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
    "before it is graded. Genant: 20&ndash;25 % mild (G1), 25&ndash;40 % moderate (G2), from 40 % "
    "on severe (G3). Readers agree within about &plusmn;12 percentage points of height loss; no "
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


def _row(v: Vertebra, notes: Sequence[str]) -> str:
    level = f"{v.level}<br><small>{_level_doubt(v)}</small>"
    grade = _chip(v.grade, grade_label(v))
    if v.grade_probabilities is not None:
        shares = "&thinsp;/&thinsp;".join(percent(p) for p in v.grade_probabilities)
        grade += f"<br><small title='probability of grades 0, 1, 2, 3'>{shares} %</small>"
    heights = [_height(v, name) for name in ("anterior", "middle", "posterior")]
    losses = [percent(getattr(v.height_loss, name, None)) for name in LOSS_SHAPES]
    numbers = [*heights, *losses, _number(v.density_hu, 0), _number(v.volume_ml, 1)]
    told = "".join(f"<p>{escape(note)}</p>" for note in notes)
    attention = " class='attention'" if needs_attention(v) else ""
    return (
        f"<tr{attention}><th scope='row'>{level}</th><td class='text'>{grade}</td>"
        + "".join(f"<td>{n}</td>" for n in numbers)
        + f"<td class='notes'>{told}</td></tr>"
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


def _reasons(v: Vertebra, manifest: Manifest | None) -> list[str]:
    """What is odd about a vertebra and why figures of the table are missing, each once."""
    missing = missing_reasons(v, manifest)
    lacking = [missing[name] for name in _SAID if name in missing]
    reasons = dict.fromkeys([*(flag.reason for flag in v.flags), *lacking])
    # "The edge cuts the body." needs no line beside "The edge cuts the body, so ...", nor does a
    # reason that another one gives for itself.
    return [r for r in reasons if not _goes_on(r, reasons) and not _rests_on(r, reasons)]


def _goes_on(reason: str, others: Iterable[str]) -> bool:
    return any(other.startswith(reason.removesuffix(".") + ",") for other in others)


def _rests_on(reason: str, others: Iterable[str]) -> bool:
    return any(reason.endswith(f" {other}") for other in others)


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
