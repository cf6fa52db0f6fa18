"""How a Genant grade looks: a colour that colour-blind readers can tell, always with its text.

The colours follow the palette of Okabe and Ito [1]_, spread a little wider, in the order of
growing severity.

References
----------
.. [1] Okabe, Ito, "Color Universal Design: how to make figures and presentations that are
   friendly to colorblind people", J*FLY Data Depository for Drosophila researchers (2008).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GradeStyle:
    """The looks of one grade.

    Attributes
    ----------
    grade : int or None
        Genant grade 0-3; None where a vertebra is not graded.
    text : str
        ``"G2"``, or ``"not graded"``.
    meaning : str
        What the grade is called.
    symbol : str
        One character that fills up with the grade: it tells grades apart without colour.
    color : tuple of int
        Background or glyph, RGB 0-255.
    textColor : tuple of int
        Text on that background, RGB 0-255.
    """

    grade: int | None
    text: str
    meaning: str
    symbol: str
    color: tuple[int, int, int]
    textColor: tuple[int, int, int]

    @property
    def color01(self) -> tuple[float, float, float]:
        """The colour with components from 0 to 1, as VTK takes it."""
        r, g, b = self.color
        return r / 255, g / 255, b / 255


_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)

GRADE_STYLES: dict[int | None, GradeStyle] = {
    style.grade: style
    for style in (
        GradeStyle(None, "not graded", "not graded", "\u2013", (190, 190, 190), _BLACK),
        GradeStyle(0, "G0", "no fracture", "\u25cb", (86, 180, 233), _BLACK),
        GradeStyle(1, "G1", "mild fracture", "\u25d4", (250, 235, 110), _BLACK),
        GradeStyle(2, "G2", "moderate fracture", "\u25d1", (226, 132, 0), _BLACK),
        GradeStyle(3, "G3", "severe fracture", "\u25cf", (178, 45, 0), _WHITE),
    )
}
"""Grade (or None) -> its looks."""

GRADE_COLORS: dict[int | None, tuple[int, int, int]] = {
    grade: style.color for grade, style in GRADE_STYLES.items()
}
"""Grade (or None) -> RGB 0-255."""


def gradeStyle(grade: int | None) -> GradeStyle:
    """Return the looks of `grade`; of "not graded" for anything that is no grade."""
    return GRADE_STYLES.get(grade, GRADE_STYLES[None])
