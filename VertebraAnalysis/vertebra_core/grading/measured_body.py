"""The heights of a body together with its name, as they are graded."""

from __future__ import annotations

from dataclasses import dataclass

from ..analysis import Heights


@dataclass(frozen=True)
class MeasuredBody:
    """Heights of one named body.

    Attributes
    ----------
    level : str
    heights_mm, spread_mm : Heights
    voxel_mm : float
        Coarsest voxel size of the scan; surfaces are known to about a tenth of it.
    """

    level: str
    heights_mm: Heights
    spread_mm: Heights
    voxel_mm: float = 1.0
