"""``train NETWORK``; under ``torchrun`` on several GPUs at once."""

from __future__ import annotations

import argparse
from functools import partial
from importlib import import_module

from ..console import Console
from ..errors import Cancelled, InputError

TRAININGS: dict[str, tuple[str, str]] = {
    "all": ("train_all", "trains all networks of an analysis, one after another"),
    "locnet": ("train_localisation", "finds the centres of vertebral bodies"),
    "segmentation": ("train_segmentation", "segments one vertebra and its body"),
    "labelling": ("train_labelling", "names the levels of a whole spine"),
    "grading": ("train_grading", "grades fractures beside morphometry"),
    "single_labelling": ("train_single_labelling", "names one vertebra by its mask alone"),
    "sagittal": ("train_sagittal", "finds bodies on sagittal slices (detector with DBSCAN)"),
    "vertebraformer": ("train_vertebraformer", "segments, numbers and finds lesions at once"),
    "fracture": ("train_fracture", "grades fractures from a plain crop (FracNet, FracSegNet)"),
}
"""Network -> (module of `training` with a function of the same name, what the network does)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``train``: a sub-command for every network, imported when chosen."""
    networks = parser.add_subparsers(dest="network", metavar="NETWORK", required=True)
    for network, (name, purpose) in TRAININGS.items():
        sentence = f"{purpose[0].upper()}{purpose[1:]}."
        networks.add_parser(
            network, help=purpose, description=sentence, fill=partial(_add_training, name)
        )


def _add_training(name: str, parser: argparse.ArgumentParser) -> None:
    module = import_module(f"..training.{name}", __package__)
    module.add_arguments(parser)
    parser.set_defaults(train=getattr(module, name), config_from=module.config_from)


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``train``; progress is logged on standard error.

    Of several processes the first tells the result, for all.

    Raises
    ------
    VertebraError
        `Cancelled` if the training was told to stop, with a checkpoint or before there was any.
    """
    from ..alone import in_words
    from ..training import parallel
    from ..training.arguments import log_to_terminal
    from ..training.stopping import TrainingStopped

    log_to_terminal()
    try:
        config = args.config_from(args)
        figures = args.train(config)
        if not parallel.is_first():
            return 0
    except TrainingStopped:
        # Were another to end with an error, `torchrun` would end the first before it has spoken.
        if parallel.is_first():
            raise
        return 0
    except (Cancelled, KeyboardInterrupt) as error:
        raise Cancelled(message="The training was cancelled.") from error
    except (ValueError, OSError) as error:
        raise InputError(
            "bad_training_data", f"The training cannot start or go on: {in_words(error)}."
        ) from error
    finally:
        parallel.leave()
    folder = getattr(config, "training", config).out.resolve()
    lines = [f"{name}: {value:.4g}" for name, value in figures.items()]
    lines.append(f"weights: {folder}")
    console.result({"figures": figures, "folder": str(folder)}, "\n".join(lines))
    return 0
