"""Every code that a flag may carry, and its name in a table: one list, used by all."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FLAG_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "cut_by_field_of_view": "cut off",
        "touching_neighbour": "touches neighbour",
        "metal": "metal",
        "low_resolution": "thick slices",
        "low_level_margin": "level unsure",
        "not_graded": "not graded",
        "borderline": "borderline",
        "grade_disagreement": "opinions differ",
        "no_height_reference": "no neighbour",
        "possibly_missed_neighbour": "neighbour missed?",
        "implausible_shape": "odd shape",
        "cement": "cement",
        "contrast_enhanced": "contrast",
        "lesion_candidate": "lesion?",
    }
)
"""Code -> name in a table; ``docs/analysis.md`` says when each is raised."""


def flag_name(code: str) -> str:
    """Return the name of a code; of one that a later version raised, the code itself in words."""
    return FLAG_NAMES.get(code, code.replace("_", " "))
