"""Train the segmentation network.

Run as ``vertebra_core train segmentation --bank FOLDER --out FOLDER``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..networks.normalisation import normalise_hu
from ..networks.subpixel_unet import SubpixelUNet
from ..segmentation.crops import CROP_SHAPE_ZYX, center_prior
from .arguments import add_training_arguments, number, training_config
from .label_arguments import LabelledData, add_source_arguments, labelled_data
from .label_folders import LabelledSegmentationSource
from .loop import Trainer
from .losses import binary_cross_entropy, boundary_weight, soft_dice
from .segmentation_samples import PhantomSegmentationSource
from .sources import Sample, SampleSource, phantoms_and_scans
from .task import TrainingConfig, TrainingTask
from .variation import flip_left_right, vary_intensity

CROSS_ENTROPY_WEIGHT = 2.0
_PRIOR_JITTER_VOXELS = 0.7


@dataclass(frozen=True)
class SegmentationConfig:
    """What the segmentation network is trained from.

    Attributes
    ----------
    training : TrainingConfig
    bank : Path or None
        Folder of phantom scenes.
    labels : LabelledData
        Labelled scans, VerSe downloads among them.
    crop_shape : tuple of int
        Size of a crop (z, y, x) at 1 mm.
    widths : tuple of int
        Channels per level of the network.
    attention : bool
        Attention gates on the skips.
    split_bodies : bool
        Cut bodies out of labelled vertebrae where a scan has no map of bodies; else those bodies
        teach nothing.
    """

    training: TrainingConfig
    bank: Path | None
    labels: LabelledData = LabelledData()
    crop_shape: tuple[int, int, int] = CROP_SHAPE_ZYX
    widths: tuple[int, ...] = (32, 48, 96, 192)
    attention: bool = True
    split_bodies: bool = True


class SegmentationTask(TrainingTask):
    """Vertebra and body from a crop and the prior of its centre, at 1 mm."""

    name = "segmentation"

    def __init__(self, config: SegmentationConfig) -> None:
        self._config = config

    def build_network(self) -> nn.Module:
        """Return a new network."""
        network = SubpixelUNet(2, 2, self._config.widths, self._config.attention)
        network.start_at((0.05, 0.03))
        return network

    def source(self, validation: bool) -> SampleSource:
        """Return phantoms, labelled scans, or both."""
        config = self._config
        phantoms = scans = None
        if config.bank:
            phantoms = PhantomSegmentationSource(config.bank, validation, config.crop_shape)
        if config.labels.folders:
            cache = config.labels.cache_in(config.training.out)
            scans = LabelledSegmentationSource(
                config.labels.folders, cache, validation, config.crop_shape, config.split_bodies
            )
        return phantoms_and_scans(phantoms, scans, config.labels.share)

    def prepare(
        self, samples: list[Sample], rng: np.random.Generator | None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Make a batch; with `rng`, flip, vary intensities and move the prior a little."""
        inputs, truths, masks = [], [], []
        for sample in samples:
            hu, center = sample["hu"].float(), sample["center"].numpy()
            truth = torch.stack([sample["vertebra"], sample["body"]]).float() / 255
            seen = sample["visible"]
            if rng is not None:
                center = center + rng.normal(0, _PRIOR_JITTER_VOXELS, 3)
                hu = vary_intensity(hu, rng)
                if rng.random() < 0.5:
                    hu, truth, seen = (flip_left_right(t) for t in (hu, truth, seen))
                    center = center * [1, 1, -1] + [0, 0, hu.shape[2] - 1]
            prior = center_prior(tuple(hu.shape), center)
            inputs.append(torch.stack([normalise_hu(hu), prior]))
            truths.append(truth)
            masks.append(torch.stack([seen, seen & sample["has_body"]]).float())
        return torch.stack(inputs), {"truth": torch.stack(truths), "mask": torch.stack(masks)}

    def loss(
        self, output: torch.Tensor, targets: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Soft Dice and cross-entropy, weighted towards surfaces."""
        truth, mask = targets["truth"], targets["mask"]
        parts = {
            "dice": soft_dice(torch.sigmoid(output), truth, mask),
            "bce": binary_cross_entropy(output, truth, mask * boundary_weight(truth)),
        }
        return parts["dice"] + CROSS_ENTROPY_WEIGHT * parts["bce"], parts

    def measure(self, output: torch.Tensor, targets: dict[str, torch.Tensor]) -> dict[str, float]:
        """Dice of vertebra and body; voxels found where there is none."""
        figures: dict[str, float] = {}
        found = (output > 0) & (targets["mask"] > 0)
        truth = (targets["truth"] > 0.5) & (targets["mask"] > 0)
        if not truth[:, 0].any():
            return {"false_voxels": float(found[:, 0].sum())}
        for channel, name in enumerate(("vertebra", "body")):
            total = truth[:, channel].sum() + found[:, channel].sum()
            if truth[:, channel].sum() > 50:
                overlap = (truth[:, channel] & found[:, channel]).sum()
                figures[f"dice_{name}"] = float(2 * overlap / total)
        return figures


def train_segmentation(config: SegmentationConfig) -> dict[str, float]:
    """Train the segmentation network as `config` says; return the figures of the last validation.

    Weights are written to ``<out>/segmentation.safetensors``, logs and checkpoint beside them.
    """
    return Trainer(SegmentationTask(config), config.training).run()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this training to `parser`."""
    add_source_arguments(parser)
    parser.add_argument(
        "--crop",
        type=number,
        nargs=3,
        default=CROP_SHAPE_ZYX,
        metavar=("Z", "Y", "X"),
        help="size of a crop in voxels of 1 mm; smaller ones train faster",
    )
    parser.add_argument(
        "--split-bodies",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="cut bodies out of labelled vertebrae where there is no label map of bodies; without, "
        "those vertebrae teach nothing about bodies",
    )
    add_training_arguments(parser)


def config_from(args: argparse.Namespace) -> SegmentationConfig:
    """Make a configuration from parsed arguments."""
    return SegmentationConfig(
        training_config(args),
        args.bank,
        labelled_data(args),
        tuple(args.crop),
        split_bodies=args.split_bodies,
    )
