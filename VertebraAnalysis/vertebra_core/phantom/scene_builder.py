"""Builds a whole phantom scene: a patient's column, bones, organs and their truth on one grid."""

from __future__ import annotations

import numpy as np

from ..levels import level_named
from .codes import BODY_BIT
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
from .vertebra_instance import OUTSIDE_MM, VertebraInstance, draw_variation

SLIDE_SD_MM = 13.0
"""The sternal notch lies before the lower half of T2 on average, in single people one vertebra
(20 mm) higher or lower; the carina between T4 and T7."""

LABEL_REACH_MM = 2.0
"""How far bone codes reach beyond the bone's surface."""

RIB_GAP_MM = (0.0, 1.2)
"""Joint space between ribs and vertebrae: worn joints and coarse voxels show none."""

TRUTH_REACH_MM = 60.0
"""How far outside the grid a vertebra's centre may lie that has a truth: parts of it may show."""


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
    shape = tuple(int(n) for n in np.ceil((high - low) / spacing_mm).astype(int) + 1)
    grid = Grid(low, spacing_mm, shape)
    line = SpineLine(column)
    organs, sternum, shoulders = (SpineLine(column, mm) for mm in _draw_slides(seed))
    tissue, depth = _paint_soft_tissue(grid, organs, patient, rng)

    instances = _draw_instances(column, patient, library, rng)
    bones = _Bones(grid)
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


def _draw_instances(
    column: tuple[PlacedLevel, ...],
    patient: PatientSpec,
    library: ShapeLibrary,
    rng: np.random.Generator,
) -> list[VertebraInstance]:
    instances = []
    for placed in column[:-1]:
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


class _Bones:
    """Signed distances of all bones of a scene while it is being built."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self._nearest = np.full(grid.shape, OUTSIDE_MM, np.float32)
        self._second = np.full(grid.shape, OUTSIDE_MM, np.float32)
        self._number = np.zeros(grid.shape, np.uint8)
        self._other = np.full(grid.shape, OUTSIDE_MM, np.float32)
        self._other_code = np.zeros(grid.shape, np.uint8)

    def add_vertebra(self, instance: VertebraInstance) -> None:
        box = instance.box(self.grid)
        if box is None:
            return
        local = self.grid.local(box, instance.placed.center_zyx_mm, instance.placed.axes)
        whole, body = instance.distances(*local)
        if instance.placed.fracture is not None:
            whole = _restore_distance(whole, self.grid.spacing_mm)
        is_body = body <= np.maximum(whole, 0) + 0.25
        codes = np.where(is_body, instance.number | BODY_BIT, instance.number).astype(np.uint8)
        self.add(box, whole, codes)

    def add(self, box, distance: np.ndarray, codes: np.ndarray) -> None:
        nearest, second = self._nearest[box], self._second[box]
        wins = distance < nearest
        np.minimum(second, np.maximum(distance, nearest), out=second)
        self._number[box][wins] = codes[wins]
        np.minimum(nearest, distance, out=nearest)

    def separate(self, gap_mm: float) -> None:
        """Leave a joint gap wherever two vertebrae would touch."""
        np.maximum(
            self._nearest, (self._nearest - self._second) / 2 + gap_mm / 2, out=self._nearest
        )
        self._second = None

    def join(self, box, distance: np.ndarray) -> None:
        """Add bone between vertebrae; it belongs to the nearest one."""
        np.minimum(self._nearest[box], distance, out=self._nearest[box])

    def add_piece(self, code: int, box, distance: np.ndarray) -> None:
        wins = distance < self._other[box]
        self._other_code[box][wins] = code
        np.minimum(self._other[box], distance, out=self._other[box])

    def finish(self, gap_mm: float) -> tuple[np.ndarray, np.ndarray]:
        """Return labels (uint8) and the signed distance (mm) to the nearest bone of any kind.

        Other bones give way to vertebrae and keep `gap_mm` from them.
        """
        other = np.maximum(self._other, (self._other - self._nearest) / 2 + gap_mm / 2)
        use_other = other < self._nearest
        sdf = np.where(use_other, other, self._nearest)
        labels = np.where(use_other, self._other_code, self._number)
        labels[sdf > LABEL_REACH_MM] = 0
        return labels, sdf


def _restore_distance(distance: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Undo the stretch that a fracture's warp puts on distances, near the surface."""
    if min(distance.shape) < 2:
        return distance
    slope = np.sqrt(sum(g**2 for g in np.gradient(distance, spacing_mm)))
    return (distance / np.clip(slope, 0.5, 3.0)).astype(np.float32)
