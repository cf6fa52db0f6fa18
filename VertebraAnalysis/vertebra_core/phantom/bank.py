"""A bank of phantom scenes on disk: geometry is built once, appearance drawn anew at every step.

The command is ``phantom --bank``.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np

from .fusion import FUSED_SHARE
from .lesions import with_lesions
from .patient import PatientSpec, draw_patient
from .scene import PhantomScene, save_scene
from .scene_builder import build_scene
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
    lesion_share: float = 0.0,
    n_fractures: int | None = None,
    fused_share: float = FUSED_SHARE,
) -> int:
    """Write `count` scenes of consecutive seeds; those already there are kept.

    `lesion_share` is the probability that a scene has lytic or sclerotic lesions; with
    `n_fractures` every spine has that many fractures, in view or not, instead of a drawn number;
    `fused_share` is the probability that vertebrae are fused.

    Returns
    -------
    int
        How many scenes were written.

    Raises
    ------
    ValueError
        If the seeds reach into those kept for evaluation, or the library's shapes are kept for it.
    """
    if library.evaluation_only:
        raise ValueError("these shapes are kept for evaluation")
    if first_seed + count > EVALUATION_SEED_START:
        raise ValueError(f"training seeds must stay below {EVALUATION_SEED_START}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for seed in range(first_seed, first_seed + count):
        path = folder / f"scene_{seed:08d}.npy"
        if path.exists():
            continue
        started = time.monotonic()
        scene = make_scene(seed, library, spacing_mm, lesion_share, n_fractures, fused_share)
        save_scene(scene, path)
        written += 1
        _log.info("%s %s %.1f s", path.name, scene.labels.shape, time.monotonic() - started)
    return written


def make_scene(
    seed: int,
    library: ShapeLibrary,
    spacing_mm: float,
    lesion_share: float = 0.0,
    n_fractures: int | None = None,
    fused_share: float = FUSED_SHARE,
) -> PhantomScene:
    """Build the scene of a seed; lesions, fractures and fusions as for `build_bank`."""
    patient = fractured_patient(seed, n_fractures)
    scene = build_scene(seed, library, spacing_mm, patient, fused_share=fused_share)
    return with_lesions(scene, lesion_share)


def fractured_patient(seed: int, n_fractures: int | None) -> PatientSpec | None:
    """Draw the patient of a seed with so many fractures; None where their number is drawn too."""
    if n_fractures is None:
        return None
    # A generator of its own: the same seed without this option is another patient.
    rng = np.random.default_rng([seed, n_fractures])
    return draw_patient(rng, fractured=n_fractures > 0, n_fractures=n_fractures)
