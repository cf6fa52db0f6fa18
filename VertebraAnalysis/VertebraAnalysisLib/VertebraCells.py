"""What the results table says about a vertebra, as text. Knows neither Qt nor 3D Slicer."""

from __future__ import annotations

from dataclasses import dataclass

from vertebra_core.analysis import HeightLoss
from vertebra_core.flag_names import flag_name
from vertebra_core.flagging import probability_percent
from vertebra_core.missing import missing_reasons
from vertebra_core.output.grade_names import grade_label

from .GradeStyle import gradeStyle
from .ReviewedVertebra import REJECTED_NAME, ReviewedVertebra

MISSING = "\N{EN DASH}"


@dataclass(frozen=True)
class Cell:
    """One cell of the table.

    Attributes
    ----------
    text : str
    toolTip : str
    changed : bool
        The reader's value differs from the analysis'.
    """

    text: str
    toolTip: str = ""
    changed: bool = False


def cells(vertebra: ReviewedVertebra) -> dict[str, Cell]:
    """Return column name -> cell, in the order of the table."""
    v, ai = vertebra, vertebra.ai
    why = missing_reasons(v.current)
    redrawn = v.heights_mm != ai.heights_mm
    heights = {
        short: Cell(
            _millimetres(getattr(v.heights_mm, name, None)),
            why.get("heights_mm", "")
            or _was(_millimetres(getattr(ai.heights_mm, name, None)), redrawn),
            redrawn and getattr(v.heights_mm, name, None) != getattr(ai.heights_mm, name, None),
        )
        for short, name in (("Ha", "anterior"), ("Hm", "middle"), ("Hp", "posterior"))
    }
    found = {
        "Level": Cell(v.level, _whoseLevel(v), v.levelChanged or v.added),
        "Grade": _gradeCell(v, why),
        "Shape": Cell(
            v.shape or MISSING,
            why.get("shape", "") or _was(ai.shape, v.shape != ai.shape),
            v.shape != ai.shape,
        ),
        "Loss": Cell(
            _percent(gradedLoss(v.height_loss, v.shape)),
            why.get("height_loss", "") or lossText(v),
            v.height_loss != ai.height_loss,
        ),
        **heights,
        "HU": Cell(
            MISSING if v.density_hu is None else f"{v.density_hu:.0f}",
            why.get("density_hu", ""),
            v.density_hu != ai.density_hu,
        ),
        "Conf.": _confidenceCell(v, why),
        "Flags": Cell(flagsText(v), "\n".join(flag.reason for flag in v.flags)),
    }
    return found | _rejectedCells(v) if v.rejected else found


def gradedLoss(loss: HeightLoss | None, shape: str | None) -> float | None:
    """Return the loss of the fracture's own shape; without a fracture the largest; a fraction."""
    if loss is None:
        return None
    named = {"wedge": loss.wedge, "biconcave": loss.biconcave, "crush": loss.crush}
    return named.get(shape or "", max(named.values()))


def lossText(vertebra: ReviewedVertebra) -> str:
    """All three losses in one line; empty if there are none."""
    loss = vertebra.height_loss
    if loss is None:
        return ""
    named = (("wedge", loss.wedge), ("biconcave", loss.biconcave), ("crush", loss.crush))
    return ", ".join(f"{name} {_percent(value)}" for name, value in named)


def flagsText(vertebra: ReviewedVertebra) -> str:
    """How many flags there are, and which, in few words; empty without any."""
    codes = dict.fromkeys(flag.code for flag in vertebra.flags)
    if not codes:
        return ""
    return f"\N{WARNING SIGN} {len(codes)}: " + ", ".join(map(flag_name, codes))


def _rejectedCells(v: ReviewedVertebra) -> dict[str, Cell]:
    """Cells that say, beside being struck through, that the row is no vertebra."""
    why = f"{REJECTED_NAME.capitalize()}, says the reader"
    return {
        "Level": Cell(v.level, why),
        "Grade": Cell(MISSING, why),
        "Flags": Cell("rejected", why),
    }


def _gradeCell(v: ReviewedVertebra, why: dict[str, str]) -> Cell:
    style = gradeStyle(v.grade)
    text = f"{style.symbol} G{v.grade}" if v.grade is not None else style.symbol
    lines = [grade_label(v.current), why.get("grade", "")]
    if v.grade is not None:
        lines[0] += f" ({style.meaning})"
    if v.grade_probabilities is not None:
        shares = (f"G{g} {_percent(p)}" for g, p in enumerate(v.grade_probabilities))
        lines.append("Probabilities: " + ", ".join(shares))
    if v.gradeChanged:
        lines.append("AI: " + grade_label(v.ai))
    if v.reason:
        lines.append(f"Reason: {v.reason}")
    return Cell(
        text + ("?" if v.borderline else ""), "\n".join(line for line in lines if line),
        v.gradeChanged,
    )  # fmt: skip


def _whoseLevel(v: ReviewedVertebra) -> str:
    if v.added:
        return "Missed by the AI; added by the reader"
    return _was(v.ai.level, v.levelChanged)


def _confidenceCell(v: ReviewedVertebra, why: dict[str, str]) -> Cell:
    if v.level_probability is None:
        return Cell(MISSING, why["level_probability"])
    toolTip = f"Probability that this is {v.level}"
    if v.runner_up_level:
        toolTip += f"; otherwise it would be {v.runner_up_level}"
        if v.runner_up_probability is not None:
            toolTip += f" ({_percent(v.runner_up_probability)})"
    return Cell(f"{probability_percent(v.level_probability)}%", toolTip)


def _was(value: str | None, changed: bool) -> str:
    return f"AI: {value or MISSING}" if changed else ""


def _millimetres(value: float | None) -> str:
    return MISSING if value is None else f"{value:.1f}"


def _percent(fraction: float | None) -> str:
    # Readers agree to within 12 %: no decimals.
    return MISSING if fraction is None else f"{100 * fraction:.0f}%".replace("-0%", "0%")
