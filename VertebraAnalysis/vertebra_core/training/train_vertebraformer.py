"""Train VertebraFormer, with or without modulation, on all or some imaging domains.

Run as ``vertebra_core train vertebraformer --bank FOLDER --out FOLDER --minutes N``. Cross-domain:
``--domains smooth standard`` trains on scans of these kernels and ``--validate-domains sharp``
measures on the others.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..networks.normalisation import normalise_hu
from ..vertebraformer.network import VertebraFormer
from ..vertebraformer.outputs import (
    DOMAIN,
    LESIONS,
    NUMBERING,
    OFFSETS,
    SEGMENTATION,
    WINDOW_ZYX,
)
from .arguments import SMALL, add_size_argument, add_training_arguments, training_config
from .former_samples import PhantomFormerSource, is_body
from .former_targets import UNKNOWN, center_offsets, coarse_levels, lesion_heat
from .imaging_domains import DOMAINS, domain_numbers
from .loop import Trainer
from .losses import binary_cross_entropy, heat_loss, masked_smooth_l1, soft_dice
from .sources import Sample, SampleSource
from .task import TrainingConfig, TrainingTask
from .variation import flip_left_right, vary_intensity

CROSS_ENTROPY_WEIGHT, NUMBERING_WEIGHT = 2.0, 0.5
OFFSET_WEIGHT = 0.1
LESION_WEIGHT, DOMAIN_WEIGHT = 0.5, 0.1

SMALL_NETWORK = {"widths": (16, 32, 64), "width": 96, "layers": 4}
SMALL_BLOCK = (96, 64, 64)

_HEAT_FLOOR = 60.0
_FOUND_HEAT = 0.3


@dataclass(frozen=True)
class FormerConfig:
    """What VertebraFormer is trained from.

    Attributes
    ----------
    training : TrainingConfig
    bank : Path
        Folder of phantom scenes.
    modulation : bool
        Whether features are adapted to the imaging domain.
    domains, validation_domains : tuple of str
        Imaging domains of training and validation, see `imaging_domains`; empty takes all, or the
        training's for validation.
    network : dict or None
        Keyword arguments of `VertebraFormer` that differ from its defaults.
    block_shape : tuple of int
        Size of a block (z, y, x) at 2 mm.
    lesion_weight : float
        Of the lesions' loss among those of the other tasks.
    """

    training: TrainingConfig
    bank: Path
    modulation: bool = True
    domains: tuple[str, ...] = ()
    validation_domains: tuple[str, ...] = ()
    network: dict[str, object] | None = None
    block_shape: tuple[int, int, int] = WINDOW_ZYX
    lesion_weight: float = LESION_WEIGHT


class FormerTask(TrainingTask):
    """Masks, levels, lesions and the imaging domain of blocks."""

    def __init__(self, config: FormerConfig) -> None:
        self._config = config
        self._domains = domain_numbers(config.domains)
        self._other = domain_numbers(config.validation_domains) or self._domains

    @property
    def name(self) -> str:
        """Name of the weights' file."""
        return "vertebraformer" if self._config.modulation else "vertebraformer_plain"

    def build_network(self) -> nn.Module:
        """Return a new network."""
        network = VertebraFormer(
            modulation=self._config.modulation,
            domains=len(DOMAINS),
            window=self._config.block_shape,
            **(self._config.network or {}),
        )
        network.start_at(0.05, 0.01)
        return network

    def source(self, validation: bool) -> SampleSource:
        """Return blocks of phantoms."""
        domains = self._other if validation else self._domains
        shape = self._config.block_shape
        return PhantomFormerSource(self._config.bank, validation, shape, domains)

    def prepare(
        self, samples: list[Sample], rng: np.random.Generator | None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Make a batch; with `rng`, mirror and vary intensities."""
        images, targets = [], []
        for sample in samples:
            hu, codes, seen = sample["hu"].float(), sample["codes"], sample["visible"]
            centers, lesions = sample["centers"], sample["lesions"]
            if rng is not None:
                hu = vary_intensity(hu, rng)
                if rng.random() < 0.5:
                    hu, codes, seen = (flip_left_right(t) for t in (hu, codes, seen))
                    centers, lesions = centers.clone(), lesions.clone()
                    for places in (centers, lesions):
                        places[:, 2] = hu.shape[2] - 1 - places[:, 2]
            images.append(normalise_hu(hu)[None])
            masks = torch.stack([codes > 0, is_body(codes)]).float()
            levels = coarse_levels(codes * seen)
            offsets, known = center_offsets(levels, centers)
            targets.append(
                {
                    "masks": masks,
                    "visible": seen[None].float(),
                    "levels": levels,
                    "offsets": offsets,
                    "offsets_known": known.float(),
                    "lesions": lesion_heat(lesions, seen),
                    "domain": sample["domain"],
                }
            )
        return torch.stack(images), {
            key: torch.stack([t[key] for t in targets]) for key in targets[0]
        }

    def loss(
        self, output: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the weighted sum of all tasks' losses."""
        masks, seen = targets["masks"], targets["visible"]
        logits = output[SEGMENTATION]
        levels = targets["levels"]
        parts = {
            "dice": soft_dice(torch.sigmoid(logits), masks, seen),
            "bce": binary_cross_entropy(logits, masks, seen),
            "lesions": heat_loss(
                torch.sigmoid(output[LESIONS]), targets["lesions"], floor=_HEAT_FLOOR
            ),
            "offsets": masked_smooth_l1(
                output[OFFSETS], targets["offsets"], targets["offsets_known"]
            ),
            "numbering": output[NUMBERING].sum() * 0,
        }
        if bool((levels != UNKNOWN).any()):
            parts["numbering"] = functional.cross_entropy(
                output[NUMBERING], levels, ignore_index=UNKNOWN
            )
        total = parts["dice"] + CROSS_ENTROPY_WEIGHT * parts["bce"]
        total = total + OFFSET_WEIGHT * parts["offsets"]
        total = total + NUMBERING_WEIGHT * parts["numbering"]
        total = total + self._config.lesion_weight * parts["lesions"]
        if DOMAIN in output:
            parts["domain"] = functional.cross_entropy(output[DOMAIN], targets["domain"])
            total = total + DOMAIN_WEIGHT * parts["domain"]
        return total, parts

    def measure(
        self, output: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]
    ) -> dict[str, float]:
        """Dice of both masks, voxels named rightly, votes' error, lesions, false heat, domain."""
        figures: dict[str, float] = {}
        seen = targets["visible"] > 0
        found, truth = (output[SEGMENTATION] > 0) & seen, (targets["masks"] > 0.5) & seen
        for channel, name in enumerate(("vertebra", "body")):
            total = truth[:, channel].sum() + found[:, channel].sum()
            if truth[:, channel].sum() > 50:
                shared = (truth[:, channel] & found[:, channel]).sum()
                figures[f"dice_{name}"] = float(2 * shared / total)
        known = targets["levels"] != UNKNOWN
        if bool(known.any()):
            right = output[NUMBERING].argmax(1) == targets["levels"]
            figures["voxels_named"] = float(right[known].float().mean())
            error = (output[OFFSETS] - targets["offsets"]).norm(dim=1)
            figures["vote_error_mm"] = float(error[targets["offsets_known"] > 0].median())
        heat, wanted = torch.sigmoid(output[LESIONS]), targets["lesions"]
        if bool((wanted > 0.8).any()):
            figures["lesion_peak"] = float(heat[wanted > 0.8].mean())
        figures["false_heat"] = float(((heat > _FOUND_HEAT) & (wanted < 0.05)).float().mean())
        if DOMAIN in output:
            right = output[DOMAIN].argmax(1) == targets["domain"]
            figures["domain_right"] = float(right.float().mean())
        return figures


