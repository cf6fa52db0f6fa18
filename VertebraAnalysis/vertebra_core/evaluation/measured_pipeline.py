"""The pipeline that an evaluation measures: the arguments that choose it, and its weights."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..run_arguments import add_device_argument, add_threads_argument
from ..settings import Setting, setting_named
from ..volume import CtVolume
from .prediction import HasAnalysis

if TYPE_CHECKING:
    import torch

Analyse = Callable[[CtVolume], HasAnalysis]
"""Analyses a CT, as `pipeline.analyze` does."""


def add_computing_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--device`` and ``--threads``."""
    add_device_argument(parser)
    add_threads_argument(parser)


def chosen_device(args: argparse.Namespace) -> torch.device:
    """Set the number of threads and return the device that `add_computing_arguments` were given.

    To be called before any scan is analysed: there a mistake in them would pass for a scan that
    cannot be analysed.

    Raises
    ------
    InputError
        ``bad_threads``, ``unknown_device`` or ``device_unavailable``.
    """
    from ..devices import choose_device, set_threads

    set_threads(args.threads or None)
    return choose_device(args.device)


def pipeline_of(args: argparse.Namespace) -> Analyse:
    """Return the whole pipeline as ``--setting``, ``--models``, ``--device`` and others choose it.

    Raises
    ------
    InputError
        See `chosen_device`.
    """
    chosen_device(args)
    return pipeline_with(setting_named(args.setting), args.device, args.models, args.threads)


def pipeline_with(
    setting: Setting, device: str = "auto", models_folder: Path | None = None, threads: int = 0
) -> Analyse:
    """Return the whole pipeline with `setting` on `device`, by default with bundled weights."""

    def run(ct: CtVolume) -> HasAnalysis:
        # Imported here: scoring the files of an earlier run needs neither torch nor weights.
        from ..pipeline import AnalysisOptions, analyze

        options = AnalysisOptions(
            device=device, threads=threads, setting=setting, models_folder=models_folder
        )
        return analyze(ct, options)

    return run


def weights_of(args: argparse.Namespace) -> dict[str, str]:
    """Return the sha256 of the weights that `pipeline_of` uses, by network name.

    Raises
    ------
    WeightsError
        If weights are missing or damaged.
    """
    from ..methods import weights_names
    from ..models import weights_sha256

    return {name: weights_sha256(name, args.models) for name in weights_names()}
