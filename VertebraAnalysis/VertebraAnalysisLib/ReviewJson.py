"""A review as JSON: the analysis unchanged, and what the reader did beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from vertebra_core.analysis import HeightLine, Manifest, SpineAnalysis, Vertebra
from vertebra_core.analysis_json import analysis_from_dict, analysis_to_dict
from vertebra_core.errors import InputError
from vertebra_core.levels import MOBILE_LEVELS

from .Change import Change
from .HeightEditing import checkedLines
from .ReaderValues import GradeOverride, ReaderValues, checkedOverride
from .SegmentShape import SegmentShape
from .UserError import UserError

REVIEW_VERSION = "2.0"
"""A later minor version only adds keys. 2 is that of reviews in which vertebrae were added, which
earlier programs do not understand."""

_VERSION_WITHOUT_ADDED = "1.2"

_LEVELS = frozenset(level.name for level in MOBILE_LEVELS)


def readerValuesToDict(values: ReaderValues) -> dict[str, Any]:
    """Return a reader's values as plain dictionaries and lists; what is not set is left out."""
    content: dict[str, Any] = {}
    if values.level is not None:
        content["level"] = values.level
    if values.override is not None:
        content["override"] = asdict(values.override)
    if values.heightLines:
        content["height_lines"] = {
            name: {"top_lps_mm": list(line.top_lps_mm), "bottom_lps_mm": list(line.bottom_lps_mm)}
            for name, line in values.heightLines.items()
        }
    if values.measurement is not None:
        content["measurement"] = _vertebraToDict(values.measurement)
    if values.measuredLevels:
        content["measured_levels"] = list(values.measuredLevels)
    if values.reviewed:
        content["reviewed"] = True
    if values.rejected:
        content["rejected"] = True
    if values.added is not None:
        content["added"] = _vertebraToDict(values.added)
    return content


def readerValuesFromDict(content: dict[str, Any]) -> ReaderValues:
    """Rebuild a reader's values; errors are those of missing or wrong entries."""
    level, override = content.get("level"), content.get("override")
    measurement, added = content.get("measurement"), content.get("added")
    if level is not None and level not in _LEVELS:
        raise ValueError(f"there is no level {level}")
    lines = {
        name: HeightLine(_point(line["top_lps_mm"]), _point(line["bottom_lps_mm"]))
        for name, line in content.get("height_lines", {}).items()
    }
    return ReaderValues(
        level=level,
        override=None if override is None else _override(override),
        heightLines=checkedLines(lines),
        measurement=vertebraFromDict(measurement) if measurement is not None else None,
        measuredLevels=tuple(str(name) for name in content.get("measured_levels", ())),
        reviewed=bool(content.get("reviewed", False)),
        rejected=bool(content.get("rejected", False)),
        added=vertebraFromDict(added) if added is not None else None,
    )


def vertebraFromDict(content: dict[str, Any]) -> Vertebra:
    """Rebuild one vertebra from its entry in an analysis JSON.

    Raises
    ------
    InputError
        If it is none.
    """
    manifest = asdict(_NO_MANIFEST)
    analysis = {"schema_version": "1.0", "vertebrae": [content], "manifest": manifest}
    return analysis_from_dict({**analysis, "warnings": []}).vertebrae[0]


def keptVertebra(vertebra: Vertebra) -> Vertebra:
    """Return `vertebra` with the decimals that JSON keeps, so that it comes back equal."""
    return vertebraFromDict(_vertebraToDict(vertebra))


def reviewToDict(values: dict[str, ReaderValues], changes: tuple[Change, ...]) -> dict[str, Any]:
    """Return the entry ``review`` of the JSON."""
    vertebrae = {key: readerValuesToDict(own) for key, own in values.items()}
    withAdded = any(change.action == "added" for change in changes)
    return {
        "version": REVIEW_VERSION if withAdded else _VERSION_WITHOUT_ADDED,
        "changes": [asdict(change) for change in changes],
        "vertebrae": {key: own for key, own in vertebrae.items() if own},
    }


def reviewFromDict(
    content: dict[str, Any], keys: tuple[str, ...]
) -> tuple[dict[str, ReaderValues], tuple[Change, ...]]:
    """Rebuild a reader's values by key, and the changes.

    Parameters
    ----------
    content : dict
        The entry ``review``.
    keys : tuple of str
        Of the vertebrae of the analysis.

    Raises
    ------
    UserError
        If it is no review of such an analysis, or a newer version wrote it.
    """
    try:
        newer = _major(content["version"]) > _major(REVIEW_VERSION)
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(error) from error
    if newer:
        raise UserError(
            f"The review has version {content['version']}; this program reads up to "
            f"{REVIEW_VERSION}.",
            "Update VertebraAnalysis to open it.",
        )
    try:
        values = {key: readerValuesFromDict(own) for key, own in content["vertebrae"].items()}
        names = [f.name for f in fields(Change)]
        changes = tuple(
            Change(**{name: own[name] for name in names if name in own})
            for own in content["changes"]
        )
        for change in changes:
            readerValuesFromDict(change.restore)
            if change.body:
                SegmentShape.fromDict(change.body)
    except (KeyError, TypeError, ValueError, AttributeError, InputError, UserError) as error:
        raise _unreadable(error) from error
    added = {key for key, own in values.items() if own.added is not None}
    # What was added and taken back again is only spoken of.
    once = {change.key for change in changes if change.action == "added"}
    strangers = ({*values} - {*keys} - added) | ({c.key for c in changes} - {*keys} - added - once)
    if strangers or added & {*keys}:
        raise _unreadable(f"it speaks of {', '.join(sorted(strangers | added & {*keys}))}")
    return values, changes


def parsedJson(text: str) -> tuple[SpineAnalysis, dict[str, Any]]:
    """Parse an analysis with or without a review.

    Returns
    -------
    analysis : SpineAnalysis
    content : dict
        All of the JSON.

    Raises
    ------
    UserError
        If it is no analysis, or one of a level that is not between C1 and L6.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UserError(
            "The results cannot be read: they are no JSON.", "Analyze the CT again."
        ) from error
    try:
        analysis = analysis_from_dict(content)
    except InputError as error:
        # The core's own hint is for who names a file.
        damaged = error.code == "not_an_analysis"
        hint = "Analyze the CT again." if damaged else error.hint
        raise UserError(error.message, hint) from error
    strangers = [v.level for v in analysis.vertebrae if v.level not in _LEVELS]
    if strangers:
        raise UserError(
            f"The results name {', '.join(strangers)}, which can be no vertebra of a review.",
            "Analyze the CT again.",
        )
    return analysis, content


def _major(version: str) -> int:
    return int(str(version).partition(".")[0])


def _unreadable(why: object) -> UserError:
    return UserError(
        f"The review kept with the results cannot be read ({why}).", "Analyze the CT again."
    )


def _override(content: dict[str, Any]) -> GradeOverride:
    return checkedOverride(content["grade"], content["shape"], content["reason"])


def _vertebraToDict(vertebra: Vertebra) -> dict[str, Any]:
    return analysis_to_dict(SpineAnalysis((vertebra,), _NO_MANIFEST))["vertebrae"][0]


def _point(values: list[float]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z


_NO_MANIFEST = Manifest("", {}, "", {}, (0, 0, 0), (0.0,) * 3, (0.0,) * 3, (0.0,) * 9)
"""One vertebra is read and written as an analysis of its own, which needs one."""
