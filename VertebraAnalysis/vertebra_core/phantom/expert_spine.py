"""A scene around a real spine: every vertebra of an expert's label map stands where it stood.

What the map does not hold is drawn as for any phantom: vertebrae above and below, sacrum, ribs,
discs, organs. So real shapes, real fractures and the real joints between neighbours are scanned
with an exact truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk  # noqa: N813

from ..errors import InputError
from ..label_numbers import to_verse_numbers
from ..levels import LEVELS, level_named, level_numbered
from ..volume import LabelVolume, to_sitk
from .mask_fields import MaskedVertebra, vertebra_field, whole_vertebrae
from .patient import PatientSpec, draw_patient
from .scene import PhantomScene
from .scene_builder import Anatomy, draw_instances, paint_anatomy
from .shape import VertebraShape
from .shape_library import ShapeLibrary
from .spine_curve import ColumnSpec, PlacedLevel, place_column
from .template_shapes import PlacedShape, placed_shape
from .vertebra_instance import Variation, VertebraInstance
from .vertebra_parameters import TYPICAL

FEWEST = 3
"""Fewer vertebrae tell neither how large the patient is nor how the spine goes on."""

_BEYOND_MM = 18.0
"""The scene ends so far beyond the centres of the outermost bodies: within their neighbours."""

_ABOVE_ATLAS_MM, _BELOW_LUMBAR_MM = 45.0, 75.0
"""Where the map reaches C1 or the last lumbar vertebra, skull and sacrum are shown."""

_BESIDE_MM, _BEFORE_MM, _BEHIND_MM = 150.0, 150.0, 95.0

_SCALE_RANGE = 0.7, 1.3


@dataclass(frozen=True)
class ExpertSpine:
    """The whole vertebrae of a label map, head to foot, without gaps.

    Attributes
    ----------
    name : str
    placed : tuple of PlacedLevel
        Positions are mm from the map's first voxel, z, y, x.
    shapes : tuple of VertebraShape
        Of the same vertebrae.
    """

    name: str
    placed: tuple[PlacedLevel, ...]
    shapes: tuple[VertebraShape, ...]

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels, head to foot."""
        return tuple(p.name for p in self.placed)


def expert_spine(labels: LabelVolume, name: str) -> ExpertSpine:
    """Bring the vertebrae of a label map into their frames.

    Parameters
    ----------
    labels : LabelVolume
        VerSe's or TotalSegmentator's numbers.
    name : str

    Raises
    ------
    InputError
        ``too_few_vertebrae`` if fewer than `FEWEST` are whole, ``levels_missing`` if one between
        others is not there, ``other_numbers`` if no scheme has such labels, ``no_vertebra_shape``
        if one has not the shape of a vertebra.
    """
    image = sitk.DICOMOrient(to_sitk(labels), "LPS")
    numbers = _numbers(sitk.GetArrayFromImage(image), name)
    numbers[numbers == level_named("S1").number] = 0
    spacing = np.array(image.GetSpacing()[::-1])
    vertebrae = sorted(
        whole_vertebrae(numbers, spacing), key=lambda v: level_numbered(v.number).order
    )
    _check(name, [level_numbered(v.number).name for v in vertebrae])
    placed, shapes = [], []
    for vertebra in vertebrae:
        level = level_numbered(vertebra.number).name
        found = _placed(vertebra, level, name)
        centre = found.center_zyx_mm + vertebra.origin_zyx_mm
        placed.append(PlacedLevel(level, centre, found.axes, found.shape.height_mm, None))
        shapes.append(found.shape)
    return ExpertSpine(name, tuple(placed), tuple(shapes))


def _numbers(labels: np.ndarray, name: str) -> np.ndarray:
    try:
        return to_verse_numbers(labels)
    except ValueError as error:
        raise InputError(
            "other_numbers",
            f"The labels of {name} are not those of VerSe or TotalSegmentator ({error}).",
            "Renumber it by levels, as VerSe does.",
        ) from error


def _placed(vertebra: MaskedVertebra, level: str, name: str) -> PlacedShape:
    try:
        return placed_shape(vertebra_field(vertebra), vertebra.number, name)
    except (ValueError, IndexError) as error:
        # Neither a canal nor a body is found in it.
        raise InputError(
            "no_vertebra_shape",
            f"What {name} labels as {level} has not the shape of a vertebra.",
            "Correct its outline, or take the map out.",
        ) from error


