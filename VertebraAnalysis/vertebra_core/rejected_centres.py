"""Warnings about sure centres that localisation left out, as they do not line up with the spine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .analysis import Vertebra
from .localisation.localise import Centre

SURE_SCORE = 0.8
"""Vertebrae in view score 0.9 and more on three public scans; what `localisation.chain` keeps even
without a row. Fainter candidates are mostly false and not told."""

_SAME_MM = 15.0
"""Nearer to a named vertebra's centre, it is that vertebra seen twice."""


def rejected_warnings(rejected: Sequence[Centre], vertebrae: Sequence[Vertebra]) -> list[str]:
    """Return one sentence for each place where something like a vertebra was left out.

    Parameters
    ----------
    rejected : sequence of Centre
        What does not belong to the spine's chain.
    vertebrae : sequence of Vertebra
        Named, head to foot; at least one.
    """
    centres = np.array([v.center_lps_mm for v in vertebrae], float)
    warnings = []
    for centre in sorted(rejected, key=lambda c: -c.position_lps_mm[2]):
        distances = np.linalg.norm(centres - centre.position_lps_mm, axis=1)
        nearest = int(distances.argmin())
        if centre.score < SURE_SCORE or distances[nearest] < _SAME_MM:
            continue
        where = f"{distances[nearest]:.0f} mm {_side(centre, centres)} {vertebrae[nearest].level}"
        warnings.append(
            f"Something like a vertebra {where} was left out, as it does not line up with the "
            "spine; check whether a vertebra is missing there."
        )
    return warnings


def _side(centre: Centre, centres: np.ndarray) -> str:
    z = centre.position_lps_mm[2]
    if z > centres[:, 2].max():
        return "above"
    return "below" if z < centres[:, 2].min() else "beside"
