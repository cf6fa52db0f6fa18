"""What positional logic is told beside its detections, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from ..levels import Level

LEAST_RUNNER_UP = 0.001
"""A level less probable than this comes into no question. A choice, far below what calibration can
tell apart."""


@dataclass(frozen=True)
class Anchor:
    """Evidence about one detection that comes from elsewhere in the image.

    Attributes
    ----------
    detection : int
        Index into the positions.
    levels : tuple of str
        Levels that the evidence speaks for, such as L5 and L6 right above the sacrum.
    log_odds : float
        How strongly, in nats.
    reason : str
    """

    detection: int
    levels: tuple[str, ...]
    log_odds: float = 3.0
    reason: str = ""


@dataclass(frozen=True)
class LabelledDetection:
    """What became of one detection.

    Attributes
    ----------
    level : Level or None
        None if it is taken to be no vertebra, or the sacrum.
    probability : float
        Of that level (or of being spurious), over all labellings of the scan.
    runner_up : Level or None
        The most probable other level; None if it is less probable than `LEAST_RUNNER_UP`.
    runner_up_probability : float
        Of the most probable other level, also where that is not named. It may exceed `probability`:
        the best labelling of a row need not hold the most probable level of each.
    no_vertebra_probability : float
        Of being spurious or the sacrum.
    """

    level: Level | None
    probability: float
    runner_up: Level | None
    runner_up_probability: float
    no_vertebra_probability: float = 0.0

    @property
    def margin(self) -> float:
        """Probability of the level less that of the runner-up, -1 to 1."""
        return self.probability - self.runner_up_probability


@dataclass(frozen=True)
class MissedVertebra:
    """A vertebra that must lie in a gap between two detections.

    Attributes
    ----------
    level : Level
    position_lps_mm : tuple of float
        Where to look for it: interpolated, LPS mm.
    upper, lower : int
        The detections above and below it.
    """

    level: Level
    position_lps_mm: tuple[float, float, float]
    upper: int
    lower: int


@dataclass(frozen=True)
class LevelAssignment:
    """The labelling of a scan.

    Attributes
    ----------
    detections : tuple of LabelledDetection
        In the order of the positions handed in.
    missed : tuple of MissedVertebra
        Head to foot.
    unusual : tuple of str
        Of ``"absent T12"``, ``"T13"`` and ``"L6"``, those found.
    scale : float
        Size of the patient's spine; 1 is average.
    alternative : tuple of Level or None
        The best labelling that names the detection in doubt differently.
    """

    detections: tuple[LabelledDetection, ...]
    missed: tuple[MissedVertebra, ...]
    unusual: tuple[str, ...]
    scale: float
    alternative: tuple[Level | None, ...]

    @property
    def levels(self) -> tuple[Level | None, ...]:
        """The level of each detection, None for spurious ones."""
        return tuple(d.level for d in self.detections)
