"""Height ratios of unfractured vertebral bodies per level.

Thoracic bodies are naturally wedged and lower lumbar ones are taller in front, so a ratio below one
is no fracture by itself. The means follow the morphometric reference studies of T4-L5
([1]_, [2]_, [3]_), rounded to 0.005; those of C3-T3 continue them with the public expert masks of
VerSe'20. Spreads are those between persons at one level.

References
----------
.. [1] Black et al., J Bone Miner Res 6 (1991) 883-892.
.. [2] Eastell et al., J Bone Miner Res 6 (1991) 207-215.
.. [3] Masharawi et al., Clin Anat 21 (2008) 46-54, doi 10.1002/ca.20532 (wedging T1-L5).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HeightRatios:
    """Ratios expected of an intact body.

    Attributes
    ----------
    wedge_ratio, wedge_sd : float
        Anterior over posterior height.
    middle_ratio, middle_sd : float
        Middle height over the mean of anterior and posterior height.
    """

    wedge_ratio: float
    middle_ratio: float
    wedge_sd: float = 0.032
    middle_sd: float = 0.022


INTACT_RATIOS: dict[str, HeightRatios] = {
    **{name: HeightRatios(0.97, 0.975, 0.045, 0.03) for name in ("C3", "C4", "C5", "C6", "C7")},
    "T1": HeightRatios(0.975, 0.955),
    "T2": HeightRatios(0.97, 0.95),
    "T3": HeightRatios(0.96, 0.95),
    "T4": HeightRatios(0.95, 0.95),
    "T5": HeightRatios(0.94, 0.95),
    "T6": HeightRatios(0.93, 0.95),
    "T7": HeightRatios(0.925, 0.95),
    "T8": HeightRatios(0.925, 0.95),
    "T9": HeightRatios(0.94, 0.945),
    "T10": HeightRatios(0.95, 0.945),
    "T11": HeightRatios(0.935, 0.945),
    "T12": HeightRatios(0.93, 0.94),
    "T13": HeightRatios(0.93, 0.94),
    "L1": HeightRatios(0.935, 0.935),
    "L2": HeightRatios(0.97, 0.93),
    "L3": HeightRatios(1.0, 0.925),
    "L4": HeightRatios(1.04, 0.92),
    "L5": HeightRatios(1.14, 0.92),
    "L6": HeightRatios(1.16, 0.92),
}
"""Expected ratios per level name; C1 and C2 have no body to measure."""
