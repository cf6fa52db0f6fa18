"""``benchmark``."""

from __future__ import annotations

import argparse

from ..console import Console
from ..evaluation import benchmark


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``benchmark``."""
    benchmark.add_arguments(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``benchmark``; figures go to standard output."""
    return benchmark.run(args)