def _check(name: str, levels: Sequence[str]) -> None:
    if len(levels) < FEWEST:
        raise InputError(
            "too_few_vertebrae",
            f"{name} shows {len(levels)} whole vertebrae.",
            f"A spine can be painted from {FEWEST} on.",
        )
    usual = _all_levels(levels)
    first = usual.index(levels[0])
    if tuple(levels) != usual[first : first + len(levels)]:
        raise InputError(
            "levels_missing",
            f"{name} leaves out a vertebra between {levels[0]} and {levels[-1]}.",
            "Label every vertebra in between.",
        )


def _all_levels(levels: Sequence[str]) -> tuple[str, ...]:
    """Names of a column that has `levels`, head to foot, S1 last."""
    absent = {"T13", "L6"} - set(levels)
    if {"T11", "L1"} <= set(levels) and "T12" not in levels:
        absent.add("T12")
    return tuple(v.name for v in LEVELS if v.name not in absent)


def expert_scene(spine: ExpertSpine, seed: int, spacing_mm: float = 1.5) -> PhantomScene:
    """Build a scene around a spine.

    Parameters
    ----------
    spine : ExpertSpine
    seed : int
        Everything that the map does not say follows from it.
    spacing_mm : float
        Voxel size of the scene.

    Returns
    -------
    PhantomScene
        Its vertebrae are stated as sound: a map tells heights, not what was lost.
    """
    rng = np.random.default_rng([seed, 19])
    patient = _patient(spine, rng)
    column = _whole_column(spine, patient, rng)
    library = ShapeLibrary.parametric_only()
    own = dict(zip(spine.levels, spine.shapes, strict=True))

    def instances(drawing: np.random.Generator) -> list[VertebraInstance]:
        drawn = draw_instances(column[:-1], patient, library, drawing)
        return [
            VertebraInstance(i.placed, own[i.placed.name], Variation.none())
            if i.placed.name in own
            else i
            for i in drawn
        ]

    low, high = _corners(spine)
    anatomy = Anatomy(seed, patient, column, low, high)
    return paint_anatomy(anatomy, instances, library, rng, spacing_mm)


def _patient(spine: ExpertSpine, rng: np.random.Generator) -> PatientSpec:
    """Draw a patient of the spine's size who has nothing but what the map shows."""
    drawn = draw_patient(rng, variant="usual", fractured=False)
    sizes = [
        np.mean([s.depth_mm / TYPICAL[n].depth, s.width_mm / TYPICAL[n].width])
        for n, s in zip(spine.levels, spine.shapes, strict=True)
        if n in TYPICAL
    ]
    scale = float(np.clip(np.median(sizes), *_SCALE_RANGE))
    return replace(
        drawn,
        column=ColumnSpec(_all_levels(spine.levels), scale, 1.0, {}),
        habitus=replace(drawn.habitus, scale=scale),
        implants=(),
        cemented=(),
    )


def _whole_column(
    spine: ExpertSpine, patient: PatientSpec, rng: np.random.Generator
) -> tuple[PlacedLevel, ...]:
    """Go on from the ends of the spine as a drawn column does from the same levels."""
    drawn = place_column(patient.column, rng)
    names = [p.name for p in drawn]
    first, last = names.index(spine.levels[0]), names.index(spine.levels[-1])
    above = _moved(drawn[:first], drawn[first], spine.placed[0])
    below = _moved(drawn[last + 1 :], drawn[last], spine.placed[-1])
    return (*above, *spine.placed, *below)


def _moved(
    levels: Sequence[PlacedLevel], joint: PlacedLevel, onto: PlacedLevel
) -> tuple[PlacedLevel, ...]:
    """Move levels rigidly so that `joint`, a neighbour of theirs, comes to lie on `onto`."""
    turn = joint.axes.T @ onto.axes
    return tuple(
        replace(
            p,
            center_zyx_mm=onto.center_zyx_mm + (p.center_zyx_mm - joint.center_zyx_mm) @ turn,
            axes=p.axes @ turn,
        )
        for p in levels
    )


def _corners(spine: ExpertSpine) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the scene in the map's frame, mm, z, y, x."""
    centres = np.array([p.center_zyx_mm for p in spine.placed])
    above, below = (_BEYOND_MM + s.height_mm / 2 for s in (spine.shapes[0], spine.shapes[-1]))
    if spine.levels[0] == "C1":
        above = _ABOVE_ATLAS_MM
    if spine.levels[-1] == _all_levels(spine.levels)[-2]:
        below = _BELOW_LUMBAR_MM
    middle = centres.mean(0)
    low = np.array([centres[:, 0].min() - below, middle[1] - _BEFORE_MM, middle[2] - _BESIDE_MM])
    high = np.array([centres[:, 0].max() + above, middle[1] + _BEHIND_MM, middle[2] + _BESIDE_MM])
    return low, high
