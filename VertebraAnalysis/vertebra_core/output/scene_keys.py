"""Names by which results are found again in a scene of 3D Slicer.

``scene.mrb`` of the command line and the nodes of the panel carry the same ones, so that either can
be reviewed. Needs nothing of 3D Slicer.
"""

from __future__ import annotations

ALGORITHM_NAME = "VertebraAnalysis"
"""What segments state as the program that made them."""

RESULT_SET_ATTRIBUTE = "VertebraAnalysis.ResultSet"
"""Attribute ``"1"`` of the text node of a result set, which refers to its other nodes."""

PLAIN_ATTRIBUTE = "VertebraAnalysis.Plain"
"""Attribute ``"1"`` of that text node while the set lacks what only the panel adds to it."""

KEY_ATTRIBUTE = "VertebraAnalysis.Key"
"""Attribute of a height line and tag of a segment: the key of its vertebra."""

KEYS_ATTRIBUTE = "VertebraAnalysis.Keys"
"""Attribute of the list of points: keys of its control points, in their order."""

HEIGHT_ATTRIBUTE = "VertebraAnalysis.Height"
"""Attribute of a height line: ``anterior``, ``middle`` or ``posterior``."""

INPUT_ROLE = "input"
"""The text node's reference to the CT."""

SINGLE_ROLES: tuple[str, ...] = ("segmentation", "bodies", "centers", "table")
"""Its references to the nodes that a result set has one of."""

HEIGHTS_ROLE = "heights"
"""Its references to height lines."""


def vertebra_keys(n_vertebrae: int) -> tuple[str, ...]:
    """Return the keys of the vertebrae of an analysis, head to foot: ``"v01"``, ``"v02"`` ..."""
    return tuple(f"v{number:02d}" for number in range(1, n_vertebrae + 1))


def segment_id(level: str) -> str:
    """Return the ID of the segment of a level, such as ``"vertebra_L1"``."""
    return f"vertebra_{level}"
