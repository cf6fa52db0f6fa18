"""Discs of phantoms: low ones leave room for taller bodies, worn ones let bodies sink together."""

import numpy as np
import pytest
from vertebra_core.levels import Region, level_named
from vertebra_core.phantom.discs import DiscHeights, draw_disc_heights
from vertebra_core.phantom.spine_curve import ColumnSpec, draw_levels, place_column

LEVELS = draw_levels(np.random.default_rng(0), "usual")
SPEC = ColumnSpec(LEVELS, scale=1.0, scoliosis_deg=1.0, fractures={})


def column(build=1.0, left=1.0):
    """The same column with other discs; `left` is of the disc below T6 alone."""
    wear = tuple(left if name == "T6" else 1.0 for name in LEVELS[:-1])
    discs = DiscHeights((build,) * len(LEVELS), wear)
    return {p.name: p for p in place_column(SPEC, np.random.default_rng(3), discs)}


def distance(placed, upper, lower):
    return np.linalg.norm(placed[upper].center_zyx_mm - placed[lower].center_zyx_mm)


def test_usual_discs_change_nothing():
    usual = {p.name: p for p in place_column(SPEC, np.random.default_rng(3))}
    same = column()
    for name in LEVELS:
        assert same[name].intact_height_mm == usual[name].intact_height_mm
        np.testing.assert_array_equal(same[name].center_zyx_mm, usual[name].center_zyx_mm)


def test_bodies_are_taller_where_discs_are_low():
    usual, low = column(), column(build=0.5)
    for upper, lower in (("T4", "T5"), ("T8", "T9"), ("L2", "L3")):
        assert distance(low, upper, lower) == pytest.approx(distance(usual, upper, lower))
        gaps = [
            distance(c, upper, lower) - (c[upper].intact_height_mm + c[lower].intact_height_mm) / 2
            for c in (usual, low)
        ]
        assert 0.2 < gaps[1] / gaps[0] < 0.8


def test_a_worn_disc_brings_its_neighbours_closer_and_leaves_their_heights():
    usual, worn = column(), column(left=0.4)
    assert distance(worn, "T6", "T7") < distance(usual, "T6", "T7") - 1.0
    assert distance(worn, "T5", "T6") == pytest.approx(distance(usual, "T5", "T6"))
    for name in LEVELS:
        assert worn[name].intact_height_mm == usual[name].intact_height_mm


def test_no_disc_vanishes_however_low_and_worn():
    placed = column(build=0.45, left=0.35)
    gap = distance(placed, "T6", "T7")
    gap -= (placed["T6"].intact_height_mm + placed["T7"].intact_height_mm) / 2
    assert gap > 0.3


def test_degenerated_spines_have_more_worn_discs():
    rng = np.random.default_rng(1)
    young, old = (
        np.mean([np.array(draw_disc_heights(LEVELS, d, rng).left) < 1 for _ in range(100)])
        for d in (0.0, 0.9)
    )
    assert young < 0.1 < 0.3 < old


def test_the_discs_of_a_region_are_alike():
    build = draw_disc_heights(LEVELS, 0.5, np.random.default_rng(2)).build
    thoracic = {
        b for b, n in zip(build, LEVELS, strict=True) if level_named(n).region is Region.THORACIC
    }
    assert len(thoracic) == 1
    assert len(build) == len(LEVELS)
