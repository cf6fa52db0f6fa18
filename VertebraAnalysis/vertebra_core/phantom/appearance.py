"""How tissues and bones of one patient look in CT: densities, textures, contrast, lesions.

The default draw is centred on clinical CT: soft tissue as in `tissue_draw`, vertebral trabecular
bone 60-250 HU falling with age and from neck to sacrum (Pickhardt et al., Ann Intern Med 158 (2013)
588-595: L1 mean 150 HU, 110 and less in osteoporosis).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .codes import Bone, Tissue
from .tissue_draw import draw_tissues

ARTHROSIS_SHARE = 0.35
"""Patients with sclerotic facets: a choice, between the young and the old."""

VACUUM_SHARE = 0.15
"""Patients with gas in worn discs: a choice, between the young and the old."""

DEMINERALISED_SHARE = 0.25
"""Patients of training in severe osteoporosis: a choice, more than among all patients, since those
who need a reading most are among them."""

# Trabecular density against L1-L3 (cervical bone is the densest, the sacrum the least dense).
_LEVEL_TREND = {1: 1.9, 2: 1.9, 3: 1.9, 7: 1.65, 8: 1.4, 12: 1.2, 19: 1.05, 20: 1.0, 24: 0.97}


@dataclass(frozen=True)
class Appearance:
    """One patient's densities and textures; HU and mm throughout.

    Attributes
    ----------
    tissue_hu, tissue_texture_hu, tissue_streak_hu : tuple of float
        Per `codes.Tissue`: mean, standard deviation within, and pull of streaks.
    texture_cell_mm : tuple of float
        Cells of the fine and the middle texture.
    phase : str
        One of `tissue_draw.PHASES`.
    vessel_hu : float
        Small vessels in lung and fat.
    content_hu, content_share, faeces : float
        Oral contrast or dense content of bowel, the share of bowel that has it, and how mottled
        with gas the rest is (0-1).
    cortical_hu, cortical_thickness_mm, cortical_variation : float
        Density and thickness of the shell of vertebral bodies and how much the thickness varies.
    endplate_ratio : float
        Thickness of endplates against upright walls.
    spot_hu : float
        Strength of small dense spots in spongy bone.
    trabecular_hu : float or None
        Density at L1-L3; None takes what the scene states per vertebra.
    level_shift_hu : tuple of float
        Per bone code (128): deviation of single vertebrae and other bones.
    trabecular_fine_hu, trabecular_patch_hu : float
        Standard deviation of fine and of patchy texture.
    trabecular_band_hu, band_cell_mm : float
        Standard deviation and height of level bands, dense and loose by turns, in spongy bone.
    loose_zone_hu : float
        How much less dense (negative: denser) bodies are between their shell and their core.
    sclerosis_hu, sclerosis_depth_mm : float
        Denser bone beneath the shell, and how deep it reaches.
    end_asymmetry, end_gradient_hu : float
        How much more shell and sclerosis (as a share) and density the lower ends of bodies have,
        and the upper ends lack; see `with_uneven_ends`.
    lesion_hu, lesion_threshold : float
        Added density inside lesions (negative: lytic) and the field value they start at; an
        infinite threshold means none.
    cement_levels : tuple of int
        Vertebrae (VerSe numbers) augmented with cement.
    arch_cortex_scale : float
        Thickness of the cortex of arches and processes against that of bodies. At 3 mm the arches
        of the public abdomen have a median of 270 HU; phantoms of like trabecular density have
        that with 0.9-1.0, and 400 HU with 1.8.
    disc_gas_share : float
        Share of the discs' volume that holds gas (vacuum phenomenon).
    arthrosis_hu : float
        Density that worn facets and arches gain in places, as spongy bone turns sclerotic.
    """

    tissue_hu: tuple[float, ...]
    tissue_texture_hu: tuple[float, ...]
    tissue_streak_hu: tuple[float, ...]
    texture_cell_mm: tuple[float, float]
    phase: str
    vessel_hu: float
    content_hu: float
    content_share: float
    faeces: float
    cortical_hu: float
    cortical_thickness_mm: float
    cortical_variation: float
    endplate_ratio: float
    spot_hu: float
    trabecular_hu: float | None
    level_shift_hu: tuple[float, ...]
    trabecular_fine_hu: float
    trabecular_patch_hu: float
    sclerosis_hu: float
    sclerosis_depth_mm: float
    lesion_hu: float
    lesion_threshold: float
    cement_levels: tuple[int, ...]
    arch_cortex_scale: float = 1.1
    arthrosis_hu: float = 0.0
    disc_gas_share: float = 0.0
    trabecular_band_hu: float = 0.0
    band_cell_mm: float = 4.0
    loose_zone_hu: float = 0.0
    end_asymmetry: float = 0.0
    end_gradient_hu: float = 0.0

    @staticmethod
    def random(rng: np.random.Generator) -> Appearance:
        """Draw a patient."""
        phase, means, textures, streaks = draw_tissues(rng)
        trabecular = rng.uniform(-20, 350) if rng.random() < 0.15 else rng.normal(150, 55)
        trabecular = float(np.clip(trabecular, -20, 350))
        old = float(np.clip((170 - trabecular) / 150, 0, 1))
        oral = rng.random() < 0.25
        lesion = rng.random() < 0.09
        return Appearance(
            tissue_hu=_floats(means),
            tissue_texture_hu=_floats(textures),
            tissue_streak_hu=_floats(streaks),
            texture_cell_mm=(float(rng.uniform(1.2, 2.2)), float(rng.uniform(4.5, 8.0))),
            phase=phase,
            vessel_hu=float(means[Tissue.VEIN] * rng.uniform(0.6, 1.0)),
            content_hu=float(rng.uniform(120, 450) if oral else rng.uniform(30, 90)),
            content_share=float(rng.uniform(0.1, 0.8)),
            faeces=float(rng.uniform(0, 1) if rng.random() < 0.6 else 0),
            cortical_hu=float(np.clip(rng.normal(1250, 220), 650, 1900)),
            cortical_thickness_mm=float(
                np.clip(0.52 * np.exp(0.34 * rng.standard_normal()) - 0.08 * old, 0.28, 1.5)
            ),
            cortical_variation=float(rng.uniform(0.2, 0.5)),
            endplate_ratio=float(rng.uniform(0.3, 1.35)),
            spot_hu=float(rng.uniform(0, 220)),
            trabecular_hu=trabecular,
            level_shift_hu=_floats(rng.standard_normal(128) * rng.uniform(3, 18)),
            trabecular_fine_hu=float(rng.uniform(14, 60) + 0.1 * trabecular),
            trabecular_patch_hu=float(rng.uniform(5, 38)),
            sclerosis_hu=float(max(0.0, rng.normal(120, 70))),
            sclerosis_depth_mm=float(rng.uniform(2.0, 6.0)),
            lesion_hu=_draw_lesion(rng),
            lesion_threshold=float(rng.uniform(1.7, 2.5)) if lesion else float("inf"),
            cement_levels=_draw_cement(rng),
            arch_cortex_scale=float(np.clip(1.1 * np.exp(0.4 * rng.standard_normal()), 0.4, 2.2)),
            arthrosis_hu=float(rng.uniform(100, 500) if rng.random() < ARTHROSIS_SHARE else 0.0),
            disc_gas_share=float(rng.uniform(0, 0.2) if rng.random() < VACUUM_SHARE else 0.0),
            trabecular_band_hu=float(rng.uniform(0, 50) * max(0.5, trabecular / 200)),
            band_cell_mm=float(rng.uniform(2.5, 5.0)),
            loose_zone_hu=float(rng.normal(15, 40) * max(0.5, trabecular / 200)),
        )

    @staticmethod
    def random_training(rng: np.random.Generator) -> Appearance:
        """Draw a patient for training: uneven ends, and severe osteoporosis more often."""
        patient = Appearance.random(rng)
        if rng.random() < DEMINERALISED_SHARE:
            patient = patient.demineralised(rng)
        return patient.with_uneven_ends(rng)

    def demineralised(self, rng: np.random.Generator) -> Appearance:
        """Return the same patient in severe osteoporosis: fatty marrow in a thin shell.

        Spongy bone of the old may have the density of fat and muscle; at 3 mm the shell is then
        hardly denser than its surroundings.
        """
        return replace(
            self,
            trabecular_hu=float(rng.uniform(-45, 60)),
            cortical_hu=self.cortical_hu * float(rng.uniform(0.65, 1.0)),
            cortical_thickness_mm=max(
                0.2, self.cortical_thickness_mm * float(rng.uniform(0.5, 1.0))
            ),
            sclerosis_hu=self.sclerosis_hu * float(rng.uniform(0.1, 0.8)),
            spot_hu=self.spot_hu * float(rng.uniform(0.0, 0.6)),
            trabecular_fine_hu=self.trabecular_fine_hu * float(rng.uniform(0.4, 0.8)),
        )

    def with_uneven_ends(self, rng: np.random.Generator) -> Appearance:
        """Return the same patient with bodies whose lower ends are mostly denser than the upper.

        In three public CTs the densest bone at the lower end of bodies has 1.09, 1.11 and 1.28
        times the HU of that at the upper end; networks that know even ends only put bodies of the
        last too high.
        """
        dense = 1.0 if self.trabecular_hu is None else max(0.5, self.trabecular_hu / 200)
        return replace(
            self,
            end_asymmetry=float(np.clip(rng.normal(0.3, 0.35), -0.6, 0.95)),
            end_gradient_hu=float(rng.normal(30, 45) * dense),
        )

    def trabecular_table(self, stated_hu: np.ndarray) -> np.ndarray:
        """Trabecular density per bone code.

        Parameters
        ----------
        stated_hu : ndarray, shape (128,)
            What the scene states (NaN: nothing); taken where `trabecular_hu` is None.
        """
        stated = np.asarray(stated_hu, float)
        known = np.isfinite(stated)
        base = self.trabecular_hu
        if base is None:
            base = float(stated[known].mean()) if known.any() else 150.0
        numbers = np.array(list(_LEVEL_TREND))
        trend = np.interp(np.arange(128), numbers, list(_LEVEL_TREND.values()))
        trend[26] = 0.85
        trend[28] = 1.03
        trend[Bone.RIB] = 0.95
        trend[Bone.PELVIS] = 0.9
        trend[Bone.SKULL] = 2.5
        trend[Bone.FEMUR] = 1.4
        trend[Bone.SHOULDER] = 1.1
        trend[Bone.STERNUM] = 0.75
        # Fatty marrow (below about 20 HU) does not grow denser with the trend.
        table = base + max(base, 40.0) * (trend - 1) + np.asarray(self.level_shift_hu)
        if self.trabecular_hu is None:
            table = np.where(known, stated, table)
        return table.astype(np.float32)


def _floats(values) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _draw_lesion(rng: np.random.Generator) -> float:
    return float(rng.uniform(150, 700) if rng.random() < 0.6 else -rng.uniform(60, 200))


def _draw_cement(rng: np.random.Generator) -> tuple[int, ...]:
    if rng.random() > 0.02:
        return ()
    start = int(rng.integers(12, 24))
    return tuple(range(start, start + int(rng.integers(1, 4))))
