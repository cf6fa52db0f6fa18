"""Train LocNet.

Run as ``vertebra_core train locnet --bank FOLDER --out FOLDER``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..localisation.outputs import (
    FOREGROUND,
    HEAT,
    OFFSET,
    OFFSET_UNIT_MM,
    OUT_CHANNELS,
    WORKING_SPACING_MM,
)
from ..localisation.targets import localisation_targets
from ..networks.normalisation import normalise_hu
from ..networks.subpixel_unet import SubpixelUNet
from .arguments import add_training_arguments, number, training_config
from .label_arguments import LabelledData, add_source_arguments, labelled_data
from .label_folders import LabelledLocalisationSource
from .localisation_samples import PhantomLocalisationSource
from .loop import Trainer
from .losses import binary_cross_entropy, chamfer_votes, heat_loss, masked_smooth_l1, soft_dice
from .sources import Sample, SampleSource, phantoms_and_scans
from .task import TrainingConfig, TrainingTask
from .variation import flip_left_right, vary_intensity

OFFSET_WEIGHT = 0.3
CHAMFER_WEIGHT = 0.003
FOREGROUND_WEIGHT = 2.0
"""Weights of the losses beside the heat's. Offsets (mm) decide where votes land, so they weigh
most; the chamfer (squared mm) of centres that nothing votes for yet is large and teaches little."""

_MAX_VOTES = 4096
_VOTE_HEAT = 0.3


@dataclass(frozen=True)
class LocalisationConfig:
    """What LocNet is trained from.

    Attributes
    ----------
    training : TrainingConfig
    bank : Path or None
        Folder of phantom scenes.
    labels : LabelledData
        Labelled scans, VerSe downloads among them.
    block_shape : tuple of int
        Size of a block (z, y, x) at 2 mm.
    widths : tuple of int
        Channels per level of the network.
    """

    training: TrainingConfig
    bank: Path | None
    labels: LabelledData = LabelledData()
    block_shape: tuple[int, int, int] = (96, 96, 96)
    widths: tuple[int, ...] = (32, 48, 96, 192)


class LocalisationTask(TrainingTask):
    """Heat, offsets and foreground from blocks at 2 mm."""

    name = "locnet"

    def __init__(self, config: LocalisationConfig) -> None:
        self._config = config

    def build_network(self) -> nn.Module:
        """Return a new LocNet."""
        network = SubpixelUNet(1, OUT_CHANNELS, self._config.widths, attention=False)
        # An offset of 0 (its channels have no sigmoid) is what one half stands for.
        network.start_at((0.01, 0.5, 0.5, 0.5, 0.05))
        return network

    def source(self, validation: bool) -> SampleSource:
        """Return phantoms, labelled scans, or both."""
        config = self._config
        phantoms = scans = None
        if config.bank:
            phantoms = PhantomLocalisationSource(config.bank, validation, config.block_shape)
        if config.labels.folders:
            cache, shape = config.labels.cache_in(config.training.out), config.block_shape
            scans = LabelledLocalisationSource(config.labels.folders, cache, validation, shape)
        return phantoms_and_scans(phantoms, scans, config.labels.share)

    def prepare(
        self, samples: list[Sample], rng: np.random.Generator | None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Make a batch; with `rng`, flip and vary intensities."""
        images, targets = [], []
        for sample in samples:
            hu = sample["hu"].float()
            instances, seen, centers = sample["instances"], sample["visible"], sample["centers"]
            if rng is not None and rng.random() < 0.5:
                hu, instances, seen = (flip_left_right(t) for t in (hu, instances, seen))
                centers = centers.clone()
                centers[:, 2] = hu.shape[2] - 1 - centers[:, 2]
            if rng is not None:
                hu = vary_intensity(hu, rng)
            known = sample["numbers"] > 0
            made = localisation_targets(
                instances,
                centers[known].numpy(),
                sample["numbers"][known].numpy(),
                sample["sigma_mm"][known].numpy(),
                WORKING_SPACING_MM,
                seen,
            )
            images.append(normalise_hu(hu)[None])
            targets.append(
                {
                    "heat": made.heat,
                    "offset": made.offset_mm,
                    "weight": made.offset_weight,
                    "foreground": made.foreground[None],
                    "centers": centers,
                }
            )
        stacked = {k: torch.stack([t[k] for t in targets]) for k in targets[0]}
        return torch.stack(images), stacked

    def loss(
        self, output: torch.Tensor, targets: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Adaptive wing, smooth L1 on offsets, chamfer on votes, Dice and cross-entropy."""
        heat = torch.sigmoid(output[:, HEAT])
        offset = output[:, OFFSET] * OFFSET_UNIT_MM
        logits = output[:, FOREGROUND : FOREGROUND + 1]
        parts = {
            "heat": heat_loss(heat, targets["heat"]),
            "offset": masked_smooth_l1(offset, targets["offset"], targets["weight"]),
            "chamfer": _chamfer(heat, offset, targets["centers"]),
            "dice": soft_dice(torch.sigmoid(logits), targets["foreground"]),
            "bce": binary_cross_entropy(logits, targets["foreground"]),
        }
        total = parts["heat"] + OFFSET_WEIGHT * parts["offset"]
        total = total + CHAMFER_WEIGHT * parts["chamfer"]
        return total + parts["dice"] + FOREGROUND_WEIGHT * parts["bce"], parts

    def measure(self, output: torch.Tensor, targets: dict[str, torch.Tensor]) -> dict[str, float]:
        """Dice of the foreground, errors of votes from hot voxels, peak heat at the centres."""
        truth = targets["foreground"][:, 0] > 0.5
        found = output[:, FOREGROUND] > 0
        figures: dict[str, float] = {}
        if truth.any():
            overlap = (truth & found).sum()
            figures["dice"] = float(2 * overlap / (truth.sum() + found.sum()))
        else:
            figures["false_voxels"] = float(found.sum())
        hot = targets["heat"] > 0.3
        if hot.any():
            error = output[:, OFFSET] * OFFSET_UNIT_MM - targets["offset"]
            length = error.square().sum(1).sqrt()
            figures["vote_error_mm"] = float(length[hot].mean())
            heat = torch.sigmoid(output[:, HEAT])
            figures["peak_heat"] = float(heat[targets["heat"] > 0.7].mean())
        return figures


def _chamfer(heat: torch.Tensor, offset: torch.Tensor, centers: torch.Tensor) -> torch.Tensor:
    total = heat.sum() * 0.0
    for item_heat, item_offset, item_centers in zip(heat, offset, centers, strict=True):
        chosen = torch.nonzero(item_heat.detach() > _VOTE_HEAT)
        if len(chosen) > _MAX_VOTES:
            chosen = chosen[:: len(chosen) // _MAX_VOTES + 1]
        size = torch.tensor(item_heat.shape, device=heat.device)
        inside = ((item_centers >= 0) & (item_centers <= size - 1)).all(1)
        z, y, x = chosen.T
        votes = chosen * WORKING_SPACING_MM + item_offset[:, z, y, x].T
        truth = item_centers[inside] * WORKING_SPACING_MM
        total = total + chamfer_votes(votes, item_heat[z, y, x].detach(), truth)
    return total / len(heat)


def train_localisation(config: LocalisationConfig) -> dict[str, float]:
    """Train LocNet as `config` says; return the figures of the last validation.

    Weights are written to ``<out>/locnet.safetensors``, logs and checkpoint beside them.
    """
    return Trainer(LocalisationTask(config), config.training).run()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this training to `parser`."""
    add_source_arguments(parser)
    parser.add_argument(
        "--block",
        type=number,
        nargs=3,
        default=[96, 96, 96],
        metavar=("Z", "Y", "X"),
        help="voxels of 2 mm in a training block, multiples of 16 (default 96 96 96)",
    )
    add_training_arguments(parser)


def config_from(args: argparse.Namespace) -> LocalisationConfig:
    """Make a configuration from parsed arguments."""
    block = tuple(args.block)
    return LocalisationConfig(training_config(args), args.bank, labelled_data(args), block)
