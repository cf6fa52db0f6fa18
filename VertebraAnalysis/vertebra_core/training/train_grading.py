"""Train the grade head.

Run as ``vertebra_core train grading --bank FOLDER --out FOLDER --minutes N``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..grading.learned import log_shares_by_loss
from ..grading.network import GRADES, N_GRADES, SHAPES, GradeNetwork, stated_height_loss
from ..networks.normalisation import normalise_hu
from .arguments import add_training_arguments, share, training_config
from .graded_scans import graded_scans
from .grading_samples import UNKNOWN, PhantomGradingSource
from .label_arguments import LabelledData, add_source_arguments, labelled_data
from .loop import Trainer
from .segmented_bodies import SegmentedBodySource
from .sources import MixedSource, Sample, SampleSource, phantoms_and_scans
from .task import Inputs, TrainingConfig, TrainingTask
from .variation import flip_left_right, vary_intensity

FOCAL_GAMMA = 1.0
ORDINAL_WEIGHT, SHAPE_WEIGHT, HEIGHT_LOSS_WEIGHT = 0.5, 0.5, 0.3
LOSSES_HIDDEN_SHARE = 0.3
"""Share of training samples whose measured losses are hidden: the head must judge by sight, too."""


@dataclass(frozen=True)
class GradingConfig:
    """What the grade head is trained from.

    Attributes
    ----------
    training : TrainingConfig
    bank : Path or None
        Folder of phantom scenes.
    labels : LabelledData
        Labelled scans; those with grades are used.
    grades : Path or None
        Table of their Genant grades; see `evaluation.grade_table.read_grades`. Grades may also be
        in truth files.
    segmented : Path or None
        Folder of bodies of phantoms as the pipeline segments them; see `segmented_bodies`.
    segmented_share : float
        Share of these among samples of phantoms.
    """

    training: TrainingConfig
    bank: Path | None
    labels: LabelledData = LabelledData()
    grades: Path | None = None
    segmented: Path | None = None
    segmented_share: float = 0.5


class GradingTask(TrainingTask):
    """Grade and shape of bodies in their own frame."""

    name = "grading"

    def __init__(self, config: GradingConfig) -> None:
        self._config = config

    def build_network(self) -> nn.Module:
        """Return a new network."""
        return GradeNetwork()

    def source(self, validation: bool) -> SampleSource:
        """Return bodies of phantoms, drawn or segmented, of graded scans, or of all."""
        config = self._config
        drawn = segmented = None
        if config.bank:
            drawn = PhantomGradingSource(config.bank, validation)
        if config.segmented:
            segmented = SegmentedBodySource(config.segmented, validation)
        scans = graded_scans(config.labels, config.training.out, config.grades, validation)
        real = config.labels.share
        if drawn and segmented and scans:
            share = config.segmented_share
            shares = [(1 - real) * (1 - share), (1 - real) * share, real]
            return MixedSource([drawn, segmented, scans], shares)
        if drawn and segmented:
            return phantoms_and_scans(drawn, segmented, config.segmented_share)
        return phantoms_and_scans(drawn or segmented, scans, real)

    def prepare(
        self, samples: list[Sample], rng: np.random.Generator | None
    ) -> tuple[Inputs, dict[str, torch.Tensor]]:
        """Make a batch; with `rng`, mirror, vary intensities and hide losses."""
        crops, losses = [], []
        for sample in samples:
            hu = sample["hu"].float()
            masks = torch.stack([sample["body"], sample["vertebra"]]).float() / 255
            loss = sample["losses"]
            if rng is not None:
                hu = vary_intensity(hu, rng)
                if rng.random() < 0.5:
                    hu, masks = flip_left_right(hu), flip_left_right(masks)
                if rng.random() < LOSSES_HIDDEN_SHARE:
                    loss = torch.zeros_like(loss)
            crops.append(torch.cat([normalise_hu(hu)[None], masks]))
            losses.append(loss)
        truth = "grade", "shape", "height_loss"
        targets = {key: torch.stack([s[key] for s in samples]) for key in truth}
        return (torch.stack(crops), torch.stack(losses)), targets

    def loss(
        self, output: torch.Tensor, targets: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Focal loss on grades, an ordinal term that punishes distant grades, shape, height loss.

        The height loss is learnt from deformed bodies alone: sound ones have none to estimate.
        """
        known, shaped = targets["grade"] != UNKNOWN, targets["shape"] != UNKNOWN
        zero = output.sum() * 0
        if not bool(known.any()):
            return zero, {"grade": zero, "ordinal": zero, "shape": zero, "height_loss": zero}
        grade, shape = targets["grade"][known], targets["shape"][shaped]
        logits = output[known][:, GRADES]
        parts = {
            "grade": focal_cross_entropy(logits, grade),
            "ordinal": ordinal_loss(logits, grade),
            "shape": functional.cross_entropy(output[shaped][:, SHAPES], shape)
            if len(shape)
            else zero,
            "height_loss": height_loss_error(output, targets["height_loss"], targets["grade"]),
        }
        total = parts["grade"] + ORDINAL_WEIGHT * parts["ordinal"]
        total = total + SHAPE_WEIGHT * parts["shape"]
        return total + HEIGHT_LOSS_WEIGHT * parts["height_loss"], parts

    def measure(self, output: torch.Tensor, targets: dict[str, torch.Tensor]) -> dict[str, float]:
        """Share of exact grades, grades within one, and fractures told from none."""
        known = targets["grade"] != UNKNOWN
        if not bool(known.any()):
            return {}
        truth, found = targets["grade"][known], output[known][:, GRADES].argmax(1)
        return {
            "exact": float((truth == found).float().mean()),
            "within_one": float(((truth - found).abs() <= 1).float().mean()),
            "fracture_right": float(((truth > 0) == (found > 0)).float().mean()),
        }


