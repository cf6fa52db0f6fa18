"""What grades a given segmentation: the grading of an analysis, with its weights and its device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .analysis import Vertebra
from .stages import Candidate
from .volume import CtVolume

Grade = Callable[[CtVolume | None, Sequence[Candidate], Sequence[Vertebra]], tuple[Vertebra, ...]]
"""Measures and grades named vertebrae; `stages.Stages.grade`, and without a CT."""


@dataclass(frozen=True)
class GradingBackend:
    """What grades, and what is stated about it.

    Attributes
    ----------
    grade : callable
    weights_sha256 : dict of str
    device : str
    """

    grade: Grade
    weights_sha256: dict[str, str]
    device: str


def bundled_grading(
    device: str, threads: int, models_folder: Path | None, learned: bool
) -> GradingBackend:
    """Return the grading that comes with the program.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
    threads : int
        0 takes all cores.
    models_folder : Path or None
        Folder of weights; None takes the bundled ones.
    learned : bool
        Load the learned grade head; it needs a CT.

    Raises
    ------
    WeightsError
    InputError
        If the device is not there.
    """
    from .devices import choose_device, set_threads
    from .grading_stage import GradingStage
    from .models import load_network

    chosen = choose_device(device)
    set_threads(threads or None)
    network, sums = None, {}
    if learned:
        network, record = load_network("grading", models_folder, chosen)
        sums["grading"] = record.sha256
    return GradingBackend(GradingStage(network, chosen), sums, str(chosen))
