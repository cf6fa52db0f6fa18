"""Limits of a CT that can be analysed; `volume_checks` tells why they are what they are.

Imports nothing, so that the panel can ask before SimpleITK is loaded.
"""

from __future__ import annotations

MIN_SPACING_MM = 0.15
MAX_SPACING_MM = 6.0

COARSE_SPACING_MM = 3.01
"""Above it results are given with a warning."""

MIN_EXTENT_MM = 10.0
MIN_SLICES = 2
MAX_VOXELS = 2_000_000_000
