"""Reliability diagrams as SVG: what was stated across, how often it was right upwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from .calibration import Calibration, CalibrationBin
from .records import CaseRecord
from .reliability import grade_calibration, level_calibration
from .writing import writing_to

FILE_NAME = "reliability.svg"

_SIDE_PX = 260.0
_BARS_PX = 56.0
_LEFT_PX, _TOP_PX, _GAP_PX, _FOOT_PX = 62.0, 72.0, 14.0, 48.0
PANEL_SIZE_PX = (_LEFT_PX + _SIDE_PX + 24.0, _TOP_PX + _SIDE_PX + _GAP_PX + _BARS_PX + _FOOT_PX)
"""Width and height of one diagram."""

_INK, _QUIET, _POINT, _BAR = "#1b1f24", "#8c959f", "#0072b2", "#9ecae1"
_FONT = "font-family='system-ui, Segoe UI, Roboto, sans-serif'"


def write_reliability(folder: Path, groups: Mapping[str, Sequence[CaseRecord]]) -> Path | None:
    """Draw the diagrams of levels and grades of every group into one file in `folder`.

    Parameters
    ----------
    folder : Path
        Is made where there is none.
    groups : mapping
        Title -> records; one row of diagrams each.

    Returns
    -------
    Path or None
        The file; None, and no file, where no probability was stated.

    Raises
    ------
    OutputError
        ``not_writable``.
    """
    rows = {}
    for title, records in groups.items():
        row = {"Levels": level_calibration(records), "Grades": grade_calibration(records)}
        stated = {what: calibration for what, calibration in row.items() if calibration.n}
        if stated:
            rows[title] = stated
    if not rows:
        return None
    path = Path(folder) / FILE_NAME
    with writing_to(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(reliability_svg(rows), encoding="utf-8")
    return path


def reliability_svg(rows: Mapping[str, Mapping[str, Calibration]]) -> str:
    """Return one SVG picture.

    Parameters
    ----------
    rows : mapping
        What was evaluated -> name of a diagram -> calibration; one row of diagrams each.
    """
    width, height = PANEL_SIZE_PX
    total = width * max(len(row) for row in rows.values()), height * len(rows)
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{total[0]:.0f}' height='{total[1]:.0f}' "
        f"viewBox='0 0 {total[0]:.0f} {total[1]:.0f}' {_FONT} font-size='12'>",
        "<rect width='100%' height='100%' fill='#ffffff'/>",
    ]
    for k, (title, row) in enumerate(rows.items()):
        for j, (what, calibration) in enumerate(row.items()):
            panel = "".join(_panel(what, title, calibration))
            parts.append(f"<g transform='translate({j * width:.0f} {k * height:.0f})'>{panel}</g>")
    return "\n".join([*parts, "</svg>", ""])


def point_px(stated: float, right: float) -> tuple[float, float]:
    """Return where in its diagram a share of right answers is drawn, x to the right, y down."""
    return _LEFT_PX + stated * _SIDE_PX, _TOP_PX + (1 - right) * _SIDE_PX


def _panel(what: str, title: str, calibration: Calibration) -> list[str]:
    figures = f"expected calibration error {calibration.error:.3f}, n = {calibration.n}"
    return [
        _text(_LEFT_PX, 22, what, "start", _INK, 14, 600),
        _text(_LEFT_PX, 40, title, "start", _INK),
        _text(_LEFT_PX, 57, figures, "start", _INK),
        *_axes(),
        *(mark for b in calibration.bins for mark in _mark(b)),
        *_bars(calibration),
    ]


def _axes() -> list[str]:
    x0, y0 = point_px(0, 0)
    x1, y1 = point_px(1, 1)
    parts = [
        f"<rect x='{x0}' y='{y1}' width='{_SIDE_PX}' height='{_SIDE_PX}' fill='none' "
        f"stroke='{_QUIET}'/>",
        f"<line x1='{x0}' y1='{y0}' x2='{x1}' y2='{y1}' stroke='{_QUIET}' stroke-dasharray='4 4'/>",
    ]
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        x, y = point_px(tick, tick)
        foot = y0 + _GAP_PX + _BARS_PX
        parts.append(_text(x, foot + 16, f"{100 * tick:.0f}", "middle", _QUIET))
        parts.append(_text(x0 - 8, y + 4, f"{100 * tick:.0f}", "end", _QUIET))
    parts.append(_text((x0 + x1) / 2, foot + 36, "stated probability, %", "middle", _INK))
    turned = f"transform='rotate(-90 18 {(y0 + y1) / 2:.0f})'"
    parts.append(_text(18, (y0 + y1) / 2, "right, %", "middle", _INK, extra=turned))
    return parts


def _mark(b: CalibrationBin) -> list[str]:
    x, y = point_px(b.mean_probability, b.share_right)
    low, high = (point_px(0, share)[1] for share in b.interval)
    told = f"stated {b.mean_probability:.3f}, right {b.share_right:.3f}, n = {b.n}"
    return [
        f"<line x1='{x:.1f}' y1='{low:.1f}' x2='{x:.1f}' y2='{high:.1f}' stroke='{_POINT}'/>",
        f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4' fill='{_POINT}'><title>{told}</title></circle>",
    ]


def _bars(calibration: Calibration) -> list[str]:
    """How many answers lie in each bin, as shares of all."""
    foot = _TOP_PX + _SIDE_PX + _GAP_PX + _BARS_PX
    parts = []
    for b in calibration.bins:
        (left, _), (right, _) = point_px(b.low, 0), point_px(b.high, 0)
        height = (_BARS_PX - 14) * b.n / calibration.n
        parts.append(
            f"<rect x='{left + 1:.1f}' y='{foot - height:.1f}' width='{right - left - 2:.1f}' "
            f"height='{height:.1f}' fill='{_BAR}'/>"
        )
        parts.append(_text((left + right) / 2, foot - height - 3, str(b.n), "middle", _INK, 10))
    return parts


def _text(x, y, words, anchor, color, size=12, weight=400, extra="") -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{color}' font-size='{size}' "
        f"font-weight='{weight}' {extra}>{escape(words)}</text>"
    )
