"""A vertebra with all its marks moved in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from vertebra_core.analysis import HeightLine, Vertebra

from .Coordinates import Point, lpsToRas, rasToLps


def movedVertebra(vertebra: Vertebra, movement: np.ndarray) -> Vertebra:
    """Return `vertebra` with centre, axes, height lines and places of flags moved.

    Parameters
    ----------
    vertebra : Vertebra
        Its points are LPS mm.
    movement : ndarray, shape (4, 4)
        Rotation and shift of RAS mm, so that heights stay what they are.
    """
    axes = vertebra.axes_lps
    return replace(
        vertebra,
        center_lps_mm=_moved(vertebra.center_lps_mm, movement),
        axes_lps=None if axes is None else tuple(_moved(a, movement, 0.0) for a in axes),
        height_lines={
            name: HeightLine(
                _moved(line.top_lps_mm, movement), _moved(line.bottom_lps_mm, movement)
            )
            for name, line in vertebra.height_lines.items()
        },
        flags=tuple(
            flag
            if flag.position_lps_mm is None
            else replace(flag, position_lps_mm=_moved(flag.position_lps_mm, movement))
            for flag in vertebra.flags
        ),
    )


def _moved(lps: Sequence[float], movement: np.ndarray, weight: float = 1.0) -> Point:
    """Move a point, or turn a direction, whose `weight` is 0."""
    return rasToLps((movement @ [*lpsToRas(lps), weight])[:3])
