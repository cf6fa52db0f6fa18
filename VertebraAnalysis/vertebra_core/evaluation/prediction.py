"""What an analysis predicted for one case: taken from memory, or from the files it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from ..analysis import Heights, SpineAnalysis, Vertebra
from ..errors import InputError
from ..reading import read_label_map
from ..volume import CtVolume, resample_labels, same_grid
from .records import FoundVertebra, Point

HEIGHT_KEYS = ("anterior", "middle", "posterior")


@dataclass(frozen=True)
class Prediction:
    """What is scored.

    Attributes
    ----------
    found : tuple of FoundVertebra
    labels, bodies : ndarray of uint8, shape (z, y, x), or None
        Label maps in the geometry of the CT, VerSe numbers.
    seconds_per_stage : mapping
    centres_by_localiser : mapping
        Centres of other localisers, LPS mm, for comparisons.
    notes : tuple of str
    """

    found: tuple[FoundVertebra, ...]
    labels: np.ndarray | None = None
    bodies: np.ndarray | None = None
    seconds_per_stage: Mapping[str, float] = field(default_factory=dict)
    centres_by_localiser: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


Predict = Callable[[str, CtVolume], Prediction]
"""Predicts a case from its name and CT."""


class HasAnalysis(Protocol):
    """What `pipeline.analyze` returns."""

    analysis: SpineAnalysis
    labels: np.ndarray
    bodies: np.ndarray


def from_result(result: HasAnalysis) -> Prediction:
    """Take what is scored from the result of `pipeline.analyze`.

    Where the result states ``network_levels`` (the levels before positional logic, one for each
    vertebra), they are taken too.
    """
    vertebrae = result.analysis.vertebrae
    network_levels = getattr(result, "network_levels", None) or (None,) * len(vertebrae)
    return Prediction(
        tuple(
            _found(vertebra, level)
            for vertebra, level in zip(vertebrae, network_levels, strict=True)
        ),
        result.labels,
        result.bodies,
        dict(result.analysis.manifest.seconds_per_stage),
    )


def failed(reason: str, shape: tuple[int, int, int]) -> Prediction:
    """Return the prediction of an analysis that ended without a result: nothing found."""
    empty = np.zeros(shape, np.uint8)
    return Prediction((), empty, empty, notes=(f"no analysis: {reason}",))


def read_result(folder: Path, ct: CtVolume) -> Prediction:
    """Read what `analyze` wrote to `folder`.

    Parameters
    ----------
    folder : Path
        Holds ``analysis.json`` and, if masks are to be scored, ``labels.nii.gz`` and
        ``bodies.nii.gz``.
    ct : CtVolume
        The CT that was analysed.

    Raises
    ------
    InputError
        If ``analysis.json`` is missing or holds something else.
    """
    path = Path(folder) / "analysis.json"
    try:
        content = json.loads(path.read_text())
        found = tuple(_found_from_json(entry) for entry in content["vertebrae"])
        seconds = content.get("manifest", {}).get("seconds_per_stage", {})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "no_result", f"{path} is not the result of an analysis.", "Run `analyze` first."
        ) from error
    return Prediction(
        found,
        _read_labels(Path(folder) / "labels.nii.gz", ct),
        _read_labels(Path(folder) / "bodies.nii.gz", ct),
        seconds,
    )


def _read_labels(path: Path, ct: CtVolume) -> np.ndarray | None:
    if not path.exists():
        return None
    volume = read_label_map(path)
    if not same_grid(volume, ct):
        volume = resample_labels(volume, ct)
    return volume.labels.astype(np.uint8)


def _found(vertebra: Vertebra, network_level: str | None) -> FoundVertebra:
    return FoundVertebra(
        level=vertebra.level,
        center_lps_mm=tuple(float(c) for c in vertebra.center_lps_mm),
        level_probability=vertebra.level_probability,
        network_level=network_level,
        grade=vertebra.grade,
        shape=vertebra.shape,
        grade_probabilities=vertebra.grade_probabilities,
        heights_mm=_heights(vertebra.heights_mm),
        flags=tuple(flag.code for flag in vertebra.flags),
    )


def _heights(heights: Heights | None) -> Point | None:
    return (heights.anterior, heights.middle, heights.posterior) if heights else None


def _found_from_json(entry: dict) -> FoundVertebra:
    probabilities, heights = entry.get("grade_probabilities"), entry.get("heights_mm")
    return FoundVertebra(
        level=entry["level"],
        center_lps_mm=tuple(float(c) for c in entry["center_lps_mm"]),
        level_probability=entry.get("level_probability"),
        network_level=entry.get("network_level"),
        grade=entry.get("grade"),
        shape=entry.get("shape"),
        grade_probabilities=tuple(probabilities) if probabilities else None,
        heights_mm=tuple(heights[k] for k in HEIGHT_KEYS) if heights else None,
        flags=tuple(flag["code"] for flag in entry.get("flags", ())),
    )
