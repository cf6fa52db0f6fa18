"""Phantoms as cases: made from a seed that no training uses, scanned, analysed, scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..levels import level_named, level_numbered
from ..phantom.bank import EVALUATION_SEED_START, make_scene
from ..phantom.findings import DRAWN_FINDINGS, WantedFindings
from ..phantom.independent_meshes import covered_levels, stand_in_notes
from ..phantom.painted_bodies import as_painted
from ..phantom.scan_case import scan
from ..phantom.scan_protocol import ScanProtocol
from ..phantom.scene import PhantomScene, load_scene, save_scene
from ..phantom.scene_note import check_scene, made_with
from ..phantom.shape_library import ShapeLibrary
from ..volume import CtVolume
from .prediction import Predict
from .records import INDEPENDENT_MESHES, PHANTOM, CaseRecord, TrueVertebra
from .scoring import score_case
from .truth import CaseTruth, truth_from_labels, with_known_facts
from .writing import writing_to

__all__ = [
    "EVALUATION_SEED_START",
    "SceneStore",
    "as_it_is",
    "draw_field_of_view",
    "evaluate_scene",
    "of_independent_meshes",
    "phantom_truth",
]

MIN_HEIGHT_MM = 130.0
"""A field of view keeps at least this much along the spine: three lumbar vertebrae."""

SPINE_MARGIN_MM = 65.0
"""A small field of view, as reconstructed for a spine, reaches so far beside the bodies or more."""


class SceneStore:
    """Scenes by seed: built, and kept in a folder if there is one.

    Parameters
    ----------
    spacing_mm : float
        Voxel size of the scenes.
    folder : Path or None
        Where scenes are kept, as `phantom.bank` names them.
    make_library : callable
        Gives the library that the vertebrae are shaped from; called when it is first needed.
    prefix : str
        Begins the scenes' file names.
    wanted : WantedFindings
    shapes : str
        What the library is made of, in words (`phantom.scene_note.shapes_of`).
    """

    def __init__(
        self,
        spacing_mm: float,
        folder: Path | None = None,
        make_library: Callable[[], ShapeLibrary] = ShapeLibrary.parametric_only,
        prefix: str = "scene",
        wanted: WantedFindings = DRAWN_FINDINGS,
        shapes: str = "parametric",
    ) -> None:
        self._spacing_mm = spacing_mm
        self._folder = folder
        self._make_library = make_library
        # The same seed with another number of deformed bodies is another patient.
        self._prefix = prefix + wanted.tag
        self.wanted = wanted
        self._made = made_with(shapes, wanted)
        self._library: ShapeLibrary | None = None

    def get(self, seed: int) -> PhantomScene:
        """Return the scene of `seed`.

        Raises
        ------
        InputError
            ``other_scenes``, if it is there but was made otherwise; ``scene_damaged``.
        OutputError
            ``not_writable``, if it cannot be kept.
        """
        path = self._folder / f"{self._prefix}_{seed:08d}.npy" if self._folder else None
        if path is not None and path.exists():
            check_scene(path, self._spacing_mm, self._made)
            return load_scene(path)
        if path is not None:
            # Before the scene is made, which takes its time.
            with writing_to(path.parent):
                path.parent.mkdir(parents=True, exist_ok=True)
        scene = make_scene(seed, self._shape_library(), self._spacing_mm, self.wanted)
        if path is not None:
            with writing_to(path.parent):
                save_scene(scene, path, self._made)
        return scene

    def _shape_library(self) -> ShapeLibrary:
        if self._library is None:
            self._library = self._make_library()
        return self._library


def evaluate_scene(
    name: str,
    scene: PhantomScene,
    spacing_xyz_mm: tuple[float, float, float],
    predict: Predict,
    told: Callable[[CaseTruth], CaseTruth],
) -> CaseRecord:
    """Scan a scene with a protocol and a field of view drawn from its seed, analyse, and score.

    Slices are as thick as they are apart: a scan called one of 1 mm resolves 1 mm. `told` takes
    the truth of the scan and returns it with what is known besides.
    """
    # The same field of view and dose for every spacing, so that spacings can be compared.
    rng = np.random.default_rng([scene.seed, 1])
    field_of_view = draw_field_of_view(scene, rng)
    protocol = replace(ScanProtocol.random_whole(rng), slice_mm=float(spacing_xyz_mm[2]))
    ct, labels, bodies = scan(scene, spacing_xyz_mm, rng, field_of_view, protocol)
    truth = told(phantom_truth(scene, ct, labels, bodies))
    return score_case(name, ct, truth, predict(name, ct))


def as_it_is(truth: CaseTruth) -> CaseTruth:
    """Return the truth of a scan of which no more is known than its scene says."""
    return truth


def of_independent_meshes(truth: CaseTruth, meshes: Path) -> CaseTruth:
    """Note which vertebrae of a scan are not shaped from the folder `meshes` that others are."""
    seen = [level_named(v.level).number for v in truth.vertebrae]
    notes = stand_in_notes(seen, covered_levels(meshes))
    return replace(truth, kind=INDEPENDENT_MESHES, notes=notes)


def draw_field_of_view(
    scene: PhantomScene, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the box that is scanned: often the whole scene, else cut along and beside the spine.

    Returns
    -------
    tuple of ndarray, shape (3,)
        Low and high corner, mm in the scene's frame, z, y, x.
    """
    low, high = np.zeros(3), scene.size_mm
    if rng.random() < 0.4:
        spare = max(0.0, high[0] - MIN_HEIGHT_MM)
        below, above = rng.dirichlet([1, 1, 1])[:2] * spare
        low[0], high[0] = below, high[0] - above
    inside = [
        np.array(v.center_zyx_mm)
        for v in scene.vertebrae
        if low[0] <= v.center_zyx_mm[0] <= high[0]
    ]
    if inside and rng.random() < 0.35:
        margin = SPINE_MARGIN_MM + rng.uniform(0, 60, (2, 2))
        for axis in (1, 2):
            places = [c[axis] for c in inside]
            low[axis] = max(low[axis], min(places) - margin[0, axis - 1])
            high[axis] = min(high[axis], max(places) + margin[1, axis - 1])
    return low, high


def phantom_truth(
    scene: PhantomScene, ct: CtVolume, labels: np.ndarray, bodies: np.ndarray
) -> CaseTruth:
    """Return the truth of a scanned scene: the scene's own figures for what the scan shows."""
    facts = {}
    for vertebra in scene.vertebrae:
        name = level_numbered(vertebra.level).name
        centre = tuple(float(c) for c in vertebra.center_zyx_mm[::-1])
        # C1 and C2 have no body whose heights could be compared; Genant's grades leave them out.
        graded = name not in ("C1", "C2")
        shown = as_painted(scene, vertebra)
        heights = shown.height_anterior_mm, shown.height_middle_mm, shown.height_posterior_mm
        facts[name] = TrueVertebra(
            name,
            centre,
            grade=shown.grade if graded else None,
            shape=shown.shape if graded else None,
            heights_mm=heights if graded and np.isfinite(heights).all() else None,
        )
    seen = truth_from_labels(labels, bodies, ct)
    return CaseTruth(with_known_facts(seen, facts), labels, bodies, PHANTOM)
