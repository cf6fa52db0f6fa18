"""How large a patient's spine may be, against the average adult's that statistics are made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_ADULT_REACH = 2.5
"""Standard deviations of the logarithm of the scale that are tried."""

_SMALLEST = 0.3
"""Between bodies of an infant's spine lies about a third of what lies between an adult's."""

_SMALL_STEP = 0.06
_SMALL_LOG_PRIOR = float(np.log(0.001))
"""Of a spine smaller than adults' at all. It must be outweighed before small spines are thought of
(`positional_logic`), so that what holds for adults stays as it is."""


@dataclass(frozen=True)
class PatientScales:
    """Scales to try.

    Attributes
    ----------
    log_scales, log_prior : ndarray, shape (s,)
        Natural logarithms.
    """

    log_scales: np.ndarray
    log_prior: np.ndarray


def adult_scales(sd: float, steps: int) -> PatientScales:
    """Scales of adults.

    Parameters
    ----------
    sd : float
        Standard deviation of the logarithm of the scale.
    steps : int
        How many are tried.
    """
    deviations = np.linspace(-_ADULT_REACH, _ADULT_REACH, steps)
    prior = -0.5 * deviations**2
    return PatientScales(deviations * sd, prior - np.log(np.exp(prior).sum()))


def small_scales(sd: float) -> PatientScales:
    """Scales of children, from those of adults down, all held equally unlikely."""
    largest = -_ADULT_REACH * sd
    steps = int(np.ceil((largest - np.log(_SMALLEST)) / _SMALL_STEP))
    scales = np.linspace(np.log(_SMALLEST), largest, steps + 1)
    return PatientScales(scales, np.full(len(scales), _SMALL_LOG_PRIOR - np.log(len(scales))))
