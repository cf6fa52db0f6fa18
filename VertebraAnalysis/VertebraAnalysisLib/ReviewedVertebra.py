"""One vertebra as it stands in a review: what the analysis said and what holds now."""

from __future__ import annotations

from dataclasses import dataclass

from vertebra_core.analysis import Flag, HeightLine, HeightLoss, Heights, Vertebra

REJECTED_NAME = "not a vertebra"
"""What is called so where others bear their level."""


@dataclass(frozen=True)
class ReviewedVertebra:
    """A vertebra under review. Attributes named as in `Vertebra` are those of `current`.

    Attributes
    ----------
    key : str
        ``"v01"`` for the uppermost, and so on; never changes.
    ai : Vertebra
        As the analysis gave it.
    current : Vertebra
        The reader's values where there are some, otherwise those of `ai`.
    computedGrade, computedShape : int or None, str or None
        What heights and level say now, whatever the reader's own grade is.
    reviewed : bool
    gradeOverridden : bool
        The reader gave a grade or shape.
    heightsChanged : bool
        The reader moved height lines.
    remeasured : bool
        An edited segment was measured again.
    reason : str
        Why the reader overrode the grade; empty otherwise.
    rejected : bool
        The reader says that it is no vertebra: it counts nowhere, and `level` is the one it had.
    added : bool
        The analysis missed it: the reader said where it is and named it. `ai` is then as it was
        measured there, under the name that it got.
    """

    key: str
    ai: Vertebra
    current: Vertebra
    computedGrade: int | None = None
    computedShape: str | None = None
    reviewed: bool = False
    gradeOverridden: bool = False
    heightsChanged: bool = False
    remeasured: bool = False
    reason: str = ""
    rejected: bool = False
    added: bool = False

    @property
    def aiLevel(self) -> str:
        """The level that the analysis gave; empty if it missed the vertebra."""
        return "" if self.added else self.ai.level

    @property
    def levelChanged(self) -> bool:
        """The reader gave another level than the first one."""
        return self.current.level != self.ai.level

    @property
    def gradeChanged(self) -> bool:
        """Grade or shape differ from the analysis, overridden or computed again."""
        now = self.current.grade, self.current.shape
        return self.gradeOverridden or now != (self.ai.grade, self.ai.shape)

    @property
    def changed(self) -> bool:
        """The reader changed anything but whether it is reviewed."""
        corrected = self.levelChanged or self.gradeChanged or self.heightsChanged
        return corrected or self.remeasured or self.rejected or self.added

    @property
    def fractured(self) -> bool:
        """It is a vertebra of grade 1 or more."""
        return bool(self.grade) and not self.rejected

    @property
    def title(self) -> str:
        """Its level, or that it is no vertebra."""
        return REJECTED_NAME if self.rejected else self.level

    @property
    def level(self) -> str:
        return self.current.level

    @property
    def level_probability(self) -> float | None:
        """Probability of `level`; 1 where the reader set it, None where a segmentation gave it."""
        return self.current.level_probability

    @property
    def runner_up_level(self) -> str | None:
        return self.current.runner_up_level

    @property
    def runner_up_probability(self) -> float | None:
        """None where the level was given, and in analyses of earlier versions."""
        return self.current.runner_up_probability

    @property
    def center_lps_mm(self) -> tuple[float, float, float]:
        return self.current.center_lps_mm

    @property
    def axes_lps(self) -> tuple[tuple[float, float, float], ...] | None:
        return self.current.axes_lps

    @property
    def grade(self) -> int | None:
        return self.current.grade

    @property
    def shape(self) -> str | None:
        return self.current.shape

    @property
    def grade_probabilities(self) -> tuple[float, float, float, float] | None:
        """Of what was computed; None where the reader overrode the grade."""
        return self.current.grade_probabilities

    @property
    def borderline(self) -> bool | None:
        return self.current.borderline

    @property
    def heights_mm(self) -> Heights | None:
        return self.current.heights_mm

    @property
    def height_lines(self) -> dict[str, HeightLine]:
        return self.current.height_lines

    @property
    def height_loss(self) -> HeightLoss | None:
        return self.current.height_loss

    @property
    def density_hu(self) -> float | None:
        return self.current.density_hu

    @property
    def volume_ml(self) -> float | None:
        return self.current.volume_ml

    @property
    def flags(self) -> tuple[Flag, ...]:
        return self.current.flags
