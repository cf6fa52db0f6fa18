"""Why a vertebra lacks a figure: nothing is left empty without a reason."""

from __future__ import annotations

from .analysis import Manifest, Vertebra
from .labelling.assignment import LEAST_RUNNER_UP

_SHAPE_FLAGS = (
    "not_graded",
    "cut_by_field_of_view",
    "implausible_shape",
    "metal",
    "low_resolution",
    "touching_neighbour",
)
_DENSITY_FLAGS = ("metal", "cement")
_NO_HEIGHTS = "not_graded"
"""The flag that says why a body could not be measured."""

_UNMEASURED_FLAGS = ("cut_by_field_of_view", "implausible_shape", "low_resolution")
"""Explain a missing density only where heights are missing too."""

WITHOUT_CT = {"input": "segmentation"}
"""Option of the manifest where a segmentation was graded without a CT."""

_NO_CT = "No trabecular density: no CT was given."
_LITTLE_BONE = "No trabecular density: there is too little bone inside the body."
_NO_CT_OR_BONE = "No trabecular density: no CT was given, or too little bone is inside the body."

_NO_SECOND_LEVEL = (
    "No second level is stated: this one was given, or an older version wrote the file."
)
_NO_OTHER_LEVEL = f"No other level is more probable than {100 * LEAST_RUNNER_UP:g} %."

_REASONS: dict[str, tuple[tuple[str, ...], str]] = {
    "level_probability": ((), "The level was given, so nothing is said about how probable it is."),
    "runner_up_level": ((), _NO_SECOND_LEVEL),
    "runner_up_probability": ((), _NO_SECOND_LEVEL),
    "level_margin": ((), _NO_SECOND_LEVEL),
    "heights_mm": (_SHAPE_FLAGS, "The heights of the body could not be measured."),
    "height_loss": (_SHAPE_FLAGS, "There are no heights or no norm for this level to compare."),
    "grade": (_SHAPE_FLAGS, "Without height loss there is no grade."),
    "shape": (_SHAPE_FLAGS, "Without height loss there is no shape of a fracture."),
    "borderline": (_SHAPE_FLAGS, "Without height loss no threshold between grades is near or far."),
    "grade_probabilities": (_SHAPE_FLAGS, "Without a grade there are no probabilities of grades."),
    "density_hu": ((), _NO_CT_OR_BONE),
    "volume_ml": (("cut_by_field_of_view",), "There is no mask of the whole vertebra to measure."),
}
"""Figure -> flags that explain its absence, most telling first, and what to say without one."""


def missing_reasons(vertebra: Vertebra, manifest: Manifest | None = None) -> dict[str, str]:
    """Return, for every figure of `vertebra` that is None, one sentence saying why.

    A flag of the vertebra gives the reason where one fits.

    Parameters
    ----------
    vertebra : Vertebra
    manifest : Manifest, optional
        Of its analysis. Without it nothing tells whether there was a CT.
    """
    said = {flag.code: flag.reason for flag in reversed(vertebra.flags)}
    reasons = {
        name: next((said[code] for code in codes if code in said), otherwise)
        for name, (codes, otherwise) in _REASONS.items()
        if getattr(vertebra, name) is None
    }
    if vertebra.shape is None and vertebra.grade is not None:
        reasons["shape"] = "The grade was not taken from the heights, and no shape came with it."
    if "runner_up_level" in reasons and vertebra.runner_up_probability is not None:
        reasons["runner_up_level"] = _NO_OTHER_LEVEL
    if "density_hu" in reasons:
        reasons["density_hu"] = _why_no_density(vertebra, said, manifest)
    return reasons


def _why_no_density(vertebra: Vertebra, said: dict[str, str], manifest: Manifest | None) -> str:
    if manifest is not None and WITHOUT_CT.items() <= manifest.options.items():
        return _NO_CT
    if vertebra.heights_mm is None and _NO_HEIGHTS in said:
        return f"Density is read only in bodies whose heights are measured. {said[_NO_HEIGHTS]}"
    flags = _DENSITY_FLAGS if vertebra.heights_mm else (*_DENSITY_FLAGS, *_UNMEASURED_FLAGS)
    otherwise = _NO_CT_OR_BONE if manifest is None else _LITTLE_BONE
    return next((said[code] for code in flags if code in said), otherwise)
