"""What a reader has set for one vertebra; everything else stays as the analysis gave it."""

from __future__ import annotations

from dataclasses import dataclass, field

from vertebra_core.analysis import HeightLine, Vertebra
from vertebra_core.grading.shape_names import FRACTURE_SHAPES

from .UserError import UserError


@dataclass(frozen=True)
class GradeOverride:
    """A grade that the reader gives whatever the heights say.

    Attributes
    ----------
    grade : int or None
        0-3; None: the vertebra cannot be graded.
    shape : str or None
        ``"normal"``, ``"wedge"``, ``"biconcave"`` or ``"crush"``; None without a grade.
    reason : str
        The reader's own words.
    """

    grade: int | None
    shape: str | None
    reason: str


@dataclass(frozen=True)
class ReaderValues:
    """A reader's values of one vertebra; the defaults mean "as analysed".

    Attributes
    ----------
    level : str or None
    override : GradeOverride or None
    heightLines : dict of str to HeightLine
        Those of ``anterior``, ``middle`` and ``posterior`` that the reader moved, LPS mm.
    measurement : Vertebra or None
        From measuring an edited segment again.
    measuredLevels : tuple of str
        Names that all vertebrae had then, in the order of their keys, in which its flags speak;
        empty for what was no vertebra. Without a measurement, unless it was added, or in files of
        earlier versions, there are none.
    reviewed : bool
    rejected : bool
        It is no vertebra.
    added : Vertebra or None
        As it was measured when the reader added it; None for what the analysis found.
    """

    level: str | None = None
    override: GradeOverride | None = None
    heightLines: dict[str, HeightLine] = field(default_factory=dict)
    measurement: Vertebra | None = None
    measuredLevels: tuple[str, ...] = ()
    reviewed: bool = False
    rejected: bool = False
    added: Vertebra | None = None


def checkedOverride(grade: int | None, shape: str | None, reason: str) -> GradeOverride:
    """Return an override with the shape that belongs to its grade.

    Raises
    ------
    UserError
        If the reason or the shape of a fracture is missing.
    """
    if grade not in (None, 0, 1, 2, 3):
        raise UserError(f"There is no grade {grade}.", "Choose a grade from 0 to 3, or none.")
    if grade and shape not in FRACTURE_SHAPES:
        raise UserError(
            f"A fracture of grade {grade} needs a shape.", f"Choose {', '.join(FRACTURE_SHAPES)}."
        )
    reason = " ".join(reason.split())
    if not reason:
        raise UserError("A changed grade needs a reason.", "Say why you changed it.")
    if grade is None:
        return GradeOverride(None, None, reason)
    return GradeOverride(int(grade), shape if grade else "normal", reason)
