"""Command-line arguments that all trainings share."""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
from dataclasses import fields
from pathlib import Path

from .task import TrainingConfig

SMALL, FULL = "small", "full"
SIZES = (SMALL, FULL)
"""Sizes of the networks that stand for other works in comparisons."""


def add_training_arguments(
    parser: argparse.ArgumentParser, shown_default: str = "%(default)s"
) -> None:
    """Add the arguments of `TrainingConfig` to `parser`.

    Parameters
    ----------
    parser : ArgumentParser
    shown_default : str
        What the help calls their defaults; by default as they are when it is asked for, those that
        a training has set otherwise among them.
    """
    default = {f.name: f.default for f in fields(TrainingConfig)}
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and logs")
    parser.add_argument("--steps", type=number, help="length of the schedule in steps")
    parser.add_argument("--minutes", type=amount, help="length of the schedule in minutes")
    parser.add_argument(
        "--cpu-minutes", type=amount, help="length of the schedule in minutes of processor time"
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
        ("seed", count),
        ("batch_size", number),
        ("learning_rate", amount),
        ("warmup_steps", count),
        ("ema_decay", share),
        ("replay_size", count),
        ("replay_share", share),
        ("hard_share", share),
        ("workers", count),
        ("threads", count),
        ("validation_samples", count),
        ("validate_every", count),
        ("log_every", number),
        ("checkpoint_every", number),
        ("device", str),
    ):
        flag = "--" + name.replace("_", "-")
        shown = f"(default {shown_default})"
        parser.add_argument(flag, type=kind, default=default[name], help=shown)


def number(text: str) -> int:
    """Read a whole number of at least 1."""
    return _read(text, int, "a whole number of at least 1", 1)


def count(text: str) -> int:
    """Read a whole number of at least 0."""
    return _read(text, int, "a whole number of at least 0", 0)


def share(text: str) -> float:
    """Read a number from 0 to 1."""
    return _read(text, float, "a number from 0 to 1", 0, 1)


def amount(text: str) -> float:
    """Read a number above 0."""
    return _read(text, float, "a number above 0", math.ulp(0))


def _read(
    text: str, kind: type, wanted: str, least: float, most: float = sys.float_info.max
) -> int | float:
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    # Comparisons with what is no number are false.
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"give {wanted}")
    return value


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
