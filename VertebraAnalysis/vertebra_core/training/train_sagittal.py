"""Train the sagittal detector, a localiser to compare with LocNet.

Run as ``vertebra_core train sagittal --bank FOLDER --out FOLDER --minutes N``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..localisation.sagittal_network import OBJECT, STRIDE, SagittalDetector, decode_boxes
from ..networks.normalisation import normalise_hu
from .arguments import add_training_arguments, number, training_config
from .box_losses import assign_cells, generalised_iou
from .loop import Trainer
from .losses import focal
from .sagittal_samples import SLAB_SHAPE_ZYX, PhantomSagittalSource
from .sources import Sample, SampleSource
from .task import TrainingConfig, TrainingTask
from .variation import vary_intensity

OBJECT_WEIGHT = 40.0
"""The focal loss is a mean over all cells, of which one in a hundred holds a body."""

_THRESHOLD = 0.3
_CENTER_LIMIT_PIXELS = 4.0


@dataclass(frozen=True)
class SagittalConfig:
    """What the sagittal detector is trained from.

    Attributes
    ----------
    training : TrainingConfig
    bank : Path
        Folder of phantom scenes.
    slab_shape : tuple of int
        Size of a slab (z, y, x) at 2 mm; z and y are multiples of 16.
    widths : tuple of int
        Channels of the network at strides 2, 4, 8 and 16.
    """

    training: TrainingConfig
    bank: Path
    slab_shape: tuple[int, int, int] = SLAB_SHAPE_ZYX
    widths: tuple[int, ...] = (32, 64, 96, 128)


class SagittalTask(TrainingTask):
    """Boxes around bodies on single sagittal slices."""

    name = "sagittal"

    def __init__(self, config: SagittalConfig) -> None:
        self._config = config

    def build_network(self) -> nn.Module:
        """Return a new detector."""
        return SagittalDetector(self._config.widths)

    def source(self, validation: bool) -> SampleSource:
        """Return slabs of phantoms."""
        return PhantomSagittalSource(self._config.bank, validation, self._config.slab_shape)

    def prepare(
        self, samples: list[Sample], rng: np.random.Generator | None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Make a batch of one slice from each slab: any with `rng`, else the middle one."""
        slices, owned, targets = [], [], []
        for sample in samples:
            count = sample["hu"].shape[2]
            x = count // 2 if rng is None else int(rng.integers(count))
            hu = sample["hu"][:, :, x].float()
            slices.append(normalise_hu(hu if rng is None else vary_intensity(hu, rng))[None])
            cells = [n // STRIDE for n in hu.shape]
            own, target = assign_cells(sample["boxes"][x], *cells)
            owned.append(own)
            targets.append(target)
        boxes = {"owned": torch.stack(owned), "boxes": torch.stack(targets)}
        return torch.stack(slices), boxes

    def loss(
        self, output: torch.Tensor, targets: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return a focal loss of the cells and the generalised overlap of the boxes."""
        owned = targets["owned"]
        parts = {"object": focal(output[:, OBJECT], owned.float()), "box": output.sum() * 0}
        if bool(owned.any()):
            found, truth = (
                boxes.permute(0, 2, 3, 1)[owned]
                for boxes in (decode_boxes(output), targets["boxes"])
            )
            parts["box"] = (1 - generalised_iou(found, truth)).mean()
        return OBJECT_WEIGHT * parts["object"] + parts["box"], parts

    def measure(self, output: torch.Tensor, targets: dict[str, torch.Tensor]) -> dict[str, float]:
        """Overlap of boxes, share of bodies' cells found, cells found off any body."""
        owned, found = targets["owned"], torch.sigmoid(output[:, OBJECT]) > _THRESHOLD
        figures = {"false_cells": float((found & ~owned).sum()) / len(output)}
        if bool(owned.any()):
            boxes, truth = (
                b.permute(0, 2, 3, 1)[owned] for b in (decode_boxes(output), targets["boxes"])
            )
            figures["giou"] = float(generalised_iou(boxes, truth).mean())
            middle = [(b[:, :2] + b[:, 2:]) / 2 for b in (boxes, truth)]
            near = (middle[0] - middle[1]).norm(dim=1) < _CENTER_LIMIT_PIXELS
            figures["cells_found"] = float((found[owned] & near).float().mean())
        return figures


def train_sagittal(config: SagittalConfig) -> dict[str, float]:
    """Train the detector as `config` says; return the figures of the last validation.

    Weights are written to ``<out>/sagittal.safetensors``, logs and checkpoint beside them.
    """
    return Trainer(SagittalTask(config), config.training).run()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this training to `parser`."""
    parser.add_argument("--bank", type=Path, required=True, help="folder of phantom scenes")
    parser.add_argument(
        "--widths",
        type=number,
        nargs=4,
        default=[32, 64, 96, 128],
        metavar="N",
        help="channels at strides 2, 4, 8 and 16 (default 32 64 96 128)",
    )
    add_training_arguments(parser)
    parser.set_defaults(batch_size=8, replay_share=0.75, replay_size=400)


def config_from(args: argparse.Namespace) -> SagittalConfig:
    """Make a configuration from parsed arguments."""
    return SagittalConfig(training_config(args), args.bank, widths=tuple(args.widths))