def train_vertebraformer(config: FormerConfig) -> dict[str, float]:
    """Train as `config` says; return the figures of the last validation.

    Weights are written to ``<out>/vertebraformer.safetensors``, without modulation to
    ``<out>/vertebraformer_plain.safetensors``; logs and checkpoint lie beside them.
    """
    return Trainer(FormerTask(config), config.training).run()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this training to `parser`."""
    parser.add_argument("--bank", type=Path, required=True, help="folder of phantom scenes")
    parser.add_argument(
        "--no-modulation",
        dest="modulation",
        action="store_false",
        help="leave out the unit that adapts features to the imaging domain",
    )
    hint = "kernels (smooth, standard, sharp), slices (thin, medium, thick) or both (sharp-thin)"
    parser.add_argument("--domains", nargs="+", default=[], metavar="NAME", help=hint)
    parser.add_argument(
        "--validate-domains",
        nargs="+",
        default=[],
        metavar="NAME",
        help="imaging domains to validate on; by default those of the training",
    )
    parser.add_argument(
        "--lesion-weight",
        type=float,
        default=LESION_WEIGHT,
        metavar="X",
        help=f"weight of the lesions' loss (default {LESION_WEIGHT:g}); more for a lesion finder",
    )
    add_size_argument(parser)
    add_training_arguments(parser)
    parser.set_defaults(learning_rate=6e-4)


def config_from(args: argparse.Namespace) -> FormerConfig:
    """Make a configuration from parsed arguments."""
    small = {"network": SMALL_NETWORK, "block_shape": SMALL_BLOCK} if args.size == SMALL else {}
    return FormerConfig(
        training_config(args),
        args.bank,
        args.modulation,
        tuple(args.domains),
        tuple(args.validate_domains),
        lesion_weight=args.lesion_weight,
        **small,
    )
