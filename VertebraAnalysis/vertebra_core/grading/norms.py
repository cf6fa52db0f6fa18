"""What an unfractured body of each level measures, and where grading applies.

Ratios of heights are `morphometry.INTACT_RATIOS`. Posterior heights (mm) are the means of the
quantitative anatomy of Panjabi et al. (cervical [1]_, thoracic [2]_, lumbar [3]_; T13 and L6 are
interpolated here). Only their proportions matter: every spine is compared with its own scale.
Genant's grades are defined for T4 to L4 [4]_; the other levels from C3 to L5 are measured the same
way and called borderline more readily. C1 and C2 have no body between two discs.

References
----------
.. [1] Panjabi et al., "Cervical human vertebrae", Spine 16 (1991) 861-869.
.. [2] Panjabi et al., "Thoracic human vertebrae", Spine 16 (1991) 888-901.
.. [3] Panjabi et al., "Human lumbar vertebrae", Spine 17 (1992) 299-306.
.. [4] Genant et al., "Vertebral fracture assessment using a semiquantitative technique", J Bone
   Miner Res 8 (1993) 1137-1148.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..levels import level_named
from ..morphometry import INTACT_RATIOS

_POSTERIOR_HEIGHT_MM = {
    "C3": 11.6, "C4": 11.4, "C5": 11.4, "C6": 10.9, "C7": 12.8,
    "T1": 14.1, "T2": 15.6, "T3": 15.7, "T4": 16.2, "T5": 16.2, "T6": 17.4, "T7": 18.2,
    "T8": 18.7, "T9": 19.3, "T10": 20.2, "T11": 21.3, "T12": 22.7, "T13": 23.3,
    "L1": 23.8, "L2": 24.3, "L3": 23.8, "L4": 24.1, "L5": 22.9, "L6": 22.0,
}  # fmt: skip

CRUSH_SD = 0.055
"""Between-person deviation of a posterior height from what its spine's other vertebrae predict, as
a fraction: about the standard deviations of [1]_-[3]_ once the person's size is taken out."""

_UNGRADED_REASON = {
    "C1": "The atlas has no vertebral body, so it has no Genant grade.",
    "C2": "The dens makes the heights of the axis incomparable, so it has no Genant grade.",
    "S1": "Sacral segments have no Genant grade.",
}

OUTSIDE_GENANT_FACTOR = 1.5
"""How much wider the borderline band is outside T4-L4."""


@dataclass(frozen=True)
class LevelNorm:
    """What is expected of an unfractured body of one level.

    Attributes
    ----------
    wedge_ratio, wedge_sd : float
        Anterior over posterior height, and its spread between persons.
    biconcave_ratio, biconcave_sd : float
        Middle over posterior height.
    posterior_height_mm : float
        Of an average adult; scaled to the patient before use.
    crush_sd : float
        Spread of the posterior height about the spine's own course, as a fraction.
    within_genant_range : bool
        T4 to L4, where Genant's grades were defined.
    """

    wedge_ratio: float
    wedge_sd: float
    biconcave_ratio: float
    biconcave_sd: float
    posterior_height_mm: float
    crush_sd: float
    within_genant_range: bool


def level_norm(name: str) -> LevelNorm:
    """Return the norm of a level.

    Raises
    ------
    KeyError
        If the level has none (C1, C2, S1); see `why_not_graded`.
    """
    ratios = INTACT_RATIOS[name]
    # The table gives the middle height against the mean of the other two.
    to_posterior = (1 + ratios.wedge_ratio) / 2
    order = level_named(name).order
    return LevelNorm(
        wedge_ratio=ratios.wedge_ratio,
        wedge_sd=ratios.wedge_sd,
        biconcave_ratio=ratios.middle_ratio * to_posterior,
        biconcave_sd=(ratios.middle_sd**2 + (ratios.wedge_sd / 2) ** 2) ** 0.5,
        posterior_height_mm=_POSTERIOR_HEIGHT_MM[name],
        crush_sd=CRUSH_SD,
        within_genant_range=level_named("T4").order <= order <= level_named("L4").order,
    )


def why_not_graded(name: str) -> str | None:
    """Return why a level is never graded, None if it is."""
    return _UNGRADED_REASON.get(name)
