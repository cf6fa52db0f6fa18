"""Train every network that an analysis needs, one after another, into one folder of weights.

Run as ``vertebra_core train all --labels VERSE_FOLDER --out FOLDER --minutes N``; afterwards
``vertebra_core analyze CT --models FOLDER`` uses the weights.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from ..models import MODELS_FOLDER, register_weights
from . import train_grading, train_labelling, train_localisation, train_segmentation
from .arguments import add_training_arguments
from .graded_scans import graded_scans
from .label_arguments import LabelledData, add_source_arguments, labelled_data
from .parallel import is_first
from .run_folder import folder_in_use, state_folder, training_in
from .start import load_start
from .task import TrainingConfig, TrainingTask, check_length

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stop:
    """A network on the road from CT to grades.

    Attributes
    ----------
    name : str
        Of its weights.
    module : module
        Its training.
    task : callable
        Makes its `TrainingTask` from its settings.
    train : callable
    share : float
        Of the minutes of all; about what each took for the bundled weights.
    """

    name: str
    module: ModuleType
    task: Callable[[Any], TrainingTask]
    train: Callable[[Any], dict[str, float]]
    share: float


STOPS = (
    Stop(
        "locnet",
        train_localisation,
        train_localisation.LocalisationTask,
        train_localisation.train_localisation,
        0.25,
    ),
    Stop(
        "segmentation",
        train_segmentation,
        train_segmentation.SegmentationTask,
        train_segmentation.train_segmentation,
        0.45,
    ),
    Stop(
        "labelling",
        train_labelling,
        train_labelling.LabellingTask,
        train_labelling.train_labelling,
        0.20,
    ),
    Stop(
        "grading",
        train_grading,
        train_grading.GradingTask,
        train_grading.train_grading,
        0.10,
    ),
)


@dataclass(frozen=True)
class TrainAllConfig:
    """What all networks are trained from.

    Attributes
    ----------
    out : Path
        Folder for the weights and their index; each training has a folder of its own in it.
    bank : Path or None
        Folder of phantom scenes.
    labels : LabelledData
    grades : Path or None
        Table of Genant grades of the labelled scans.
    steps, minutes, cpu_minutes : int, float or None
        Steps of each network, or minutes of all together, by the clock or of processor time.
    resume : bool
        Go on where the folder's trainings are.
    options : dict
        Arguments of the single trainings by name, such as ``workers``, instead of their defaults.
    """

    out: Path
    bank: Path | None = None
    labels: LabelledData = LabelledData()
    grades: Path | None = None
    steps: int | None = None
    minutes: float | None = None
    cpu_minutes: float | None = None
    resume: bool = False
    options: dict[str, Any] = field(default_factory=dict)


def train_all(config: TrainAllConfig) -> dict[str, float]:
    """Train all networks as `config` says; return the figures of their last validations.

    Weights are written to ``<out>/<network>.safetensors`` and entered into ``<out>/models.json``.
    Told to stop, it ends after the step in progress; with ``resume`` it goes on from there, and a
    network whose schedule is over is only validated again. Where there are neither phantoms nor
    grades to train the grade head from, the bundled one is put beside the others. Grades, and
    weights to start from, are checked before the first network is trained.

    Raises
    ------
    TrainingStopped
        If it was told to stop.
    InputError
        ``folder_in_use``: there are trainings in the folder, and `config` does not say to resume.
        Also if grades or labelled scans are not what they should be.
    ValueError, FileNotFoundError
        If there is nothing to train from.
    """
    check_length(config.steps, config.minutes, config.cpu_minutes)
    begun = [s.name for s in STOPS if training_in(state_folder(config.out, s.name)) == s.name]
    if begun and not config.resume:
        raise folder_in_use(config.out, begun)
    graded = _grading_labels(config)
    _check_starts(config)
    figures: dict[str, float] = {}
    for stop in STOPS:
        own = config
        if stop.name == "grading":
            if graded is None:
                if stop.name not in begun:
                    _take_bundled(config, stop.name)
                continue
            own = replace(config, labels=graded)
        _log.info("training %s", stop.name)
        settings = settings_of(stop, own)
        found = stop.train(settings)
        figures |= {f"{stop.name} {key}": value for key, value in found.items()}
        if is_first():
            _enter(settings.training.out / f"{stop.name}.safetensors", config.out)
    _log.info("measure what came of it: evaluate cases FOLDER --models %s", config.out)
    return figures


def settings_of(stop: Stop, config: TrainAllConfig) -> Any:
    """Make the configuration that the network's own command would have.

    Parameters
    ----------
    stop : Stop
    config : TrainAllConfig
        What it says replaces the defaults of that command.
    """
    # One trained by itself before has its checkpoint in the folder itself, and goes on there.
    alone = training_in(config.out) == stop.name
    out = config.out if alone else config.out / stop.name
    parser = argparse.ArgumentParser()
    stop.module.add_arguments(parser)
    args = vars(parser.parse_args(["--out", str(out)]))
    common = {
        "bank": config.bank,
        "labels": config.labels.folders,
        "real_share": config.labels.share,
        # Segmentation and grading share what was resampled for either.
        "label_cache": config.labels.cache_in(config.out),
        "grades": config.grades,
        "steps": config.steps,
        "minutes": _shared(config.minutes, stop),
        "cpu_minutes": _shared(config.cpu_minutes, stop),
        # A folder that is resumed as a whole may hold networks not begun yet.
        "resume": True,
    }
    args |= {key: value for key, value in (common | config.options).items() if key in args}
    return stop.module.config_from(argparse.Namespace(**args))


def _shared(minutes: float | None, stop: Stop) -> float | None:
    return None if minutes is None else minutes * stop.share


def _grading_labels(config: TrainAllConfig) -> LabelledData | None:
    """Return the labelled scans to train the grade head from, none where phantoms must do.

    None means that there is nothing to train it from.

    Raises
    ------
    InputError
        If a table of grades was named but gives no scan to train on a grade.
    """
    scans = graded_scans(config.labels, config.out, config.grades)
    if scans is None or scans.names():
        return config.labels
    if config.grades:
        raise scans.no_case()
    if not config.bank:
        return None
    _log.info("no grades: the grade head is trained on phantoms alone")
    return replace(config.labels, folders=())


def _check_starts(config: TrainAllConfig) -> None:
    """Raise what the weights to start from will raise when a network's turn has come."""
    start = config.options.get("initial_weights")
    for stop in STOPS if start else ():
        load_start(stop.task(settings_of(stop, config)).build_network(), start, stop.name)


def _take_bundled(config: TrainAllConfig, name: str) -> None:
    _log.info("no grades and no phantoms: the bundled weights of %s are used", name)
    if is_first():
        _enter(MODELS_FOLDER / f"{name}.safetensors", config.out)


def _enter(weights: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    if weights.parent != out:
        shutil.copyfile(weights, out / weights.name)
    register_weights(out / weights.name)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this training to `parser`."""
    add_source_arguments(parser)
    train_grading.add_grades_argument(parser)
    add_training_arguments(parser, "each network's own")
    # What is not said keeps the default of each network.
    parser.set_defaults(**{f.name: None for f in fields(TrainingConfig) if f.name != "out"})


def config_from(args: argparse.Namespace) -> TrainAllConfig:
    """Make a configuration from parsed arguments."""
    own = {f.name for f in fields(TrainAllConfig)}
    known = {f.name for f in fields(TrainingConfig)} - own
    return TrainAllConfig(
        args.out,
        args.bank,
        labelled_data(args),
        args.grades,
        args.steps,
        args.minutes,
        args.cpu_minutes,
        bool(args.resume),
        {k: v for k, v in vars(args).items() if k in known and v is not None},
    )
