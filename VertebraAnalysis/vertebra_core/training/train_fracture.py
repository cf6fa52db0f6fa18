"""Train one of VertFault's fracture networks, for the comparison with the grade head.

Run as ``vertebra_core train fracture --network fracsegnet --loss focal --bank ... --out ...``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..grading.fracture_networks import (
    CROP_SHAPE_ZYX,
    CROP_SPACING_MM,
    GRADE,
    MASK,
    WALL,
    FracNet,
    FracResNet,
    FracSegNet,
)
from ..networks.normalisation import normalise_hu
from .arguments import SMALL, add_size_argument, add_training_arguments, number, training_config
from .class_losses import (
    CLASS_LOSSES,
    class_loss,
    inverse_frequency_weights,
    known_binary_cross_entropy,
    two_class_dice,
    unified_focal_mask,
)
from .fracture_samples import UNKNOWN_GRADE, PhantomFractureSource
from .loop import Trainer
from .sources import Sample, SampleSource
from .task import TrainingConfig, TrainingTask
from .variation import flip_left_right, vary_intensity

NETWORKS = {"fracnet": FracNet, "fracsegnet": FracSegNet, "fracresnet": FracResNet}
WALL_WEIGHT = 0.5

SMALL_CROP = {"crop_shape": (48, 48, 48), "crop_spacing_mm": 2.0, "folded": True}
"""The same 96 mm as VertFault's crop at a fortieth of the cost (0.06 s instead of 2.6 s)."""

SMALL_WIDTHS = {
    "fracnet": (16, 32, 48, 64),
    "fracsegnet": (16, 32, 48, 64),
    "fracresnet": (16, 32, 64, 96),
}

_BATCH_SIZE = 4


@dataclass(frozen=True)
class FractureConfig:
    """What a fracture network is trained from.

    Attributes
    ----------
    training : TrainingConfig
    bank : Path
        Folder of phantom scenes.
    network : str
        One of `NETWORKS`.
    loss : str
        One of `class_losses.CLASS_LOSSES`, for the grade; ``"unified_focal"`` is taken for the mask
        as well, which otherwise has VertFault's Dice loss.
    walls : bool
        Whether to tell broken endplates and posterior walls too.
    widths : tuple of int
        Channels per level; empty takes the network's own.
    crop_shape : tuple of int
        Size of a crop, voxels z, y, x.
    crop_spacing_mm : float
        Its spacing.
    folded : bool
        Whether the network works on half the grid, see `UNet3d`.
    """

    training: TrainingConfig
    bank: Path
    network: str = "fracsegnet"
    loss: str = "focal"
    walls: bool = True
    widths: tuple[int, ...] = ()
    crop_shape: tuple[int, int, int] = CROP_SHAPE_ZYX
    crop_spacing_mm: float = CROP_SPACING_MM
    folded: bool = False


