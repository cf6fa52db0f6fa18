"""Builds a whole phantom scene: a patient's column, bones, organs and their truth on one grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..levels import level_named
from .bone_field import BoneField
from .discs import draw_disc_heights
from .findings import FUSED_SHARE
from .fusion import draw_fusion, fusion_pieces
from .grid import Grid, noise_field
from .head_bones import skull_pieces
from .organs import paint_organs, paint_table
from .patient import PatientSpec, draw_field_of_view, draw_patient, draw_view_of_fracture
from .pelvis_placing import pelvis_pieces, sacrum_pieces
from .ribs import rib_pieces
from .scene import PhantomScene, PhantomVertebra, encode_sdf
from .shape_library import ShapeLibrary
from .soft_spine import paint_canal, paint_cement, paint_discs, paint_implants
from .spine_curve import PlacedLevel, place_column
from .thorax_bones import shoulder_pieces, sternum_pieces
from .torso import SpineLine, paint_trunk
from .vertebra_instance import VertebraInstance, draw_variation

SLIDE_SD_MM = 13.0
"""The sternal notch lies before the lower half of T2 on average, in single people one vertebra
(20 mm) higher or lower; the carina between T4 and T7."""

RIB_GAP_MM = (0.0, 1.2)
"""Joint space between ribs and vertebrae: worn joints and coarse voxels show none."""

TRUTH_REACH_MM = 60.0
"""How far outside the grid a vertebra's centre may lie that has a truth: parts of it may show."""


@dataclass(frozen=True)
class Anatomy:
    """A patient with a column, and the part of the body that a grid covers.

    Attributes
    ----------
    seed : int
        What is drawn with generators of its own follows from it.
    patient : PatientSpec
    column : tuple of PlacedLevel
        Head to foot, the first sacral level last.
    low, high : ndarray, shape (3,)
        Corners of the grid, mm in the column's frame, z, y, x.
    """

    seed: int
    patient: PatientSpec
    column: tuple[PlacedLevel, ...]
    low: np.ndarray
    high: np.ndarray


def build_scene(
    seed: int,
    library: ShapeLibrary,
    spacing_mm: float = 1.5,
    patient: PatientSpec | None = None,
    field_of_view: str | None = None,
    fused_share: float = FUSED_SHARE,
    fracture_in_view: bool = False,
) -> PhantomScene:
    """Build the scene of one synthetic patient.

    Parameters
    ----------
    seed : int
        Everything about the scene follows from it.
    library : ShapeLibrary
        Source of bone shapes.
    spacing_mm : float
        Voxel size of the grid.
    patient : PatientSpec, optional
        Drawn from the seed when None.
    field_of_view : str, optional
        Name of the part of the body to cover (see `patient.draw_field_of_view`).
    fused_share : float
        Probability that vertebrae of the spine are fused.
    fracture_in_view : bool
        Draw the part of the body so that it shows a fracture of the patient, instead of
        `field_of_view`.

    Returns
    -------
    PhantomScene
        With the truth of every vertebra whose centre lies within `TRUTH_REACH_MM` of the grid.
    """
    rng = np.random.default_rng(seed)
    patient = patient or draw_patient(rng)
    # A generator of its own: other draws of the same seed stay what they are.
    discs = np.random.default_rng([seed, 17])
    column = place_column(
        patient.column,
        rng,
        draw_disc_heights(patient.column.levels, patient.degeneration, discs),
    )
    scale = patient.habitus.scale
    if fracture_in_view:
        low, high = draw_view_of_fracture(column, patient.column.fractures, scale, rng)
    else:
        low, high = draw_field_of_view(column, scale, rng, field_of_view)
    anatomy = Anatomy(seed, patient, column, low, high)

    def instances(rng: np.random.Generator) -> list[VertebraInstance]:
        return draw_instances(column[:-1], patient, library, rng)

    return paint_anatomy(anatomy, instances, library, rng, spacing_mm, fused_share)