def focal_cross_entropy(
    logits: torch.Tensor, classes: torch.Tensor, gamma: float = FOCAL_GAMMA
) -> torch.Tensor:
    """Focal loss for several classes (Lin et al., ICCV 2017), [n, k] logits, [n] classes."""
    log_probability = functional.log_softmax(logits, 1)
    own = log_probability.gather(1, classes[:, None])[:, 0]
    return (-((1 - own.exp()) ** gamma) * own).mean()


def ordinal_loss(logits: torch.Tensor, grades: torch.Tensor) -> torch.Tensor:
    """Squared difference of cumulative probabilities: two grades off costs more than one."""
    cumulative = torch.softmax(logits, 1).cumsum(1)[:, :-1]
    steps = torch.arange(N_GRADES - 1, device=grades.device)
    wanted = (grades[:, None] <= steps[None]).float()
    return ((cumulative - wanted) ** 2).sum(1).mean()


def height_loss_error(
    output: torch.Tensor, true: torch.Tensor, grades: torch.Tensor
) -> torch.Tensor:
    """Mean negative log-likelihood of height losses under what the head states.

    Each is weighed by its standard deviation, else what is stated surely outweighs the rest
    (Seitzer et al., "On the pitfalls of heteroscedastic uncertainty estimation", ICLR 2022). Of a
    fractured body that a reader has graded, the loss is known to lie between the thresholds of its
    grade.

    Parameters
    ----------
    output : Tensor, shape (b, 10)
        Of `GradeNetwork`.
    true : Tensor, shape (b,)
        NaN where unknown; 0 for sound bodies, which are left out.
    grades : Tensor of int64, shape (b,)
    """
    known, graded = torch.isfinite(true) & (true > 0), torch.isnan(true) & (grades > 0)
    told = known | graded
    if not bool(told.any()):
        return output.sum() * 0
    mean, sd = stated_height_loss(output)
    # What is not known must not reach the gradient, not even times zero.
    error = torch.log(sd) + 0.5 * ((torch.nan_to_num(true) - mean) / sd) ** 2
    between = log_shares_by_loss(mean, sd).gather(1, (grades - 1).clamp(min=0)[:, None])[:, 0]
    error = torch.where(known, error, -between)[told]
    weight = sd.detach()[told]
    return (weight * error).sum() / weight.sum()


def train_grading(config: GradingConfig) -> dict[str, float]:
    """Train the grade head as `config` says; return the figures of the last validation.

    Weights are written to ``<out>/grading.safetensors``, logs and checkpoint beside them.
    """
    return Trainer(GradingTask(config), config.training).run()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this training to `parser`."""
    add_source_arguments(parser)
    add_grades_argument(parser)
    parser.add_argument(
        "--segmented",
        type=Path,
        metavar="FOLDER",
        help="bodies of phantoms as the pipeline segments them (training.segmented_bodies)",
    )
    parser.add_argument(
        "--segmented-share",
        type=share,
        default=0.5,
        help="share of these where there is a bank, too (default 0.5)",
    )
    add_training_arguments(parser)
    parser.set_defaults(batch_size=8)


def add_grades_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a table of grades."""
    parser.add_argument(
        "--grades",
        type=Path,
        metavar="CSV",
        help="Genant grades of the scans: columns case, label and genant_grade, or VerSe's own",
    )


def config_from(args: argparse.Namespace) -> GradingConfig:
    """Make a configuration from parsed arguments."""
    return GradingConfig(
        training_config(args),
        args.bank,
        labelled_data(args),
        args.grades,
        args.segmented,
        args.segmented_share,
    )
