"""A bank of phantom scenes on disk: geometry is built once, appearance drawn anew at every step.

Run as ``python -m vertebra_core.phantom.bank --out FOLDER --count 200``.
"""

from __future__ import annotations

import argparse
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the bank builder to `parser`."""
    parser.add_argument("--out", type=Path, required=True, help="folder for the scenes")
    parser.add_argument("--count", type=int, default=200, help="number of scenes")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--spacing", type=float, default=1.5, help="voxel size in mm")
    parser.add_argument(
        "--shapes",
        type=Path,
        help="folder of public meshes and masks; without it shapes are parametric",
    )
    parser.add_argument(
        "--lesions", type=float, default=0.0, help="share of scenes with lesions (default 0)"
    )
    parser.add_argument(
        "--fractures", type=int, metavar="N", help="fractures in every spine (default: drawn)"
    )
    parser.add_argument("--shape-cache", type=Path, help="folder that keeps imported shapes")


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    library = ShapeLibrary.chosen(args.shapes, args.shape_cache)
    build_bank(
        args.out,
        args.count,
        args.first_seed,
        library,
        args.spacing,
        args.lesions,
        args.fractures,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
