"""The course of a spine between the centres of its vertebrae."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_LEAST_DISTANCE_MM = 1.0


def spine_course(centres_lps_mm: Sequence[Sequence[float]]) -> np.ndarray | None:
    """Direction up the spine from the centres of a few vertebrae: one and its neighbours.

    Parameters
    ----------
    centres_lps_mm : sequence of (3,)
        Head to foot.

    Returns
    -------
    ndarray, shape (3,), or None
        Unit vector z, y, x of a grid along the patient's axes; None of fewer than two centres, or
        where the first and the last lie at the same place.
    """
    if len(centres_lps_mm) < 2:
        return None
    step = np.subtract(centres_lps_mm[0], centres_lps_mm[-1])
    length = float(np.linalg.norm(step))
    return step[::-1] / length if length > _LEAST_DISTANCE_MM else None


def spine_courses(
    centres_lps_mm: Sequence[Sequence[float]], trusted: Sequence[bool] | None = None
) -> list[np.ndarray | None]:
    """Direction up the spine at each of its vertebrae, from it and its neighbours.

    Parameters
    ----------
    centres_lps_mm : sequence of (3,)
        Head to foot.
    trusted : sequence of bool, optional
        Centres that count; that of a fragment is not where that of its body would be.

    Returns
    -------
    list of (ndarray, shape (3,), or None)
        See `spine_course`.
    """
    count = len(centres_lps_mm)
    counts = [True] * count if trusted is None else trusted
    beside = [range(max(i - 1, 0), min(i + 2, count)) for i in range(count)]
    return [spine_course([centres_lps_mm[k] for k in near if counts[k]]) for near in beside]


def tilt_deg(course_zyx: np.ndarray) -> float:
    """Angle between the course of the spine and the patient's long axis."""
    return float(np.degrees(np.arccos(np.clip(course_zyx[0], -1.0, 1.0))))
