"""Train the labelling network.

Run as ``vertebra_core train labelling --bank FOLDER --out FOLDER``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..labelling.crops import (
    CROP_SPACING_MM,
    VertebraSequence,
    crop_origin,
    cut_crop,
    stack_sequences,
)
from ..labelling.network import N_CLASSES, SACRUM, SEQUENCE_HEAD, SINGLE_HEAD, LabellingNetwork
from ..networks.normalisation import normalise_hu
from .arguments import add_training_arguments, number, training_config
from .label_arguments import LabelledData, add_source_arguments, labelled_data
from .labelled_stretches import LabelledStretchSource
from .labelling_samples import PhantomLabellingSource, unpack_hu
from .localisation_samples import SACRUM_NUMBER
from .loop import Trainer
from .sources import Sample, SampleSource, phantoms_and_scans
from .task import TrainingConfig, TrainingTask
from .temperature import with_temperature
from .variation import flip_left_right, vary_intensity

SINGLE_WEIGHT = 0.4
"""Weight of naming each vertebra by its crop alone, which makes its features learn faster."""

NEIGHBOUR_SMOOTHING = 0.04
"""Share of the target given to the levels next to the true one: off by one is the honest doubt."""

MASK_SHARE = 0.6
"""Share of training rows that come with masks; the network must also do without."""

_IGNORED = -100


@dataclass(frozen=True)
class LabellingConfig:
    """What the labelling network is trained from.

    Attributes
    ----------
    training : TrainingConfig
    bank : Path or None
        Folder of phantom scenes.
    longest : int
        Vertebrae in the longest row; bounds time and memory of a step.
    labels : LabelledData
        Labelled scans, VerSe downloads among them.
    """

    training: TrainingConfig
    bank: Path | None
    longest: int = 25
    labels: LabelledData = LabelledData()


class LabellingTask(TrainingTask):
    """Levels of rows of vertebrae."""

    name = "labelling"

    def __init__(self, config: LabellingConfig) -> None:
        self._config = config

    def build_network(self) -> nn.Module:
        """Return a new network."""
        return LabellingNetwork()

    def source(self, validation: bool) -> SampleSource:
        """Return stretches of phantoms, of labelled scans, or of both."""
        config = self._config
        phantoms = scans = None
        if config.bank:
            phantoms = PhantomLabellingSource(config.bank, validation, config.longest)
        if config.labels.folders:
            cache, longest = config.labels.cache_in(config.training.out), config.longest
            scans = LabelledStretchSource(config.labels.folders, cache, validation, longest)
        return phantoms_and_scans(phantoms, scans, config.labels.share)

    def prepare(
        self, samples: list[Sample], rng: np.random.Generator | None
    ) -> tuple[VertebraSequence, dict[str, torch.Tensor]]:
        """Make a batch; with `rng`, flip, vary intensities, move crops, drop or wear masks."""
        rows, classes = [], []
        for sample in samples:
            hu, instances, centers = unpack_hu(sample["hu"]), sample["instances"], sample["centers"]
            centers = centers.clone()
            with_masks = True
            if rng is not None:
                hu = vary_intensity(hu, rng)
                with_masks = rng.random() < MASK_SHARE
                centers += torch.as_tensor(rng.normal(0, 0.4, centers.shape), dtype=torch.float32)
                if rng.random() < 0.5:
                    hu, instances = flip_left_right(hu), flip_left_right(instances)
                    centers[:, 2] = hu.shape[2] - 1 - centers[:, 2]
            image = normalise_hu(hu)
            crops = [
                _crop(image, instances if with_masks else None, center, int(number), rng)
                for center, number in zip(centers.numpy(), sample["numbers"], strict=True)
            ]
            rows.append((torch.stack(crops), centers * CROP_SPACING_MM))
            classes.append(sample["classes"])
        target = nn.utils.rnn.pad_sequence(classes, batch_first=True, padding_value=_IGNORED)
        return stack_sequences(rows), {"classes": target}

    def loss(
        self, output: torch.Tensor, targets: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Cross-entropy of both heads against softened levels."""
        known = targets["classes"] != _IGNORED
        wanted = soft_targets(targets["classes"][known])
        parts = {
            name: functional.cross_entropy(output[known][:, head], wanted)
            for name, head in (("sequence", SEQUENCE_HEAD), ("single", SINGLE_HEAD))
        }
        return parts["sequence"] + SINGLE_WEIGHT * parts["single"], parts

    def measure(self, output: torch.Tensor, targets: dict[str, torch.Tensor]) -> dict[str, float]:
        """Shares named rightly, within one level, and of rows named rightly throughout."""
        known = targets["classes"] != _IGNORED
        truth = targets["classes"][known]
        found = output[known].argmax(2)
        right = found[:, SEQUENCE_HEAD] == truth
        figures = {
            "right": float(right.float().mean()),
            "right_single": float((found[:, SINGLE_HEAD] == truth).float().mean()),
        }
        level = (truth < SACRUM) & (found[:, SEQUENCE_HEAD] < SACRUM)
        if level.any():
            off = (found[level, SEQUENCE_HEAD] - truth[level]).abs()
            figures["within_one"] = float((off <= 1).float().mean())
        figures["rows_right"] = float(right.all())
        return figures


def soft_targets(classes: torch.Tensor) -> torch.Tensor:
    """Return target probabilities [m, 28] for classes [m]."""
    share = functional.one_hot(classes, N_CLASSES).float()
    levels = share[:, :SACRUM]
    beside = functional.pad(levels[:, 1:], (0, 1)) + functional.pad(levels[:, :-1], (1, 0))
    smoothed = torch.cat([beside * NEIGHBOUR_SMOOTHING / 2, torch.zeros_like(share[:, SACRUM:])], 1)
    return share * (1 - smoothed.sum(1, keepdim=True)) + smoothed


def _crop(
    image: torch.Tensor,
    instances: torch.Tensor | None,
    center: np.ndarray,
    number: int,
    rng: np.random.Generator | None,
) -> torch.Tensor:
    origin = crop_origin(center)
    ct = cut_crop(image, origin)
    if instances is None or number in (0, SACRUM_NUMBER):
        return torch.stack([ct, torch.zeros_like(ct)])
    mask = (cut_crop(instances.float(), origin, 0.0) == number).float()
    smooth = functional.avg_pool3d(mask[None, None], 3, 1, 1)[0, 0]
    # Segmentation puts the surface a little further in or out, and leaves thin processes off.
    gain, threshold = (2.0, 0.25) if rng is None else (rng.uniform(1, 4), rng.uniform(0.1, 0.5))
    return torch.stack([ct, ((smooth - threshold) * gain + 0.5).clamp(0, 1)])


def train_labelling(config: LabellingConfig) -> dict[str, float]:
    """Train the labelling network as `config` says; return the figures of the last validation.

    At the end the temperature of its probabilities is fitted on scenes held aside.
    Weights are written to ``<out>/labelling.safetensors``, logs and checkpoint beside them.
    """
    trainer = Trainer(LabellingTask(config), config.training)
    return with_temperature(trainer, trainer.run(), _opinions)


def _opinions(
    output: torch.Tensor, targets: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    return output[0, :, SEQUENCE_HEAD], targets["classes"][0]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this training to `parser`."""
    add_source_arguments(parser)
    parser.add_argument("--longest", type=number, default=25, help="vertebrae in the longest row")
    add_training_arguments(parser)


def config_from(args: argparse.Namespace) -> LabellingConfig:
    """Make a configuration from parsed arguments."""
    return LabellingConfig(training_config(args), args.bank, args.longest, labelled_data(args))
