"""Contrast medium in the vessels before the spine is told, and nothing else is taken for it."""

from __future__ import annotations

import numpy as np
import pytest
from vertebra_core.grading.contrast_medium import vessels_enhanced
from vertebra_core.volume import CtVolume

LEVELS = ("T12", "L1", "L2")
CENTERS = tuple((0.0, 0.0, -30.0 * i) for i in range(3))


def spine_with_aorta(
    aorta_hu: float, wall_hu: float | None = None, noise_hu: float = 15.0, bone_hu: float = 295.0
):
    """Soft tissue with bodies of 24 mm radius and a vessel of 11 mm radius before them."""
    rng = np.random.default_rng(0)
    z, y, x = np.meshgrid(
        np.arange(-100, 40, 2.0), np.arange(-80, 40, 2.0), np.arange(-60, 60, 2.0), indexing="ij"
    )
    hu = 45 + rng.normal(0, noise_hu, z.shape)
    hu[np.hypot(x, y) < 21] += bone_hu - 45
    radius = np.hypot(x + 12, y + 36)
    hu[radius < 11] += aorta_hu - 45
    if wall_hu is not None:
        hu[(radius > 9) & (radius < 12)] = wall_hu
    origin = (-60.0, -80.0, -100.0)
    return CtVolume(hu.astype(np.int16), (2.0, 2.0, 2.0), origin, (1, 0, 0, 0, 1, 0, 0, 0, 1))


@pytest.mark.parametrize("aorta_hu", [150, 320])
def test_enhanced_vessels_are_told_with_their_brightness(aorta_hu):
    vessels_hu = vessels_enhanced(spine_with_aorta(aorta_hu), LEVELS, CENTERS)
    assert vessels_hu == pytest.approx(aorta_hu, abs=25)


@pytest.mark.parametrize("wall_hu", [None, 700])
def test_unenhanced_blood_in_a_calcified_wall_is_no_contrast_medium(wall_hu):
    assert vessels_enhanced(spine_with_aorta(45, wall_hu), LEVELS, CENTERS) is None


def test_even_trabecular_bone_is_no_contrast_medium():
    assert vessels_enhanced(spine_with_aorta(45, bone_hu=130), LEVELS, CENTERS) is None


def test_the_thyroid_beside_the_neck_is_not_asked():
    assert vessels_enhanced(spine_with_aorta(150), ("C5", "C6", "C7"), CENTERS) is None


def test_one_bright_body_alone_is_not_enough():
    assert vessels_enhanced(spine_with_aorta(150), LEVELS[:1], CENTERS[:1]) is None
