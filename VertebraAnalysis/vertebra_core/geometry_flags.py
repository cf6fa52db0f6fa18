"""Flags on vertebrae that follow from where the scan ends and how thick its slices are."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

import numpy as np

from .analysis import Flag
from .levels import Level, Region
from .stages import Candidate
from .volume import CtVolume, LabelVolume

THICK_SLICE_MM = 3.0
"""Above this spacing heights are flagged as coarse: 3 mm is half of a grade 2 loss of 25 mm."""

THIN_DISC_SLICE_MM = 2.5
"""From this distance of slices on, thoracic heights are flagged as coarse: discs of 2-3 mm hardly
show then. On the public chest, slices averaged to 2 mm change heights by 0.3 mm on average, slices
averaged to 3 mm by 1.6 mm."""


def geometry_flags(
    candidate: Candidate,
    level: Level,
    grid: CtVolume | LabelVolume,
    grid_name: str = "scan",
    label_maps: Sequence[LabelVolume] = (),
) -> tuple[Flag, ...]:
    """Return the flags of one vertebra that need no network's opinion.

    Parameters
    ----------
    candidate : Candidate
    level : Level
    grid : CtVolume or LabelVolume
        The scan, or the label map, in its own geometry.
    grid_name : str
        What the reasons call it.
    label_maps : sequence of LabelVolume
        Maps that masks were made from, in their own geometry: they may be coarser than the scan.
    """
    return (
        *_cut_flags(candidate, grid_name),
        *_resolution_flags(level, grid, label_maps),
    )


def _cut_flags(candidate: Candidate, grid_name: str) -> tuple[Flag, ...]:
    part = "body" if candidate.body_cut else "arch" if candidate.arch_cut else None
    if part is None:
        return ()
    return (Flag("cut_by_field_of_view", f"The edge of the {grid_name} cuts the {part}."),)


def _resolution_flags(
    level: Level, grid: CtVolume | LabelVolume, label_maps: Sequence[LabelVolume]
) -> tuple[Flag, ...]:
    grids = [(grid, ""), *((own, " in the label map") for own in label_maps)]
    # Where all are alike the first, the scan, is named.
    thick, where = max(((max(g.spacing_xyz_mm), w) for g, w in grids), key=itemgetter(0))
    if thick > THICK_SLICE_MM:
        return (Flag("low_resolution", f"Voxels of {thick:.1f} mm{where} make heights coarse."),)
    upright, where = max(((upright_spacing_mm(g), w) for g, w in grids), key=itemgetter(0))
    if level.region is Region.THORACIC and upright >= THIN_DISC_SLICE_MM:
        apart = f"Slices {upright:.1f} mm apart{where}"
        reason = f"{apart} hide thoracic discs and make heights coarse."
        return (Flag("low_resolution", reason),)
    return ()


def upright_spacing_mm(grid: CtVolume | LabelVolume) -> float:
    """Return the spacing of the axis that runs most nearly from foot to head, mm."""
    upright = np.abs(np.reshape(grid.direction, (3, 3))[2])
    return float(grid.spacing_xyz_mm[int(upright.argmax())])
