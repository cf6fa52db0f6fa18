"""Train the labelling network.

Run as ``python -m vertebra_core.training.train_labelling --bank FOLDER --out FOLDER --minutes N``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..labelling.context import CONTEXT_SPACING_MM, chain_geometry, context_crops
from ..labelling.network import LevelNetwork
from .arguments import add_training_arguments, log_to_terminal, training_config
from .labelling_samples import JITTER_SD_MM, PhantomLabellingSource
from .loop import Trainer
from .sources import Sample, SampleSource
from .task import Inputs, TrainingConfig, TrainingTask
from .variation import vary_intensity

ALONE_WEIGHT = 0.4
"""Weight of the loss of single crops beside that of the sequence."""

SMOOTHING = 0.02


@dataclass(frozen=True)
class LabellingConfig:
    """What the labelling network is trained from.

    Attributes
    ----------
    training : TrainingConfig
    bank : Path
        Folder of phantom scenes.
    widths : tuple of int
        Channels per encoder level.
    """

    training: TrainingConfig
    bank: Path
    widths: tuple[int, ...] = (24, 48, 96, 128)


class LabellingTask(TrainingTask):
    """Levels of a stretch of spine; a batch is one stretch."""

    name = "labelling"

    def __init__(self, config: LabellingConfig) -> None:
        if config.training.batch_size != 1:
            raise ValueError("a stretch of spine is a batch of its own: the batch size must be 1")
        self._config = config

    def build_network(self) -> nn.Module:
        """Return a new network."""
        return LevelNetwork(widths=self._config.widths)

    def source(self, validation: bool) -> SampleSource:
        """Return phantom stretches."""
        return PhantomLabellingSource(self._config.bank, validation)

    def prepare(
        self, samples: list[Sample], rng: np.random.Generator | None
    ) -> tuple[Inputs, dict[str, torch.Tensor]]:
        """Cut the crops; with `rng`, move centres, mirror and vary intensities."""
        (sample,) = samples
        known = sample["levels"] >= 0
        hu, levels = sample["hu"].float(), sample["levels"][known]
        centres = sample["centres"][known].numpy().astype(float)
        if rng is not None:
            centres = centres + rng.normal(0, JITTER_SD_MM / CONTEXT_SPACING_MM, centres.shape)
            hu = vary_intensity(hu, rng)
            if rng.random() < 0.5:
                hu = hu.flip(-1)
                centres[:, 2] = hu.shape[2] - 1 - centres[:, 2]
        if not len(levels):
            # A stretch without a vertebra still needs a shape; it carries no loss.
            centres, levels = np.array([np.array(hu.shape) / 2]), torch.tensor([-1])
        crops = context_crops(hu.numpy(), centres)
        geometry = chain_geometry(centres * CONTEXT_SPACING_MM)
        return (crops, torch.from_numpy(geometry)), {"levels": levels}

    def loss(
        self, output: torch.Tensor, targets: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Cross-entropy of the sequence and of every crop alone."""
        levels = targets["levels"]
        if int(levels.max()) < 0:
            zero = output.sum() * 0
            return zero, {"sequence": zero, "alone": zero}
        parts = {
            name: functional.cross_entropy(logits, levels, label_smoothing=SMOOTHING)
            for name, logits in zip(("sequence", "alone"), output, strict=True)
        }
        return parts["sequence"] + ALONE_WEIGHT * parts["alone"], parts

    def measure(self, output: torch.Tensor, targets: dict[str, torch.Tensor]) -> dict[str, float]:
        """Share of levels that are exact, and within one."""
        levels = targets["levels"]
        if int(levels.max()) < 0:
            return {}
        off = (output[0].argmax(1) - levels).abs()
        alone = output[1].argmax(1) == levels
        return {
            "exact": float((off == 0).float().mean()),
            "within_one": float((off <= 1).float().mean()),
            "alone_exact": float(alone.float().mean()),
        }


def train_labelling(config: LabellingConfig) -> dict[str, float]:
    """Train the labelling network as `config` says; return the figures of the last validation.

    Weights are written to ``<out>/labelling.safetensors``, logs and checkpoint beside them.
    """
    return Trainer(LabellingTask(config), config.training).run()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this training to `parser`."""
    parser.add_argument("--bank", type=Path, required=True, help="folder of phantom scenes")
    add_training_arguments(parser)


def config_from(args: argparse.Namespace) -> LabellingConfig:
    """Make a configuration from parsed arguments."""
    return LabellingConfig(training_config(args), args.bank)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    log_to_terminal()
    train_labelling(config_from(parser.parse_args(arguments)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
