"""The fracture warp loses what it says, where it says, and leaves the rest alone."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_bodies import DEPTH_MM, HEIGHT_MM, WIDTH_MM, axes, body_level
from vertebra_core.phantom.fracture import SHAPES, Fracture, heights_from_sdf, source_points

_STEP = 0.75
_STATION = {"wedge": 0, "biconcave": 1, "crush": 2}


def _heights(level, z, y, x):
    first = tuple(float(c.ravel()[0]) for c in (z, y, x))
    return np.array(heights_from_sdf(level, first, _STEP, DEPTH_MM, WIDTH_MM))


@pytest.fixture(scope="module")
def grid():
    return axes((HEIGHT_MM / 2 + 8, DEPTH_MM / 2 + 8, WIDTH_MM / 2 + 8), _STEP)


def test_heights_of_an_intact_body_are_those_of_its_formula(grid):
    # Hollow by 1 mm at the centre of each end, by 1 - 0.76^2 mm a little inside the front wall;
    # the posterior height is that of the corner, up to the full 25 mm.
    anterior, middle, posterior = _heights(body_level(*grid), *grid)
    assert anterior == pytest.approx(25 - 2 * (1 - 0.76**2), abs=0.15)
    assert middle == pytest.approx(23.0, abs=0.15)
    assert 24.3 < posterior < 25.0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("loss", [0.22, 0.33, 0.55])
def test_the_stated_loss_is_what_is_measured(grid, shape, loss):
    intact = _heights(body_level(*grid), *grid)
    rng = np.random.default_rng(3)
    for _ in range(3):
        fracture = Fracture.random(shape, loss, rng)
        level = body_level(*source_points(fracture, *grid, HEIGHT_MM, DEPTH_MM, WIDTH_MM))
        lost = 1 - _heights(level, *grid) / intact
        assert lost[_STATION[shape]] == pytest.approx(loss, abs=0.04)
        if shape != "crush":
            assert lost[2] < 0.08, "the posterior wall keeps its height"
        if shape == "biconcave":
            assert lost[0] < 0.08


@pytest.mark.parametrize("shape", SHAPES)
def test_posterior_elements_stay_where_they_are(grid, shape):
    fracture = Fracture.random(shape, 0.5, np.random.default_rng(0))
    y = np.float32(DEPTH_MM / 2 + 5) + np.arange(0, 40, 2, dtype=np.float32)[None, :, None]
    z, _, x = grid
    moved = source_points(fracture, z, y, x, HEIGHT_MM, DEPTH_MM, WIDTH_MM)
    for got, given in zip(moved, np.broadcast_arrays(z, y, x), strict=True):
        np.testing.assert_allclose(got, given, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_warp_neither_folds_nor_tears(grid, shape):
    rng = np.random.default_rng(5)
    for _ in range(3):
        z, _, _ = source_points(
            Fracture.random(shape, 0.6, rng), *grid, HEIGHT_MM, DEPTH_MM, WIDTH_MM
        )
        assert np.diff(z, axis=0).min() > 0.2 * _STEP


def test_impossible_fractures_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="shape"):
        Fracture.random("burst", 0.3, rng)
    with pytest.raises(ValueError, match="loss"):
        Fracture.random("wedge", 1.2, rng)


def test_no_body_has_no_heights(grid):
    empty = np.full(np.broadcast_shapes(*(c.shape for c in grid)), 5.0, np.float32)
    assert np.isnan(_heights(empty, *grid)).all()
