"""``vertebrae.mrk.json``: a point per vertebra, as 3D Slicer reads it (markups schema 1.0.3)."""

from __future__ import annotations

import json
from typing import Any

from ..analysis import SpineAnalysis, Vertebra
from ..flagging import probability_percent
from .grade_names import grade_label
from .unquoted import unquoted

SCHEMA_URL = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/"
    "Schema/markups-schema-v1.0.3.json#"
)
_IDENTITY = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
_COLOR = [0.85, 0.37, 0.01]
_SELECTED_COLOR = [1.0, 0.75, 0.2]


def analysis_to_markups(analysis: SpineAnalysis) -> str:
    """Return a fiducial list with a control point at every body centre, LPS mm, as JSON text."""
    content = {
        "@schema": SCHEMA_URL,
        "markups": [
            {
                "type": "Fiducial",
                "name": "Vertebrae",
                "coordinateSystem": "LPS",
                "coordinateUnits": "mm",
                "locked": True,
                "fixedNumberOfControlPoints": False,
                "labelFormat": "%N",
                "lastUsedControlPointNumber": len(analysis.vertebrae),
                "controlPoints": [
                    _control_point(i, v) for i, v in enumerate(analysis.vertebrae, 1)
                ],
                "display": {
                    "visibility": True,
                    "color": _COLOR,
                    "selectedColor": _SELECTED_COLOR,
                    "propertiesLabelVisibility": True,
                    "pointLabelsVisibility": True,
                    "textScale": 2.5,
                    "glyphType": "Sphere3D",
                    "glyphScale": 1.5,
                    "useGlyphScale": True,
                    "sliceProjection": False,
                },
            }
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def point_label(vertebra: Vertebra) -> str:
    """Return the label of a vertebra's point, such as ``"L1  G2 wedge"``."""
    return f"{vertebra.level}  {grade_label(vertebra)}"


def point_description(
    vertebra: Vertebra, ai: Vertebra | None = None, overridden: bool = False, added: bool = False
) -> str:
    """Return heights, density, who named and graded, and flags as one line.

    Parameters
    ----------
    vertebra : Vertebra
    ai : Vertebra, optional
        What the analysis gave, where a reader may have given something else.
    overridden : bool
        The grade is the reader's own, even if it is that of the analysis.
    added : bool
        The reader found the vertebra, which the analysis had missed.
    """
    ai = ai or vertebra
    parts = []
    if vertebra.heights_mm is not None:
        h = vertebra.heights_mm
        parts.append(f"Ha {h.anterior:.1f}, Hm {h.middle:.1f}, Hp {h.posterior:.1f} mm")
    if vertebra.density_hu is not None:
        parts.append(f"{vertebra.density_hu:.0f} HU")
    probability = vertebra.level_probability
    if added:
        parts.append("added by reader")
    elif vertebra.level != ai.level:
        parts.append(f"level by reader, {ai.level} by AI")
    elif probability is None:
        parts.append("level given")
    else:
        parts.append(f"level {probability_percent(probability)} %")
    if overridden or (vertebra.grade, vertebra.shape) != (ai.grade, ai.shape):
        parts.append(f"{grade_label(ai)} by AI")
    parts += [flag.reason for flag in vertebra.flags]
    return unquoted("; ".join(parts))


def _control_point(number: int, vertebra: Vertebra) -> dict[str, Any]:
    return {
        "id": str(number),
        "label": point_label(vertebra),
        "description": point_description(vertebra),
        "associatedNodeID": "",
        "position": [round(float(c), 4) for c in vertebra.center_lps_mm],
        "orientation": _IDENTITY,
        "selected": bool(vertebra.grade),
        "locked": True,
        "visibility": True,
        "positionStatus": "defined",
    }