def paint_anatomy(
    anatomy: Anatomy,
    instances_of: Callable[[np.random.Generator], list[VertebraInstance]],
    library: ShapeLibrary,
    rng: np.random.Generator,
    spacing_mm: float,
    fused_share: float = 0.0,
) -> PhantomScene:
    """Paint a column with everything around it.

    Parameters
    ----------
    anatomy : Anatomy
    instances_of : callable
        Gives the vertebrae of the column, head to foot; called once with `rng`.
    library : ShapeLibrary
        Source of sacrum and hip bones.
    rng : numpy.random.Generator
    spacing_mm : float
        Voxel size of the grid.
    fused_share : float
        Probability that vertebrae of the spine are fused.
    """
    patient, column, low, high = anatomy.patient, anatomy.column, anatomy.low, anatomy.high
    seed, scale = anatomy.seed, patient.habitus.scale
    shape = tuple(int(n) for n in np.ceil((high - low) / spacing_mm).astype(int) + 1)
    grid = Grid(low, spacing_mm, shape)
    line = SpineLine(column)
    organs, sternum, shoulders = (SpineLine(column, mm) for mm in _draw_slides(seed))
    tissue, depth = _paint_soft_tissue(grid, organs, patient, rng)

    instances = instances_of(rng)
    bones = BoneField(grid)
    pelvis_scale = scale * np.exp(rng.normal(0, 0.05, 3))
    _add_spine(bones, instances, column[-1], library, pelvis_scale, rng)
    fusion = draw_fusion(patient.column.levels, np.random.default_rng([seed, 11]), fused_share)
    if fusion is not None:
        for box, distance in fusion_pieces(grid, fusion, instances, column[-1]):
            bones.join(box, distance)
    # Fusion and the joints of ribs have their own generators for the same reason.
    joints = np.random.default_rng([seed, 13])
    _add_other_bones(bones, instances, (line, sternum, shoulders), scale, tissue, rng, joints)
    for piece in pelvis_pieces(grid, column[-1], library, pelvis_scale, rng):
        bones.add_piece(*piece)

    paint_discs(tissue, grid, instances, column[-1], rng)
    paint_canal(tissue, grid, instances, column[-1])
    if rng.random() < 0.85:
        paint_table(tissue, depth, grid, rng)
    paint_implants(tissue, grid, instances, patient.implants)
    paint_cement(tissue, grid, instances, patient.cemented, rng)

    labels, sdf = bones.finish(gap_mm=joints.uniform(*RIB_GAP_MM))
    truths = _truths(instances, patient.trabecular_hu, low, high, rng)
    return PhantomScene(spacing_mm, labels, encode_sdf(sdf), tissue, truths, seed)


def _paint_soft_tissue(
    grid: Grid, organs: SpineLine, patient: PatientSpec, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the tissue of trunk and organs, and the depth of every voxel below the skin."""
    habitus = patient.habitus
    noise = noise_field(rng, grid.shape, 22 / grid.spacing_mm)
    warp = tuple(
        c + np.float32(4.0) * noise_field(rng, grid.shape, 40 / grid.spacing_mm)
        for c in grid.axes()
    )
    tissue, depth = paint_trunk(grid, organs, habitus, warp, noise, rng)
    paint_organs(tissue, depth, grid, organs, habitus.scale, warp, noise, rng)
    return tissue, depth


def draw_instances(
    levels: Sequence[PlacedLevel],
    patient: PatientSpec,
    library: ShapeLibrary,
    rng: np.random.Generator,
) -> list[VertebraInstance]:
    """Draw a vertebra for each of `levels`, none of which is the sacrum."""
    instances = []
    for placed in levels:
        shape = library.draw(level_named(placed.name).number, rng)
        variation = draw_variation(placed, shape, patient.column.scale, patient.degeneration, rng)
        instances.append(VertebraInstance(placed, shape, variation))
    return instances


def _truths(
    instances: list[VertebraInstance],
    trabecular_hu: float,
    low: np.ndarray,
    high: np.ndarray,
    rng: np.random.Generator,
) -> tuple[PhantomVertebra, ...]:
    """Measure the vertebrae whose centre lies in the grid (its corners in mm) or close to it."""
    truths = []
    for instance in instances:
        centre = instance.placed.center_zyx_mm
        if ((centre > low - TRUTH_REACH_MM) & (centre < high + TRUTH_REACH_MM)).all():
            hu = trabecular_hu + rng.normal(0, 8)
            truths.append(instance.truth(low, float(hu)))
    return tuple(truths)


def _draw_slides(seed: int) -> tuple[float, float, float]:
    """Draw how far organs, sternum and shoulders sit above their usual levels, mm."""
    # A generator of its own: other draws of the same seed stay what they are.
    rng = np.random.default_rng([seed, 7])
    organs = rng.normal(0, SLIDE_SD_MM)
    sternum = organs + rng.normal(0, 0.6 * SLIDE_SD_MM)
    shoulders = rng.normal(0, SLIDE_SD_MM)
    return tuple(float(v) for v in np.clip([organs, sternum, shoulders], -30, 30))


def _add_spine(bones, instances, sacrum_at, library, sacrum_scale, rng) -> None:
    """Add vertebrae and sacrum, a joint gap apart."""
    for instance in instances:
        bones.add_vertebra(instance)
    for box, distance in sacrum_pieces(bones.grid, sacrum_at, library, sacrum_scale, rng):
        bones.add(box, distance, np.full(distance.shape, level_named("S1").number, np.uint8))
    bones.separate(gap_mm=rng.uniform(0.4, 1.8))


def _add_other_bones(bones, instances, lines, scale, tissue, rng, joints) -> None:
    grid = bones.grid
    line, sternum, shoulders = lines
    for instance in instances:
        if instance.placed.name.startswith("T"):
            for piece in rib_pieces(instance, grid, line, scale, rng, joints):
                bones.add_piece(*piece)
    for pieces, own_line in ((sternum_pieces, sternum), (shoulder_pieces, shoulders)):
        for piece in pieces(grid, own_line, scale, rng):
            bones.add_piece(*piece)
    for piece in skull_pieces(grid, line, scale, tissue, rng):
        bones.add_piece(*piece)
