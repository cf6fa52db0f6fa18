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

RESULT_FILES = ("analysis.json", "labels.nii.gz", "bodies.nii.gz")
"""What is scored of the files that `analyze` writes."""

NO_ANALYSIS, NOTHING_FOUND = "no analysis: ", "nothing found: "
"""Begin the notes on scans that were refused: for any reason, and as no vertebra was found."""

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
    return Prediction((), empty, empty, notes=(f"{NO_ANALYSIS}{reason}",))


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
        If ``analysis.json`` is missing or holds something else, or is of another scan.
    """
    analysis, labels, bodies = (Path(folder) / name for name in RESULT_FILES)
    path = analysis
    try:
        content = json.loads(path.read_text())
        found = tuple(_found_from_json(entry) for entry in content["vertebrae"])
        manifest = content.get("manifest", {})
        seconds = manifest.get("seconds_per_stage", {})
        of_this = _is_of(manifest, ct)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "no_result", f"{path} is not the result of an analysis.", "Run `analyze` first."
        ) from error
    if not of_this:
        raise InputError(
            "other_scan",
            f"{path} is the result of another scan.",
            "Analyse this scan, or name the folders of results as the cases.",
        )
    return Prediction(found, _read_labels(labels, ct), _read_labels(bodies, ct), seconds)


def _is_of(manifest: Mapping, ct: CtVolume) -> bool:
    """Tell whether an analysis can be of `ct`: whether its input filled the same box in space.

    The order and direction of axes do not matter, which other formats turn. Results that do not
    note their input may be of any scan.
    """
    keys = ("size_xyz", "spacing_xyz_mm", "origin_lps_mm", "direction")
    size, spacing, origin, direction = (manifest.get(f"input_{key}") for key in keys)
    if not (size and spacing and origin and direction):
        return True
    # Only its grid counts, so that no voxels are made.
    hu = np.broadcast_to(np.int16(0), tuple(int(n) for n in size[::-1]))
    noted = CtVolume(hu, tuple(spacing), tuple(origin), tuple(direction)).corners_lps_mm()
    own = ct.corners_lps_mm()
    apart = np.abs([noted.min(0) - own.min(0), noted.max(0) - own.max(0)]).max()
    return bool(apart <= max(*spacing, *ct.spacing_xyz_mm))


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
    for stated in (entry.get("level_probability"), *(probabilities or ())):
        if stated is not None and not 0 <= stated <= 1 + 1e-6:
            raise ValueError("a probability lies between 0 and 1")
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
