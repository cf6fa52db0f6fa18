"""Densities and textures of everything that is not bone, drawn for one patient.

Soft tissue is as in the textbooks (fat -100, muscle 55, unenhanced liver 58 HU), with enhancement
by phase. A small share of draws ignores all that, so that a network does not rest on absolute
soft-tissue densities.
"""

from __future__ import annotations

import numpy as np

from .codes import Tissue

RANDOM_TISSUE_SHARE = 0.12

PHASES = ("none", "arterial", "portal venous", "delayed")
_PHASE_SHARES = (0.37, 0.17, 0.36, 0.10)

_N_TISSUES = max(Tissue) + 1

# Mean and spread between patients without contrast, then the texture within one patient, HU.
_PLAIN = {
    Tissue.AIR: (-1000, 1, 0),
    Tissue.SKIN: (10, 20, 8),
    Tissue.FAT: (-104, 6, 6),
    Tissue.MUSCLE: (53, 8, 5),
    Tissue.LUNG: (-860, 35, 22),
    Tissue.HEART: (45, 5, 4),
    Tissue.BLOOD_POOL: (41, 5, 2),
    Tissue.AORTA: (41, 5, 2),
    Tissue.VEIN: (41, 5, 3),
    Tissue.LIVER: (58, 8, 3),
    Tissue.SPLEEN: (48, 5, 4),
    Tissue.KIDNEY: (32, 4, 5),
    Tissue.BOWEL_WALL: (38, 8, 8),
    Tissue.BOWEL_CONTENT: (20, 15, 12),
    Tissue.BOWEL_GAS: (-970, 25, 15),
    Tissue.DISC: (82, 14, 8),
    Tissue.CANAL: (18, 10, 7),
    Tissue.CORD: (40, 5, 3),
    Tissue.TRACHEA: (-985, 10, 3),
    Tissue.BRAIN: (34, 3, 3),
    Tissue.BLADDER: (6, 4, 2),
    Tissue.SOFT_OTHER: (42, 10, 6),
    Tissue.CALCIFICATION: (650, 250, 90),
    Tissue.TABLE: (-150, 250, 10),
    Tissue.METAL: (3500, 900, 0),
    Tissue.CEMENT: (1400, 350, 120),
    Tissue.STOMACH: (25, 20, 12),
    Tissue.CARTILAGE: (105, 20, 12),
}

# Mean and relative spread of enhanced tissue per phase, HU.
_ENHANCED = {
    "none": {},
    "arterial": {
        Tissue.AORTA: (320, 0.2), Tissue.BLOOD_POOL: (290, 0.25), Tissue.VEIN: (110, 0.4),
        Tissue.KIDNEY: (140, 0.15), Tissue.LIVER: (72, 0.12), Tissue.SPLEEN: (120, 0.15),
        Tissue.HEART: (98, 0.15), Tissue.BOWEL_WALL: (75, 0.2), Tissue.MUSCLE: (58, 0.1),
    },
    "portal venous": {
        Tissue.AORTA: (155, 0.13), Tissue.BLOOD_POOL: (145, 0.13), Tissue.VEIN: (148, 0.13),
        Tissue.KIDNEY: (185, 0.13), Tissue.LIVER: (108, 0.12), Tissue.SPLEEN: (118, 0.1),
        Tissue.HEART: (105, 0.12), Tissue.BOWEL_WALL: (80, 0.2), Tissue.MUSCLE: (62, 0.1),
    },
    "delayed": {
        Tissue.AORTA: (100, 0.12), Tissue.BLOOD_POOL: (98, 0.12), Tissue.VEIN: (103, 0.12),
        Tissue.KIDNEY: (140, 0.15), Tissue.LIVER: (88, 0.1), Tissue.SPLEEN: (90, 0.1),
        Tissue.HEART: (84, 0.1), Tissue.BOWEL_WALL: (65, 0.2), Tissue.MUSCLE: (62, 0.1),
    },
}  # fmt: skip

# Amount by which strong local texture pulls a tissue towards its neighbour: fat streaks in muscle,
# septa and small vessels in fat, portal vessels in the liver, HU per unit of texture.
_STREAKS = {
    Tissue.MUSCLE: (-60, 35),
    Tissue.FAT: (45, 20),
    Tissue.SOFT_OTHER: (-40, 20),
    Tissue.BOWEL_WALL: (-25, 20),
    Tissue.LIVER: (6, 6),
}


def draw_tissues(rng: np.random.Generator) -> tuple[str, np.ndarray, np.ndarray, np.ndarray]:
    """Draw a patient's soft tissue.

    Returns
    -------
    phase : str
        One of `PHASES`.
    means, textures, streaks : ndarray, shape (n,)
        Per `codes.Tissue`, HU: mean, standard deviation within, and pull of streaks.
    """
    phase = PHASES[rng.choice(len(PHASES), p=_PHASE_SHARES)]
    means, textures = _of_phase(phase, rng)
    if rng.random() < RANDOM_TISSUE_SHARE:
        _scramble(means, textures, rng)
    streaks = np.zeros(_N_TISSUES)
    for tissue, (mean, spread) in _STREAKS.items():
        streaks[tissue] = rng.normal(mean, spread)
    return phase, means, textures, streaks


def _of_phase(phase: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    means, textures = np.zeros(_N_TISSUES), np.zeros(_N_TISSUES)
    for tissue, (mean, spread, texture) in _PLAIN.items():
        means[tissue] = rng.normal(mean, spread)
        textures[tissue] = texture * np.exp(0.35 * rng.standard_normal())
    # Steatosis and sarcopenia: liver down to 10, muscle down to 20 HU.
    if rng.random() < 0.2:
        means[Tissue.LIVER] -= rng.uniform(10, 45)
    if rng.random() < 0.3:
        means[Tissue.MUSCLE] -= rng.uniform(5, 28)
        textures[Tissue.MUSCLE] *= 1.6
    common = np.exp(0.12 * rng.standard_normal())
    plain = means.copy()
    for tissue, (enhanced, spread) in _ENHANCED[phase].items():
        value = enhanced * common * np.exp(spread * rng.standard_normal())
        rise = value - _PLAIN[tissue][0]
        means[tissue] = plain[tissue] + max(rise, -5.0)
    if phase != "none" and rng.random() < 0.12:
        # Chest protocols time the contrast for the right heart and the great veins.
        means[Tissue.VEIN], means[Tissue.BLOOD_POOL] = rng.uniform(200, 550, 2)
    if phase == "delayed" and rng.random() < 0.4:
        means[Tissue.BLADDER] = rng.uniform(60, 600)
    means[Tissue.METAL] = max(means[Tissue.METAL], 1800.0)
    means[Tissue.CALCIFICATION] = max(means[Tissue.CALCIFICATION], 220.0)
    means[Tissue.CEMENT] = max(means[Tissue.CEMENT], 700.0)
    return means, textures


def _scramble(means: np.ndarray, textures: np.ndarray, rng: np.random.Generator) -> None:
    """Give most soft tissues any density, in the manner of SynthSeg (Billot et al., 2023)."""
    hard = {Tissue.AIR, Tissue.METAL, Tissue.TABLE, Tissue.CEMENT, Tissue.CALCIFICATION}
    for tissue in Tissue:
        if tissue in hard or rng.random() < 0.3:
            continue
        if tissue in (Tissue.LUNG, Tissue.TRACHEA, Tissue.BOWEL_GAS):
            means[tissue] = rng.uniform(-1000, -500)
        else:
            means[tissue] = rng.uniform(-150, 220)
        textures[tissue] = rng.uniform(2, 40)
