"""The result of an analysis: frozen dataclasses at the border between the core and its users."""

from __future__ import annotations

from dataclasses import dataclass, field

SCHEMA_VERSION = "1.0"


@dataclass(frozen=True)
class Flag:
    """Something the reader should know about one vertebra.

    Attributes
    ----------
    code : str
        Stable identifier, one of `flag_names.FLAG_NAMES`.
    reason : str
        One plain sentence.
    position_lps_mm : tuple of float or None
        Where it is, if it is about one place: LPS mm [x, y, z].
    confidence : float or None
        0-1, where it is the opinion of a network.
    """

    code: str
    reason: str
    position_lps_mm: tuple[float, float, float] | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Heights:
    """Anterior, middle and posterior height of a vertebral body in mm."""

    anterior: float
    middle: float
    posterior: float


@dataclass(frozen=True)
class HeightLoss:
    """Height loss per Genant shape, as fractions, e.g. 0.25; negative if above the norm."""

    wedge: float
    biconcave: float
    crush: float


@dataclass(frozen=True)
class HeightReference:
    """What each height loss was taken against.

    Attributes
    ----------
    wedge, biconcave : float
        Ratio Ha/Hp and Hm/Hp expected of an unfractured body of this level.
    crush_mm : float
        Posterior height expected, mm.
    source : str
        Where `crush_mm` comes from: ``"neighbours"`` or ``"level norm"``.
    """

    wedge: float
    biconcave: float
    crush_mm: float
    source: str


@dataclass(frozen=True)
class HeightLine:
    """A height drawn in the image: its two ends, LPS mm [x, y, z]."""

    top_lps_mm: tuple[float, float, float]
    bottom_lps_mm: tuple[float, float, float]


@dataclass(frozen=True)
class Vertebra:
    """One analysed vertebra. What could not be measured is None, with a flag giving the reason.

    Attributes
    ----------
    level : str
        ``"C1"`` ... ``"L6"``.
    level_probability : float or None
        Posterior probability of `level` after positional logic; None where the level was given.
    runner_up_level : str or None
        Second most probable level; None where every other is less probable than 0.1 %.
    center_lps_mm : tuple of float
        Centre of the vertebral body, LPS mm [x, y, z].
    axes_lps : tuple of tuple of float or None
        Unit axes of the body in LPS: right-to-left, front-to-back, foot-to-head.
    heights_mm, heights_spread_mm : Heights or None
        Robust mean and spread (1.4826 MAD) over the measured sagittal slices, mm.
    height_lines : dict
        ``anterior``, ``middle``, ``posterior`` -> `HeightLine`, mid-sagittal.
    height_loss : HeightLoss or None
    height_reference : HeightReference or None
    grade : int or None
        Genant grade 0-3.
    shape : str or None
        ``"normal"``, ``"wedge"``, ``"biconcave"`` or ``"crush"``.
    grade_probabilities : tuple of float or None
        Probabilities of grades 0-3, morphometry and learned head combined.
    morphometric_grade, learned_grade : int or None
        The two opinions behind `grade`.
    borderline : bool or None
        True when a height loss lies within the measurement error of a Genant threshold; None where
        there is no grade.
    density_hu : float or None
        Mean trabecular density, HU.
    volume_ml : float or None
        Volume of the whole vertebra, ml.
    runner_up_probability : float or None
        Of the second most probable level, also where that is too improbable to be named; None where
        the level was given, and in files of earlier versions.
    flags : tuple of Flag
    """

    level: str
    level_probability: float | None
    runner_up_level: str | None
    center_lps_mm: tuple[float, float, float]
    axes_lps: tuple[tuple[float, float, float], ...] | None = None
    heights_mm: Heights | None = None
    heights_spread_mm: Heights | None = None
    height_lines: dict[str, HeightLine] = field(default_factory=dict)
    height_loss: HeightLoss | None = None
    height_reference: HeightReference | None = None
    grade: int | None = None
    shape: str | None = None
    grade_probabilities: tuple[float, float, float, float] | None = None
    morphometric_grade: int | None = None
    learned_grade: int | None = None
    borderline: bool | None = None
    density_hu: float | None = None
    volume_ml: float | None = None
    runner_up_probability: float | None = None
    flags: tuple[Flag, ...] = ()

    @property
    def level_margin(self) -> float | None:
        """Probability of the level less that of the second most probable one, -1 to 1."""
        if self.level_probability is None or self.runner_up_probability is None:
            return None
        return self.level_probability - self.runner_up_probability


@dataclass(frozen=True)
class Manifest:
    """How an analysis came about.

    Attributes
    ----------
    core_version : str
    weights_sha256 : dict of str
        Name of a network -> sha256 of the weights file used.
    device : str
    seconds_per_stage : dict of float
    input_size_xyz : tuple of int
    input_spacing_xyz_mm, input_origin_lps_mm : tuple of float
    input_direction : tuple of float
        Row-major 3x3 direction cosines.
    options : dict
    input_name : str or None
        Name of the file, folder or volume that was analysed, without a path; None if unknown.
    series_uid : str or None
        Of the DICOM series that was analysed.
    created : str or None
        UTC, ISO 8601, to the second; None in files of earlier versions.
    versions : dict of str
        ``python``, ``vertebra_core`` and the libraries that computed -> version.
    """

    core_version: str
    weights_sha256: dict[str, str]
    device: str
    seconds_per_stage: dict[str, float]
    input_size_xyz: tuple[int, int, int]
    input_spacing_xyz_mm: tuple[float, float, float]
    input_origin_lps_mm: tuple[float, float, float]
    input_direction: tuple[float, ...]
    options: dict[str, str] = field(default_factory=dict)
    input_name: str | None = None
    series_uid: str | None = None
    created: str | None = None
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SpineAnalysis:
    """All vertebrae of one CT, head to foot, with the manifest and warnings about the scan."""

    vertebrae: tuple[Vertebra, ...]
    manifest: Manifest
    warnings: tuple[str, ...] = ()
    schema_version: str = SCHEMA_VERSION
