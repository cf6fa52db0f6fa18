"""The temperature of stated probabilities, fitted after a training on samples held aside."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from .loop import Trainer
from .task import Output, held_aside

UNKNOWN_CLASS = -100

_SEED = 78
"""Other samples than those of the validation, of the same cases."""

Opinions = Callable[[Output, dict[str, torch.Tensor]], tuple[torch.Tensor, torch.Tensor]]
"""(output, targets) of a batch -> logits [m, k] and classes [m]; unknown ones are passed over."""


def with_temperature(
    trainer: Trainer, figures: dict[str, float], opinions: Opinions
) -> dict[str, float]:
    """Fit the temperature, store it with the averaged weights and add it to the figures.

    Parameters
    ----------
    trainer : Trainer
        After its run; its network has a buffer ``temperature``.
    figures : dict
        Of the run. Without any (it was stopped, or nothing is held aside) nothing is fitted.
    opinions : callable
    """
    if not figures:
        return figures
    temperature = fit_temperature(*_held_aside(trainer, opinions))
    trainer.average.temperature.fill_(temperature)
    trainer.save_weights()
    return figures | {"temperature": temperature}


def fit_temperature(logits: torch.Tensor, classes: torch.Tensor) -> float:
    """Return what logits [m, k] are best divided by, in likelihood of `classes` [m] [1]_.

    References
    ----------
    .. [1] Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    if not len(classes):
        return 1.0
    candidates = torch.exp(torch.linspace(-1.0, 1.5, 101))
    losses = [functional.cross_entropy(logits / t, classes) for t in candidates]
    return float(candidates[torch.stack(losses).argmin()])


def _held_aside(trainer: Trainer, opinions: Opinions) -> tuple[torch.Tensor, torch.Tensor]:
    logits, classes = [], []
    for inputs, targets in held_aside(trainer.task, trainer.config.validation_samples, _SEED):
        several = inputs if isinstance(inputs, tuple) else (inputs,)
        with torch.no_grad():
            output = trainer.average(*(tensor.to(trainer.device) for tensor in several))
        said, truth = opinions(output, targets)
        known = truth != UNKNOWN_CLASS
        logits.append(said.float().cpu()[known])
        classes.append(truth[known])
    if not logits:
        return torch.zeros(0, 1), torch.zeros(0, dtype=torch.int64)
    return torch.cat(logits), torch.cat(classes)
