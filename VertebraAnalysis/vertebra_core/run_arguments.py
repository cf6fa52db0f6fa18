"""Arguments that choose what a run computes with, the same for every command that analyses."""

from __future__ import annotations

import argparse
from pathlib import Path

from .threads import MAX_THREADS


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default auto)"
    )


def add_threads_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--threads``, checked against `MAX_THREADS`."""
    parser.add_argument(
        "--threads",
        type=_threads,
        default=0,
        metavar="N",
        help="processor threads (default 0: all cores)",
    )


def add_models_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--models``."""
    parser.add_argument(
        "--models", type=Path, metavar="FOLDER", help="weights to use instead of the bundled ones"
    )


def _threads(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_THREADS:
        raise argparse.ArgumentTypeError(f"give a whole number from 0 to {MAX_THREADS}")
    return int(text)
