"""`SpineAnalysis` as JSON: the file that the panel, scripts and `evaluate` read.

Keys are the attribute names of `analysis`, so that a reader needs one description only. What could
not be measured is null, and ``not_measured`` beside it says why. Needs neither torch nor SimpleITK.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from .analysis import (
    SCHEMA_VERSION,
    Flag,
    HeightLine,
    HeightLoss,
    HeightReference,
    Heights,
    Manifest,
    SpineAnalysis,
    Vertebra,
)
from .errors import InputError
from .missing import missing_reasons

_DECIMALS = 6
"""A nanometre, a millionth of a probability: no figure here is known better."""

_LATER_KEYS = ("input_name", "series_uid", "created", "versions", "runner_up_probability")
"""Of the manifest and of vertebrae, which files of earlier versions lack."""


def analysis_to_dict(
    analysis: SpineAnalysis, network_levels: Sequence[str | None] | None = None
) -> dict[str, Any]:
    """Return `analysis` as plain dictionaries, lists, numbers and strings.

    Parameters
    ----------
    analysis : SpineAnalysis
    network_levels : sequence of str or None, optional
        Level of each vertebra before positional logic; stored as ``network_level``.
    """
    content = {
        "schema_version": analysis.schema_version,
        "vertebrae": [_plain(v) for v in analysis.vertebrae],
        "manifest": _plain(analysis.manifest),
        "warnings": list(analysis.warnings),
    }
    for entry, vertebra in zip(content["vertebrae"], analysis.vertebrae, strict=True):
        entry["level_margin"] = _plain(vertebra.level_margin)
        entry["not_measured"] = missing_reasons(vertebra, analysis.manifest)
    if network_levels is not None:
        for entry, level in zip(content["vertebrae"], network_levels, strict=True):
            entry["network_level"] = level
    return content


def analysis_to_json(
    analysis: SpineAnalysis, network_levels: Sequence[str | None] | None = None
) -> str:
    """Return `analysis` as JSON text; see `analysis_to_dict`."""
    content = analysis_to_dict(analysis, network_levels)
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def analysis_from_dict(content: dict[str, Any]) -> SpineAnalysis:
    """Rebuild an analysis.

    Parameters
    ----------
    content : dict
        As `analysis_to_dict` makes it; keys of later minor versions are passed over.

    Raises
    ------
    InputError
        ``not_an_analysis`` or ``newer_schema``.
    """
    _check_version(content)
    try:
        return SpineAnalysis(
            tuple(_vertebra(entry) for entry in content["vertebrae"]),
            _manifest(content["manifest"]),
            tuple(str(w) for w in content["warnings"]),
            content["schema_version"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _not_an_analysis(f"something is missing or of the wrong kind ({error})") from error


def analysis_from_json(text: str) -> SpineAnalysis:
    """Rebuild an analysis from JSON text; errors as in `analysis_from_dict`."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise _not_an_analysis("it is no JSON") from error
    return analysis_from_dict(content)


def read_analysis(path: Path | str) -> SpineAnalysis:
    """Read ``analysis.json``.

    Raises
    ------
    InputError
        ``not_found`` and those of `analysis_from_dict`.
    """
    try:
        text = Path(path).read_text("utf-8")
    except OSError as error:
        raise InputError(
            "not_found", f"{path} cannot be read.", "Give the analysis.json of a result."
        ) from error
    except UnicodeDecodeError as error:
        raise _not_an_analysis("it is no text") from error
    return analysis_from_json(text)


def _check_version(content: object) -> None:
    version = content.get("schema_version") if isinstance(content, dict) else None
    if not isinstance(version, str) or not version.partition(".")[0].isdigit():
        raise _not_an_analysis("it states no schema version")
    # A minor version only adds keys; a major one may change what keys mean.
    if int(version.partition(".")[0]) > int(SCHEMA_VERSION.partition(".")[0]):
        raise InputError(
            "newer_schema",
            f"The analysis has schema version {version}; this program reads up to "
            f"{SCHEMA_VERSION}.",
            "Update VertebraAnalysis to open it.",
        )


def _not_an_analysis(why: str) -> InputError:
    return InputError(
        "not_an_analysis", f"This is not an analysis: {why}.", "Give the analysis.json of a result."
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Flag):
        # Most flags are about no single place; readers need not meet empty keys.
        own = {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
        return {k: v for k, v in own.items() if v is not None}
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if hasattr(value, "item"):  # NumPy scalar
        value = value.item()
    if isinstance(value, float):
        return round(value, _DECIMALS) if math.isfinite(value) else None
    return value


def _vertebra(entry: dict[str, Any]) -> Vertebra:
    own = _known(Vertebra, entry)
    own["center_lps_mm"] = _point(own["center_lps_mm"])
    own["flags"] = tuple(_flag(f) for f in own["flags"])
    own["height_lines"] = {
        name: HeightLine(_point(line["top_lps_mm"]), _point(line["bottom_lps_mm"]))
        for name, line in own["height_lines"].items()
    }
    for name, kind in (
        ("heights_mm", Heights),
        ("heights_spread_mm", Heights),
        ("height_loss", HeightLoss),
        ("height_reference", HeightReference),
    ):
        own[name] = None if own[name] is None else _numbers(kind, own[name])
    if own["grade"] is None:
        # Files of earlier versions say False here.
        own["borderline"] = None
    if own["axes_lps"] is not None:
        own["axes_lps"] = tuple(_point(axis) for axis in own["axes_lps"])
    if own["grade_probabilities"] is not None:
        own["grade_probabilities"] = tuple(float(p) for p in own["grade_probabilities"])
    return Vertebra(**own)


def _flag(entry: dict[str, Any]) -> Flag:
    place = entry.get("position_lps_mm")
    return Flag(
        entry["code"],
        entry["reason"],
        None if place is None else _point(place),
        entry.get("confidence"),
    )


def _numbers(kind: type, entry: dict[str, Any]) -> Any:
    # A single number that could not be stated is null in the file and NaN in memory.
    own = {f.name: entry[f.name] for f in fields(kind)}
    return kind(**{name: math.nan if v is None else v for name, v in own.items()})


def _manifest(entry: dict[str, Any]) -> Manifest:
    own = _known(Manifest, entry)
    own["input_size_xyz"] = tuple(int(n) for n in own["input_size_xyz"])
    for name in ("input_spacing_xyz_mm", "input_origin_lps_mm", "input_direction"):
        own[name] = tuple(float(v) for v in own[name])
    return Manifest(**own)


def _known(kind: type, entry: dict[str, Any]) -> dict[str, Any]:
    """Values of the attributes of `kind`; later ones may be absent."""
    names = [f.name for f in fields(kind)]
    return {name: entry[name] for name in names if name in entry or name not in _LATER_KEYS}


def _point(values: Sequence[float]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z
