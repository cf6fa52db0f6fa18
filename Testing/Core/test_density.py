"""Trabecular density is that of the spongy bone, not of what surrounds or fills it."""

from __future__ import annotations

import numpy as np
import pytest
from vertebra_core.grading.body_frame import BodyFrame
from vertebra_core.grading.trabecular import trabecular_density
from vertebra_core.volume import CtVolume

_FRAME = BodyFrame((20.0, 20.0, 25.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)), 30.0, 40.0, 0.0)
_HEIGHT_MM = 24.0
_ORIGIN = (-10.0, 30.0, 500.0)


def _ct(noise: float = 20.0) -> CtVolume:
    rng = np.random.default_rng(0)
    hu = np.full((41, 41, 51), 50.0)
    hu[8:33, 5:36, 5:46] = 600  # cortex and endplates, 2 mm
    hu[10:31, 7:34, 7:44] = 130
    hu[18:23, 27:34, 20:30] = 30  # basivertebral vein
    return CtVolume((hu + rng.normal(0, noise, hu.shape)).astype(np.float32), (1.0,) * 3, _ORIGIN)


def _density(ct: CtVolume):
    return trabecular_density(ct, _FRAME, _ORIGIN, _HEIGHT_MM)


def test_cortex_and_vein_are_left_out():
    found = _density(_ct())
    assert found.mean_hu == pytest.approx(130, abs=3)
    assert not found.treated


def test_the_body_is_found_wherever_the_ct_begins():
    ct = _ct()
    part = CtVolume(ct.hu[3:, 2:, 4:], (1.0,) * 3, (-6.0, 32.0, 503.0))
    assert _density(part).mean_hu == pytest.approx(_density(ct).mean_hu, abs=0.5)


def test_cement_is_noticed():
    ct = _ct()
    ct.hu[17:25, 12:20, 20:32] = 1500
    found = _density(ct)
    assert found.treated and not found.holds_metal


def test_a_drop_of_cement_is_noticed():
    ct = _ct()
    z, y, x = np.ogrid[:41, :41, :51]
    ct.hu[(z - 20) ** 2 + (y - 17) ** 2 + (x - 25) ** 2 < 5**2] = 1500
    assert _density(ct).treated


def test_noise_and_overshoot_of_a_sharp_kernel_are_no_cement():
    sound = _ct(noise=330.0)
    assert (sound.hu[14:27, 11:24, 14:37] > 700).mean() > 0.04
    found = _density(sound)
    assert not found.treated
    assert found.mean_hu is not None


def test_metal_is_noticed():
    ct = _ct()
    ct.hu[19:24, 6:36, 22:27] = 3000
    assert _density(ct).holds_metal


def test_a_body_outside_the_ct_has_no_density():
    ct = _ct()
    far = CtVolume(ct.hu, (1.0,) * 3, (500.0, 30.0, 500.0))
    assert _density(far).mean_hu is None
