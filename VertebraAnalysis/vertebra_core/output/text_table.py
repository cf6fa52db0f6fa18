"""The table that a terminal shows."""

from __future__ import annotations

import math

from ..analysis import SpineAnalysis, Vertebra
from ..flagging import probability_percent
from .grade_names import grade_label

_HEADER = (
    "level", "sure", "grade", "Ha", "Hm", "Hp", "wedge", "biconc", "crush", "HU", "ml", "flags",
)  # fmt: skip
_LEFT = {"level", "grade", "flags"}


def analysis_text(analysis: SpineAnalysis) -> str:
    """Return a line per vertebra: heights in mm, losses in percent."""
    rows = [_HEADER, *(_row(v) for v in analysis.vertebrae)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(_HEADER))]
    lines = []
    for row in rows:
        cells = [
            text.ljust(width) if name in _LEFT else text.rjust(width)
            for name, text, width in zip(_HEADER, row, widths, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _row(v: Vertebra) -> tuple[str, ...]:
    names = ("anterior", "middle", "posterior")
    heights = [_number(getattr(v.heights_mm, n, None), 1) for n in names]
    losses = [_percent(getattr(v.height_loss, n, None)) for n in ("wedge", "biconcave", "crush")]
    return (
        v.level,
        "-" if v.level_probability is None else f"{probability_percent(v.level_probability)} %",
        grade_label(v),
        *heights,
        *losses,
        _number(v.density_hu, 0),
        _number(v.volume_ml, 1),
        ", ".join(dict.fromkeys(flag.code for flag in v.flags)),
    )


def _number(value: float | None, decimals: int) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.{decimals}f}"


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None or not math.isfinite(fraction) else f"{round(100 * fraction)} %"