class FractureTask(TrainingTask):
    """Grade, broken walls and, where the network has it, the mask of a vertebra."""

    def __init__(self, config: FractureConfig) -> None:
        if config.network not in NETWORKS:
            raise ValueError(f"there is no fracture network {config.network!r}")
        if config.loss not in CLASS_LOSSES:
            raise ValueError(f"there is no loss {config.loss!r}")
        self._config = config
        self._weights: torch.Tensor | None = None

    @property
    def name(self) -> str:
        """Name of the weights' file, such as ``fracsegnet_focal``."""
        return f"{self._config.network}_{self._config.loss}"

    def build_network(self) -> nn.Module:
        """Return a new network."""
        config = self._config
        sizes = {"widths": config.widths} if config.widths else {}
        if config.network == "fracresnet" and config.widths:
            sizes["depths"] = (1,) * len(config.widths)
        return NETWORKS[config.network](
            walls=config.walls,
            folded=config.folded,
            crop_shape=config.crop_shape,
            crop_spacing_mm=config.crop_spacing_mm,
            **sizes,
        )

    def source(self, validation: bool) -> SampleSource:
        """Return crops of phantoms."""
        crop = self._config.crop_shape, self._config.crop_spacing_mm
        return PhantomFractureSource(self._config.bank, validation, *crop)

    def prepare(
        self, samples: list[Sample], rng: np.random.Generator | None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Make a batch; with `rng`, mirror and vary intensities."""
        crops, masks = [], []
        for sample in samples:
            hu, mask = sample["hu"].float(), sample["vertebra"].float() / 255
            if rng is not None:
                hu = vary_intensity(hu, rng)
                if rng.random() < 0.5:
                    hu, mask = flip_left_right(hu), flip_left_right(mask)
            crops.append(normalise_hu(hu)[None])
            masks.append(mask[None])
        targets = {key: torch.stack([s[key] for s in samples]) for key in ("grade", "walls")}
        return torch.stack(crops), {**targets, "mask": torch.stack(masks)}

    def loss(
        self, output: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss of grade and mask, equally weighted, and of the walls."""
        known = targets["grade"] != UNKNOWN_GRADE
        parts = {"grade": output[GRADE].sum() * 0}
        if bool(known.any()):
            logits, classes = output[GRADE][known], targets["grade"][known]
            parts["grade"] = class_loss(self._config.loss, logits, classes, self._class_weights())
        total = parts["grade"]
        if MASK in output:
            of_mask = unified_focal_mask if self._config.loss == "unified_focal" else two_class_dice
            parts["mask"] = of_mask(output[MASK], targets["mask"])
            total = total + parts["mask"]
        if WALL in output:
            parts["walls"] = known_binary_cross_entropy(output[WALL], targets["walls"])
            total = total + WALL_WEIGHT * parts["walls"]
        return total, parts

    def measure(
        self, output: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]
    ) -> dict[str, float]:
        """Exact grades, fractures told from none, walls told rightly, Dice of the mask."""
        known = targets["grade"] != UNKNOWN_GRADE
        if not bool(known.any()):
            return {}
        truth, found = targets["grade"][known], output[GRADE][known].argmax(1)
        figures = {
            "exact": float((truth == found).float().mean()),
            "fracture_right": float(((truth > 0) == (found > 0)).float().mean()),
        }
        if MASK in output:
            mask, seen = targets["mask"] > 0.5, output[MASK] > 0
            figures["dice"] = float(
                2 * (mask & seen).sum() / (mask.sum() + seen.sum()).clamp_min(1)
            )
        walls = targets["walls"]
        if WALL in output and bool(torch.isfinite(walls).any()):
            where = torch.isfinite(walls)
            right = (output[WALL] > 0) == (walls > 0.5)
            figures["walls_right"] = float(right[where].float().mean())
        return figures

    def _class_weights(self) -> torch.Tensor:
        if self._weights is None:
            source = PhantomFractureSource(self._config.bank)
            frequencies = torch.from_numpy(source.grade_frequencies())
            self._weights = inverse_frequency_weights(frequencies)
        return self._weights


def train_fracture(config: FractureConfig) -> dict[str, float]:
    """Train a fracture network as `config` says; return the figures of the last validation.

    Weights are written to ``<out>/NETWORK_LOSS.safetensors``, logs and checkpoint beside them.
    """
    return Trainer(FractureTask(config), config.training).run()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this training to `parser`."""
    parser.add_argument("--bank", type=Path, required=True, help="folder of phantom scenes")
    parser.add_argument("--network", choices=tuple(NETWORKS), default="fracsegnet")
    parser.add_argument("--loss", choices=CLASS_LOSSES, default="focal", help="loss of the grade")
    parser.add_argument(
        "--no-walls",
        dest="walls",
        action="store_false",
        help="leave out the branch for broken endplates and posterior walls",
    )
    parser.add_argument(
        "--widths", type=number, nargs="+", default=[], help="channels per level, finest first"
    )
    add_size_argument(parser)
    add_training_arguments(parser)
    parser.set_defaults(batch_size=_BATCH_SIZE, learning_rate=5e-4)


def config_from(args: argparse.Namespace) -> FractureConfig:
    """Make a configuration from parsed arguments."""
    widths, crop = tuple(args.widths), {}
    if args.size == SMALL:
        widths, crop = widths or SMALL_WIDTHS[args.network], SMALL_CROP
    return FractureConfig(
        training_config(args), args.bank, args.network, args.loss, args.walls, widths, **crop
    )
