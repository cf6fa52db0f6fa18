"""Whether stated probabilities can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CalibrationBin:
    """Answers whose stated probability lies in (low, high]."""

    low: float
    high: float
    n: int
    mean_probability: float
    share_right: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share of right answers."""
        return wilson_interval(round(self.share_right * self.n), self.n)


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error with its bins (empty bins left out)."""

    error: float | None
    n: int
    bins: tuple[CalibrationBin, ...]


def expected_calibration_error(
    probabilities: Sequence[float], right: Sequence[bool], n_bins: int = 10
) -> Calibration:
    """Compare stated probabilities with the share of right answers.

    The error is the mean distance of the two over equal bins, weighted by their size (Guo et al.,
    "On calibration of modern neural networks", ICML 2017).

    Parameters
    ----------
    probabilities : sequence of float
        Probability stated for each given answer, 0-1.
    right : sequence of bool
        Whether that answer was right.
    n_bins : int

    Raises
    ------
    ValueError
        If the sequences differ in length or a probability is out of range.
    """
    p, r = np.asarray(probabilities, float), np.asarray(right, float)
    if p.shape != r.shape:
        raise ValueError("as many probabilities as answers are needed")
    if p.size == 0:
        return Calibration(None, 0, ())
    # What is not a number lies nowhere.
    if not (p.min() >= 0 and p.max() <= 1 + 1e-6):
        raise ValueError("probabilities must lie between 0 and 1")
    index = np.clip(np.ceil(p * n_bins).astype(int) - 1, 0, n_bins - 1)
    bins = tuple(
        CalibrationBin(
            b / n_bins,
            (b + 1) / n_bins,
            int((index == b).sum()),
            float(p[index == b].mean()),
            float(r[index == b].mean()),
        )
        for b in range(n_bins)
        if (index == b).any()
    )
    error = sum(b.n * abs(b.mean_probability - b.share_right) for b in bins) / p.size
    return Calibration(float(error), int(p.size), bins)


def wilson_interval(part: int, whole: int, z: float = 1.96) -> tuple[float, float]:
    """Return the interval that a share seen as `part` of `whole` lies in, 95 % for z = 1.96.

    Wilson's score interval (Wilson, J Am Stat Assoc 22 (1927) 209), which holds for small numbers
    and for shares of 0 and 1 as well; (0, 1) where nothing was seen.

    Raises
    ------
    ValueError
        If `part` is not between 0 and `whole`.
    """
    if not 0 <= part <= whole:
        raise ValueError("a part lies between nothing and the whole")
    if whole == 0:
        return 0.0, 1.0
    share, weight = part / whole, z * z / whole
    middle = (share + weight / 2) / (1 + weight)
    half = z * np.sqrt(share * (1 - share) / whole + weight / (4 * whole)) / (1 + weight)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))
