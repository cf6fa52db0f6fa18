"""Samples for the grade head as an analysis would see them: segmented and measured bodies.

A body drawn from a scene has the exact mask, blurred, and its true heights with a guessed error; a
body that the pipeline has segmented and measured has their real faults, which the head must know.
They take ten times as long to make as to draw, and so they are made once. Run as
``python -m vertebra_core.training.segmented_bodies --bank FOLDER -o FOLDER --scans N``, then train
with ``train grading --segmented FOLDER``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..alone import run_alone
from ..errors import InputError
from ..grading.learned import body_samples
from ..grading.shape_names import SHAPE_NAMES
from ..phantom.scene import load_scene
from ..whole_file import whole_file
from .arguments import count, number
from .bank import check_bank, is_held_aside, scene_files
from .grade_opinions import measured_bodies
from .grading_samples import choose_index, empty_sample, pack_grading
from .sources import Sample
from .weights_choice import load_chosen

KEYS = ("hu", "body", "vertebra", "losses", "grade", "shape", "height_loss")
"""What a file holds of each body; types and shapes are those of `grading_samples`."""

_BEHIND_SCENE = "__"


class SegmentedBodySource:
    """Bodies that the pipeline has segmented and measured; samples as `PhantomGradingSource` has.

    Parameters
    ----------
    folder : Path
        Written by this module's command.
    validation : bool
        Use the bodies of scenes held aside.
    """

    def __init__(self, folder: Path, validation: bool = False) -> None:
        self._folder, self._validation = Path(folder), validation

    def names(self) -> list[str]:
        """Return the names of the scans, sorted."""
        found = sorted(p.name for p in self._folder.glob("*.npz"))
        return [
            n for n in found if is_held_aside(n.partition(_BEHIND_SCENE)[0]) == self._validation
        ]

    def no_case(self) -> InputError:
        """Return the error that tells that there is no scan."""
        message = f"There is no folder {self._folder}."
        if self._folder.is_dir():
            message = f"The folder {self._folder} holds no segmented bodies to train on."
        return InputError(
            "no_segmented_bodies",
            message,
            "Make some with `python -m vertebra_core.training.segmented_bodies --bank BANK "
            f"-o {self._folder}`.",
        )

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a body from the scan `name`, a fractured one more often than in life."""
        bodies = _load(self._folder / name)
        if not len(bodies["grade"]):
            return empty_sample()
        chosen = choose_index(bodies["grade"], rng)
        return {key: torch.as_tensor(bodies[key][chosen]).clone() for key in KEYS}


@lru_cache(maxsize=256)
def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in KEYS}


def segmented_bodies(
    path: Path, segmenter: nn.Module, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Scan, segment and measure the bodies of the scene at `path`.

    Parameters
    ----------
    path : Path
        Of a scene, as `phantom.scene.save_scene` writes it.
    segmenter : Module
        Segmentation network, on the processor.
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to ndarray
        `KEYS`; the first axis goes over the bodies that would be graded.
    """
    ct, measured = measured_bodies(load_scene(path), segmenter, rng)
    samples = []
    for truth, body, own in measured:
        hu, masks = body_samples(ct, body.body, body.whole, body.origin_lps_mm, own.frame)
        loss = own.morphometry.loss
        losses = np.array([loss.wedge, loss.biconcave, loss.crush])
        shape = SHAPE_NAMES.index(truth.shape)
        true = truth.grade, shape, truth.height_loss
        samples.append(pack_grading(hu, *masks, losses, *true))
    if not samples:
        return {key: value[None][:0].numpy() for key, value in empty_sample().items()}
    return {key: torch.stack([s[key] for s in samples]).numpy() for key in KEYS}


def collect(
    scenes: Sequence[Path], folder: Path, segmenter: nn.Module, scans: int, seed: int = 0
) -> None:
    """Write the bodies of `scans` scans to `folder`, a file each; those there already are kept.

    Every scene is scanned in turn; from the second time on with another scanner and patient.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(scans):
        turn, place = divmod(index, len(scenes))
        scene = scenes[place]
        target = folder / f"{scene.stem}{_BEHIND_SCENE}{seed}_{turn}.npz"
        if target.exists():
            continue
        # Drawn from the scene's name, so that a run cut short goes on as if it had not been.
        rng = np.random.default_rng([seed, turn, *scene.stem.encode()])
        bodies = segmented_bodies(scene, segmenter, rng)
        with whole_file(target, "The bodies") as file:
            np.savez(file, **bodies)
        print(f"scan {index + 1} of {scans}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", type=Path, required=True, help="folder of phantom scenes")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the bodies")
    parser.add_argument("--scans", type=number, default=300)
    parser.add_argument("--segmentation", type=Path, help="weights; by default the bundled ones")
    parser.add_argument("--seed", type=count, default=0)
    args = parser.parse_args(arguments)
    check_bank(args.bank)
    segmenter = load_chosen("segmentation", args.segmentation)
    collect(scene_files(args.bank), args.output, segmenter, args.scans, args.seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(run_alone(main))
