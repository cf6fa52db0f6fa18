"""Train the network that names single vertebrae, to compare with the sequence model.

Run as ``vertebra_core train single_labelling --bank FOLDER --out FOLDER --minutes N``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..labelling.single_network import SingleVertebraNetwork
from .arguments import SMALL, add_size_argument, add_training_arguments, training_config
from .loop import Trainer
from .mask_samples import UNKNOWN_LEVEL, PhantomMaskSource
from .sources import Sample, SampleSource
from .task import TrainingConfig, TrainingTask
from .temperature import with_temperature
from .variation import flip_left_right

SMALL_NETWORK = {
    "widths": (32, 64, 128),
    "depths": (2, 2, 2),
    "width": 128,
    "layers": 2,
    "folds": 2,
}
"""Masks are as large as Lu et al. make them, but the first layer works on a quarter of the grid."""


@dataclass(frozen=True)
class SingleLabellingConfig:
    """What single-vertebra labelling is trained from.

    Attributes
    ----------
    training : TrainingConfig
    bank : Path
        Folder of phantom scenes.
    network : dict
        Keyword arguments of `SingleVertebraNetwork` that differ from its defaults.
    """

    training: TrainingConfig
    bank: Path
    network: dict[str, object] | None = None


class SingleLabellingTask(TrainingTask):
    """Level of a vertebra from its mask."""

    name = "single_labelling"

    def __init__(self, config: SingleLabellingConfig) -> None:
        self._config = config

    def build_network(self) -> nn.Module:
        """Return a new network."""
        return SingleVertebraNetwork(**(self._config.network or {}))

    def source(self, validation: bool) -> SampleSource:
        """Return masks of phantoms."""
        return PhantomMaskSource(self._config.bank, validation)

    def prepare(
        self, samples: list[Sample], rng: np.random.Generator | None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Make a batch; with `rng`, mirror, move by up to two voxels."""
        masks = []
        for sample in samples:
            mask = sample["mask"].float()
            if rng is not None:
                steps = rng.integers(-2, 3, 3).tolist()
                mask = torch.roll(mask, steps, (0, 1, 2))
                mask = flip_left_right(mask) if rng.random() < 0.5 else mask
            masks.append(mask[None])
        return torch.stack(masks), {"level": torch.stack([s["level"] for s in samples])}

    def loss(
        self, output: torch.Tensor, targets: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the cross-entropy of the level."""
        if bool((targets["level"] == UNKNOWN_LEVEL).all()):
            zero = output.sum() * 0
            return zero, {"level": zero}
        loss = functional.cross_entropy(output, targets["level"], ignore_index=UNKNOWN_LEVEL)
        return loss, {"level": loss}

    def measure(self, output: torch.Tensor, targets: dict[str, torch.Tensor]) -> dict[str, float]:
        """Shares named rightly, and within one level."""
        known = targets["level"] != UNKNOWN_LEVEL
        if not bool(known.any()):
            return {}
        off = (output[known].argmax(1) - targets["level"][known]).abs()
        return {
            "right": float((off == 0).float().mean()),
            "within_one": float((off <= 1).float().mean()),
        }


def train_single_labelling(config: SingleLabellingConfig) -> dict[str, float]:
    """Train as `config` says; return the figures of the last validation.

    At the end the temperature of the probabilities is fitted on scenes held aside. Weights are
    written to ``<out>/single_labelling.safetensors``, logs and checkpoint beside them.
    """
    trainer = Trainer(SingleLabellingTask(config), config.training)
    return with_temperature(
        trainer, trainer.run(), lambda output, targets: (output, targets["level"])
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this training to `parser`."""
    parser.add_argument("--bank", type=Path, required=True, help="folder of phantom scenes")
    add_size_argument(parser)
    add_training_arguments(parser)
    parser.set_defaults(batch_size=8, learning_rate=6e-4, validation_samples=96)


def config_from(args: argparse.Namespace) -> SingleLabellingConfig:
    """Make a configuration from parsed arguments."""
    network = SMALL_NETWORK if args.size == SMALL else None
    return SingleLabellingConfig(training_config(args), args.bank, network)
