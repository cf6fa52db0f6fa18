"""Command-line arguments that all trainings share."""

from __future__ import annotations

import argparse
import logging
import os
from dataclasses import fields
from pathlib import Path

from .task import TrainingConfig

SMALL, FULL = "small", "full"
SIZES = (SMALL, FULL)
"""Sizes of the networks that stand for other works in comparisons."""


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `TrainingConfig` to `parser`."""
    default = {f.name: f.default for f in fields(TrainingConfig)}
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and logs")
    parser.add_argument("--steps", type=int, help="length of the schedule in steps")
    parser.add_argument("--minutes", type=float, help="length of the schedule in minutes")
    parser.add_argument(
        "--cpu-minutes", type=float, help="length of the schedule in minutes of processor time"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument(
        "--initial-weights",
        type=Path,
        metavar="FILE",
        help="weights to start from: a file, a folder of weights, or bundled for those of the "
        "program",
    )
    for name, kind in (
        ("seed", int),
        ("batch_size", int),
        ("learning_rate", float),
        ("warmup_steps", int),
        ("ema_decay", float),
        ("replay_size", int),
        ("replay_share", float),
        ("hard_share", float),
        ("workers", int),
        ("threads", int),
        ("validation_samples", int),
        ("validate_every", int),
        ("log_every", int),
        ("checkpoint_every", int),
        ("device", str),
    ):
        flag, value = "--" + name.replace("_", "-"), default[name]
        parser.add_argument(flag, type=kind, default=value, help=f"(default {value})")


def add_size_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--size``: a network for minutes on a CPU, or one of the size that was published."""
    parser.add_argument(
        "--size",
        choices=SIZES,
        default=SMALL,
        help="small: coarser and narrower, trains in minutes on a CPU (default); full: as the work "
        "it is after describes it, for hours or a GPU",
    )


def training_config(args: argparse.Namespace) -> TrainingConfig:
    """Make a `TrainingConfig` from parsed arguments."""
    known = {f.name for f in fields(TrainingConfig)}
    return TrainingConfig(**{k: v for k, v in vars(args).items() if k in known})


def log_to_terminal() -> None:
    """Let the training's progress appear on standard error; of several processes, the first's."""
    level = logging.INFO if os.environ.get("RANK", "0") == "0" else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
