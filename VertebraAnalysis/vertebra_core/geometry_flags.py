"""Flags on vertebrae that follow from where the scan ends and how thick its slices are."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

import numpy as np

from .analysis import Flag
from .levels import Level, Region
from .seeming_slices import seeming_slice_mm
from .spine_course import spine_courses
from .stages import Candidate
from .volume import CtVolume, LabelVolume

THICK_SLICE_MM = 3.0
"""Above this spacing heights are flagged as coarse: 3 mm is half of a grade 2 loss of 25 mm."""

THIN_DISC_SLICE_MM = 2.5
"""From this distance of slices on, thoracic heights are flagged as coarse: discs of 2-3 mm hardly
show then. On the public chest, slices averaged to 2 mm change heights by 0.3 mm on average, slices
averaged to 3 mm by 1.6 mm."""

SEEMING_MARGIN_MM = 0.25
"""Slices count as thick as they seem to have been (see `seeming_slices`) less this: of 29 phantoms
and two public scans with slices up to 2 mm none seemed above 2.2 mm; 3 mm slices of these scans
that were resampled to cubes of 1.5 mm seem 3.0 and 3.1 mm, 5 mm slices 3.3-3.6 mm."""


def geometry_flags(
    candidate: Candidate,
    level: Level,
    grid: CtVolume | LabelVolume,
    grid_name: str = "scan",
    label_maps: Sequence[LabelVolume] = (),
    course_zyx: np.ndarray | None = None,
    seeming_mm: float = 0.0,
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
    course_zyx : ndarray, shape (3,), optional
        Unit vector up the spine at the vertebra; the patient's long axis without it.
    seeming_mm : float
        How thick slices seem to have been before the scan got its voxels; 0 where nothing tells.
    """
    return (
        *_cut_flags(candidate, grid_name),
        *(
            _resolution_flags(level, grid, label_maps, course_zyx)
            or _seeming_flags(level, seeming_mm - SEEMING_MARGIN_MM)
        ),
    )


def row_geometry(
    candidates: Sequence[Candidate], ct: CtVolume | None
) -> tuple[list[np.ndarray | None], float]:
    """Return what `geometry_flags` asks about the vertebrae of a spine, head to foot.

    Returns
    -------
    courses_zyx : list of (ndarray, shape (3,), or None)
    seeming_mm : float
    """
    centres = [c.center_lps_mm for c in candidates]
    courses = spine_courses(centres, [not c.body_cut and not c.doubt for c in candidates])
    return courses, 0.0 if ct is None else seeming_slice_mm(ct, centres)


def _cut_flags(candidate: Candidate, grid_name: str) -> tuple[Flag, ...]:
    part = "body" if candidate.body_cut else "arch" if candidate.arch_cut else None
    if part is None:
        return ()
    return (Flag("cut_by_field_of_view", f"The edge of the {grid_name} cuts the {part}."),)


def _resolution_flags(
    level: Level,
    grid: CtVolume | LabelVolume,
    label_maps: Sequence[LabelVolume],
    course_zyx: np.ndarray | None,
) -> tuple[Flag, ...]:
    grids = [(grid, ""), *((own, " in the label map") for own in label_maps)]
    # Where all are alike the first, the scan, is named.
    thick, where = max(((max(g.spacing_xyz_mm), w) for g, w in grids), key=itemgetter(0))
    if thick > THICK_SLICE_MM:
        return (Flag("low_resolution", f"Voxels of {thick:.1f} mm{where} make heights coarse."),)
    if level.region is not Region.THORACIC:
        return ()
    upright, where = max(((upright_spacing_mm(g), w) for g, w in grids), key=itemgetter(0))
    reach, inside = max(((reach_along_mm(g, course_zyx), w) for g, w in grids), key=itemgetter(0))
    if upright >= THIN_DISC_SLICE_MM:
        what = f"Slices {upright:.1f} mm apart{where}"
    elif reach >= THIN_DISC_SLICE_MM:
        what = f"Voxels that reach {reach:.1f} mm{inside} along the tilted spine"
    else:
        return ()
    return (Flag("low_resolution", f"{what} hide thoracic discs and make heights coarse."),)


def _seeming_flags(level: Level, least_mm: float) -> tuple[Flag, ...]:
    thin_discs = level.region is Region.THORACIC and least_mm >= THIN_DISC_SLICE_MM
    if not thin_discs and least_mm <= THICK_SLICE_MM:
        return ()
    reason = "The slices seem to have been thicker than the voxels say, which makes heights coarse."
    return (Flag("low_resolution", reason),)


def upright_spacing_mm(grid: CtVolume | LabelVolume) -> float:
    """Return the spacing of the axis that runs most nearly from foot to head, mm."""
    upright = np.abs(np.reshape(grid.direction, (3, 3))[2])
    return float(grid.spacing_xyz_mm[int(upright.argmax())])


def reach_along_mm(grid: CtVolume | LabelVolume, course_zyx: np.ndarray | None) -> float:
    """Return how far a voxel reaches along the spine, mm.

    Its edges count as far as they run along the spine, together never more than the longest: cubes
    show no less where they are turned.
    """
    if course_zyx is None:
        return upright_spacing_mm(grid)
    along = np.abs(np.reshape(grid.direction, (3, 3)).T @ np.asarray(course_zyx)[::-1])
    spacing = np.asarray(grid.spacing_xyz_mm)
    return float(min(along @ spacing, spacing.max()))
