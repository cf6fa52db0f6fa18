"""What the grade head sees of a body."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from vertebra_core.grading.body_frame import BodyFrame
from vertebra_core.grading.learned import body_crop
from vertebra_core.grading.network import CROP_SHAPE_ZYX, CROP_SHIFT_Y_MM
from vertebra_core.networks.normalisation import normalise_hu_array
from vertebra_core.volume import AIR_HU, CtVolume

ORIGIN_LPS_MM = (7.0, 5.0, 9.0)


def turned_frame(center=(30.0, 28.0, 33.0)) -> BodyFrame:
    axes = np.linalg.qr(np.array([[1, 0.2, -0.3], [-0.1, 1, 0.2], [0.3, -0.1, 1.0]]).T)[0].T
    axes = axes * np.sign(np.diag(axes))[:, None]
    return BodyFrame(center, tuple(map(tuple, axes)), 30.0, 40.0, 0.1)


def case(shape=(96, 92, 94)):
    rng = np.random.default_rng(4)
    hu = ndimage.gaussian_filter(rng.normal(0, 3000, shape), 2).astype(np.int16)
    ct = CtVolume(hu, (1.0, 1.0, 1.0), (-2.0, -6.0, 1.0))
    body, vertebra = (rng.random((60, 56, 64)).astype(np.float32) for _ in range(2))
    return ct, body, vertebra


def test_ct_and_masks_are_sampled_along_the_axes_of_the_body():
    ct, body, vertebra = case()
    frame = turned_frame()
    crop = body_crop(ct, body, vertebra, ORIGIN_LPS_MM, frame).numpy()
    lines = [np.arange(n) - (n - 1) / 2 for n in CROP_SHAPE_ZYX]
    points = frame.grid(lines[0], lines[1] + CROP_SHIFT_Y_MM, lines[2])
    in_ct = points + np.reshape(np.subtract(ORIGIN_LPS_MM, ct.origin_lps_mm)[::-1], (3, 1, 1, 1))
    hu = ndimage.map_coordinates(ct.hu.astype(np.float32), in_ct, order=1, cval=AIR_HU)
    assert crop[0] == pytest.approx(normalise_hu_array(hu), abs=1e-3)
    for channel, mask in ((1, body), (2, vertebra)):
        inside = [(p >= 0) & (p <= n - 1) for p, n in zip(points, mask.shape, strict=True)]
        within = np.all(inside, axis=0)
        expected = ndimage.map_coordinates(mask, points, order=1)
        assert 0.3 < within.mean() < 1
        assert crop[channel][within] == pytest.approx(expected[within], abs=1e-3)


def test_beyond_the_ct_lies_air_and_beyond_the_masks_nothing():
    ct, body, vertebra = case()
    crop = body_crop(ct, body, vertebra, ORIGIN_LPS_MM, turned_frame((-60.0, 28.0, 33.0))).numpy()
    air = normalise_hu_array(np.array(AIR_HU, np.float32))
    assert crop[0] == pytest.approx(np.full(CROP_SHAPE_ZYX, air))
    assert not crop[1:].any()
