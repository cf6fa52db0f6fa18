"""The course of a spine between the centres of its vertebrae."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_LEAST_DISTANCE_MM = 1.0


def spine_course(centres_lps_mm: Sequence[Sequence[float]], i: int) -> np.ndarray | None:
    """Direction up the spine at one vertebra, from the centres of its neighbours.

    Parameters
    ----------
    centres_lps_mm : sequence of (3,)
        Head to foot.
    i : int

    Returns
    -------
    ndarray, shape (3,), or None
        Unit vector z, y, x of a grid along the patient's axes; None where there is no neighbour, or
        it lies at the same place.
    """
    near = centres_lps_mm[max(i - 1, 0) : i + 2]
    if len(near) < 2:
        return None
    step = np.subtract(near[0], near[-1])
    length = float(np.linalg.norm(step))
    return step[::-1] / length if length > _LEAST_DISTANCE_MM else None


def tilt_deg(course_zyx: np.ndarray) -> float:
    """Angle between the course of the spine and the patient's long axis."""
    return float(np.degrees(np.arccos(np.clip(course_zyx[0], -1.0, 1.0))))
