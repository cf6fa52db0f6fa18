"""A bank of phantom scenes on disk: geometry is built once, appearance drawn anew at every step.

The command is ``phantom --bank``.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np

from .findings import DRAWN_FINDINGS, MOST_DEFORMED, WantedFindings
from .lesions import with_lesions
from .patient import PatientSpec, draw_patient
from .scene import PhantomScene, save_scene
from .scene_builder import build_scene
from .scene_note import check_scene, made_with, shapes_of
from .shape_library import ShapeLibrary

EVALUATION_SEED_START = 10_000_000
"""Seeds from here on are kept for evaluation; banks for training stay below."""

_log = logging.getLogger(__name__)


def build_bank(
    folder: Path,
    count: int,
    first_seed: int,
    library: ShapeLibrary,
    spacing_mm: float = 1.5,
    wanted: WantedFindings = DRAWN_FINDINGS,
) -> int:
    """Write `count` scenes of consecutive seeds; those already there are kept.

    Those that note that they were made otherwise are refused before any is written.

    Returns
    -------
    int
        How many scenes were written.

    Raises
    ------
    ValueError
        If the seeds reach into those kept for evaluation, or the library's shapes are kept for it.
    InputError
        ``other_scenes`` or ``scene_damaged``, see `scene_note.check_scene`.
    """
    if library.evaluation_only:
        raise ValueError("these shapes are kept for evaluation")
    if first_seed + count > EVALUATION_SEED_START:
        raise ValueError(f"training seeds must stay below {EVALUATION_SEED_START}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    made = made_with(shapes_of(library), wanted)
    paths = {s: folder / f"scene_{s:08d}.npy" for s in range(first_seed, first_seed + count)}
    kept = {seed for seed, path in paths.items() if path.exists()}
    for seed in kept:
        check_scene(paths[seed], spacing_mm, made)
    written = 0
    for seed, path in paths.items():
        if seed in kept or path.exists():
            continue
        started = time.monotonic()
        scene = make_scene(seed, library, spacing_mm, wanted)
        save_scene(scene, path, made)
        written += 1
        _log.info("%s %s %.1f s", path.name, scene.labels.shape, time.monotonic() - started)
    return written


def make_scene(
    seed: int,
    library: ShapeLibrary,
    spacing_mm: float,
    wanted: WantedFindings = DRAWN_FINDINGS,
) -> PhantomScene:
    """Build the scene of a seed."""
    patient = patient_with(seed, wanted)
    scene = build_scene(
        seed,
        library,
        spacing_mm,
        patient,
        fused_share=wanted.fused_share,
        fracture_in_view=wanted.fracture_in_view and bool(wanted.n_fractures),
    )
    return with_lesions(scene, wanted.lesion_share)


def patient_with(seed: int, wanted: WantedFindings) -> PatientSpec | None:
    """Draw the patient of a seed with the deformed bodies that are wanted; None if none are."""
    count, mild = wanted.n_fractures, wanted.n_mild
    if count is None and not mild:
        return None
    # A generator of its own: the same seed without these options is another patient.
    key = [seed] if count is None else [seed, count]
    rng = np.random.default_rng([*key, MOST_DEFORMED + mild] if mild else key)
    fractured = None if count is None else count > 0
    return draw_patient(rng, fractured=fractured, n_fractures=count, n_mild=mild)
