"""Heights are those of the body, to a fraction of a voxel, at any tilt and slice thickness."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_bodies import axes, body_level, rotation, sampled
from vertebra_core.grading.body_frame import BodyFrame, fit_body_frame
from vertebra_core.grading.heights import HeightError, measure_heights
from vertebra_core.phantom.fracture import Fracture, heights_from_sdf, source_points

_CENTER = np.array([26.4, 27.2, 30.7])
_EXTENT = (52, 54, 61)

_BODIES = (
    # height, depth, width, hollow, wedge, fracture, turns
    (24.0, 31.0, 41.0, 1.2, 0.95, None, (12, 4, 0)),
    (18.5, 25.0, 29.0, 0.5, 0.93, ("wedge", 0.35), (-8, 10, 0)),
    (22.0, 28.0, 36.0, 0.9, 1.0, ("biconcave", 0.3), (30, 0, 0)),
    (25.0, 30.0, 40.0, 1.0, 1.05, ("crush", 0.4), (-20, 12, 0)),
)


def _level(size, hollow, wedge, fracture):
    made = fracture and Fracture.random(*fracture, np.random.default_rng(4))

    def level(z, y, x):
        z, y, x = (np.asarray(c, np.float32) for c in (z, y, x))
        if made:
            z, y, x = source_points(made, z, y, x, *size)
        return body_level(z, y, x, *size, hollow, wedge)

    return level


def _as_array(heights) -> np.ndarray:
    return np.array([heights.anterior, heights.middle, heights.posterior])


def _truth(level, size) -> np.ndarray:
    z, y, x = axes(tuple(s / 2 + 5 for s in size), 0.5)
    first = tuple(float(c.ravel()[0]) for c in (z, y, x))
    return np.array(heights_from_sdf(level(z, y, x), first, 0.5, size[1], size[2]))


def _measured(level, turns, spacing, as_mask=False):
    turned = rotation(*turns)
    shape = tuple(int(np.ceil(n / s)) for n, s in zip(_EXTENT, spacing, strict=True))
    body = sampled(level, turned, _CENTER, shape, spacing, 1 if as_mask else 2)
    body = body > 0.5 if as_mask else body
    frame = fit_body_frame(body, spacing, None, turned[0])
    return measure_heights(body, spacing, frame)


def _errors(spacing, as_mask, bodies=_BODIES) -> np.ndarray:
    errors = []
    for *size_and_form, fracture, turns in bodies:
        size, (hollow, wedge) = tuple(size_and_form[:3]), size_and_form[3:]
        level = _level(size, hollow, wedge, fracture)
        found = _measured(level, turns, spacing, as_mask)
        errors.append(_as_array(found.heights_mm) - _truth(level, size))
    return np.array(errors)


@pytest.mark.parametrize("as_mask", [False, True])
def test_heights_at_1_mm(as_mask):
    errors = _errors((1.0, 1.0, 1.0), as_mask)
    assert np.abs(errors).mean() < 0.5
    assert np.abs(errors).max() < 1.5


@pytest.mark.parametrize("as_mask", [False, True])
def test_heights_in_3_mm_slices(as_mask):
    assert np.abs(_errors((3.0, 1.0, 1.0), as_mask, _BODIES[1:])).mean() < 1.2


def test_tilt_changes_no_height():
    level = _level((24.0, 31.0, 41.0), 1.0, 0.95, None)
    upright, tilted = (
        _as_array(_measured(level, turns, (1.0,) * 3).heights_mm)
        for turns in ((0, 0, 0), (35, 10, 0))
    )
    np.testing.assert_allclose(upright, tilted, atol=0.5)


def test_a_beak_on_the_front_rim_is_not_measured():
    smooth = _level((24.0, 31.0, 41.0), 1.0, 0.95, None)

    def beaked(z, y, x):
        beak = np.sqrt((z + 10) ** 2 + (y + 17) ** 2 + (0.4 * x) ** 2) - 4.5
        return np.minimum(smooth(z, y, x), beak)

    without, with_beak = (_measured(f, (0, 0, 0), (1.0,) * 3) for f in (smooth, beaked))
    assert with_beak.depth_mm == pytest.approx(without.depth_mm, abs=1.0)
    np.testing.assert_allclose(
        _as_array(with_beak.heights_mm), _as_array(without.heights_mm), atol=0.7
    )


def test_a_standing_posterior_corner_is_the_posterior_height():
    # The upper endplate has sunk by 5 mm in front of a 3 mm strip at the posterior wall.
    def level(z, y, x):
        z, y, x = (np.asarray(c, np.float32) for c in (z, y, x))
        sunk = z - (12.0 - 5.0 * np.clip((13.0 - y) / 3.0, 0, 1))
        return np.maximum(body_level(z, y, x, 24.0, 32.0, 42.0, 0.0), sunk)

    found = _as_array(_measured(level, (0, 0, 0), (1.0,) * 3).heights_mm)
    assert found[2] == pytest.approx(24.0, abs=1.0)
    assert found[0] == pytest.approx(19.0, abs=0.8)
    assert found[1] == pytest.approx(19.0, abs=0.8)


def test_lines_are_as_long_as_the_heights_and_in_order():
    found = _measured(_level((24.0, 31.0, 41.0), 1.0, 0.95, None), (20, 0, 0), (1.0,) * 3)
    places = []
    for name in ("anterior", "middle", "posterior"):
        line = found.lines[name]
        top, bottom = np.array(line.top_zyx_mm), np.array(line.bottom_zyx_mm)
        expected = getattr(found.heights_mm, name)
        assert np.linalg.norm(top - bottom) == pytest.approx(expected, abs=1e-6)
        assert top[0] > bottom[0]
        places.append((top + bottom)[1] / 2)
    assert places == sorted(places)


def test_an_uneven_body_has_a_spread():
    def level(z, y, x):
        # Lower on the left by 20 %.
        return body_level(z * (1 + 0.012 * np.asarray(x)), y, x, 24.0, 31.0, 41.0)

    even = _measured(_level((24.0, 31.0, 41.0), 1.0, 1.0, None), (0, 0, 0), (1.0,) * 3)
    uneven = _measured(level, (0, 0, 0), (1.0,) * 3)
    assert _as_array(uneven.spread_mm).mean() > _as_array(even.spread_mm).mean() + 0.5


def test_a_frame_beside_the_body_measures_nothing():
    body = np.zeros((30, 30, 60), np.float32)
    body[8:22, 5:25, 5:20] = 1
    frame = BodyFrame((15.0, 15.0, 50.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)), 20.0, 15.0, 0.0)
    with pytest.raises(HeightError):
        measure_heights(body, 1.0, frame)
