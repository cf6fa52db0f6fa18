"""Parametric vertebrae: plausible, connected, individual, and fitting each other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from vertebra_core.levels import MOBILE_LEVELS, level_named
from vertebra_core.phantom import parametric_vertebra as module
from vertebra_core.phantom.parametric_body import body_field
from vertebra_core.phantom.parametric_pelvis import hip_centres_mm, parametric_pelvis
from vertebra_core.phantom.parametric_sacrum import parametric_sacrum
from vertebra_core.phantom.parametric_vertebra import parametric_vertebra
from vertebra_core.phantom.sdf import Canvas, ball, bar, plate
from vertebra_core.phantom.shape_frame import GRID_HIGH_ZYX_MM, GRID_LOW_ZYX_MM
from vertebra_core.phantom.shape_measurement import body_centre, measure_body
from vertebra_core.phantom.vertebra_parameters import TYPICAL

ORIGIN = tuple(-v for v in GRID_LOW_ZYX_MM)
GRID_SHAPE = tuple(b - a + 1 for a, b in zip(GRID_LOW_ZYX_MM, GRID_HIGH_ZYX_MM, strict=True))
NUMBERS = [level.number for level in MOBILE_LEVELS]


@pytest.fixture(scope="module")
def shapes():
    return {n: parametric_vertebra(n, np.random.default_rng(100 + n)) for n in NUMBERS}


@pytest.fixture(scope="module")
def typical():
    """Vertebrae of the typical sizes, without individual variation."""

    def draw(number, rng):
        name = next(level.name for level in MOBILE_LEVELS if level.number == number)
        return TYPICAL[name], TYPICAL[f"{name[0]}{int(name[1:]) + 1}"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "draw_parameters", draw)
        return {
            name: parametric_vertebra(level_named(name).number, np.random.default_rng(1))
            for name in ("C4", "C5", "T6", "T7", "L2", "L3")
        }


@pytest.mark.parametrize("number", NUMBERS)
def test_every_level_is_one_piece_on_the_standard_grid(shapes, number):
    shape = shapes[number]
    assert shape.level == number
    assert shape.sdf.shape == shape.body_sdf.shape == GRID_SHAPE
    assert shape.sdf.dtype == np.float16
    parts, count = ndimage.label(shape.sdf < 0)
    sizes = ndimage.sum(parts > 0, parts, range(1, count + 1))
    assert sizes.max() / sizes.sum() > 0.999
    inside = shape.sdf < 0
    for axis in range(3):
        assert not inside.take(0, axis).any() and not inside.take(-1, axis).any()


@pytest.mark.parametrize("number", NUMBERS)
def test_body_lies_within_the_vertebra_and_has_the_stated_size(shapes, number):
    shape = shapes[number]
    outside = (shape.body_sdf < 0) & (shape.sdf > 0)
    assert outside.sum() <= 0.002 * (shape.body_sdf < 0).sum()
    if number == 1:
        return
    assert np.abs(body_centre(shape.body_sdf)).max() < 1.5
    size = measure_body(shape.body_sdf)
    assert shape.height_mm == pytest.approx(size.height_mm, abs=0.05)
    assert shape.width_mm > shape.depth_mm * 0.95
    # The rims stand out beyond the waist, by no more than rims do.
    extents = np.ptp(np.argwhere(shape.body_sdf < 0), axis=0) + 1
    assert np.all(extents >= [size.height_mm - 1, size.depth_mm - 1, size.width_mm - 1])
    # Uncinate processes rise well above the middle of a cervical endplate.
    assert np.all(extents <= [1.75 * size.height_mm, 1.3 * size.depth_mm, 1.3 * size.width_mm])


@pytest.mark.parametrize("number", NUMBERS)
def test_the_canal_is_open_from_above_and_closed_all_round(shapes, number):
    shape = shapes[number]
    y = int(round(shape.depth_mm / 2 + shape.canal_depth_mm / 2)) if number != 1 else 12
    assert np.all(shape.sdf[:, ORIGIN[1] + y, ORIGIN[2]] > 0)
    # Seen from above the bone's shadow is a ring about the canal: the canal is a hole in it.
    shadow = (shape.sdf < 0).any(0)
    holes, _ = ndimage.label(~shadow)
    assert holes[ORIGIN[1] + y, ORIGIN[2]] != holes[0, 0]


@pytest.mark.parametrize("name", ["C4", "T7", "L3"])
def test_sizes_come_out_as_the_parameters_ask(typical, name):
    if name not in typical:
        pytest.fail("typical vertebra missing")
    shape, wanted = typical[name], TYPICAL[name]
    assert shape.height_mm == pytest.approx(wanted.height, rel=0.03)
    assert shape.depth_mm == pytest.approx(wanted.depth, rel=0.03)
    assert shape.width_mm == pytest.approx(wanted.width, rel=0.03)


@pytest.mark.parametrize(("upper", "lower"), [("C4", "C5"), ("T6", "T7"), ("L2", "L3")])
def test_neighbours_meet_at_their_facets_without_touching(typical, upper, lower):
    above = ndimage.shift(
        typical[upper].sdf.astype(np.float32), (TYPICAL[upper].spacing, 0, 0), order=1, cval=16.0
    )
    below = typical[lower].sdf.astype(np.float32)
    assert ((above < -0.3) & (below < -0.3)).sum() == 0
    p = TYPICAL[lower]
    z, y, x = (
        slice(int(o + c - 5), int(o + c + 6))
        for o, c in zip(ORIGIN, (p.facet_z, p.facet_y, p.facet_x), strict=True)
    )
    gap = np.where(below < 0, above, 99)[z, y, x].min()
    assert 0.2 < gap < 2.5


def test_thoracic_spinous_processes_slope_over_the_next_vertebra(shapes):
    for name in ("T5", "T6", "T7"):
        shape = shapes[level_named(name).number]
        voxels = np.argwhere(shape.sdf < 0) - ORIGIN
        tip = voxels[voxels[:, 1] >= voxels[:, 1].max() - 3].mean(0)
        assert tip[0] < -shape.height_mm


def test_cervical_transverse_processes_are_pierced_and_lumbar_ones_are_not(shapes):
    def holes(number):
        shadow = (shapes[number].sdf < 0).any(0)
        parts, count = ndimage.label(~shadow)
        return count - 1

    assert holes(level_named("C4").number) >= 3
    assert holes(level_named("L3").number) == 1


def test_the_axis_has_a_dens_above_its_body(shapes):
    axis = shapes[2]
    body_top = np.argwhere(axis.body_sdf < 0)[:, 0].max()
    top = np.argwhere(axis.sdf < 0)[:, 0].max()
    assert top - body_top >= 8


def test_individuals_differ_and_repeat_with_their_seed():
    a, b, c = (parametric_vertebra(22, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(a.sdf, b.sdf)
    assert a.width_mm != c.width_mm
    assert (((a.sdf < 0) != (c.sdf < 0)).sum()) > 1000


@pytest.mark.parametrize("number", [0, 26, 27, 99])
def test_numbers_of_no_mobile_level_are_refused(number):
    with pytest.raises(ValueError, match=str(number)):
        parametric_vertebra(number, np.random.default_rng(0))


def test_primitives_measure_distance_along_their_axes():
    z = np.arange(-10, 11, dtype=np.float32)[:, None, None]
    zero = np.zeros((1, 1, 1), np.float32)
    solids = {
        3.0: ball((0, 0, 0), (3, 5, 7)),
        2.0: plate((0, 0, 0), (1, 0, 0), (0, 1, 0), (6, 6, 2), 1.0),
        4.0: bar((0, -9, 0), (0, 9, 0), (1, 0, 0), (4, 2), (4, 2)),
    }
    for radius, solid in solids.items():
        found = solid.distance(z, zero, zero)[:, 0, 0]
        outside = np.abs(z[:, 0, 0]) >= radius
        np.testing.assert_allclose(found[outside], np.abs(z[outside, 0, 0]) - radius, atol=0.05)


def test_pairs_are_each_others_mirror_image():
    # Far enough from the mid-line that neither side's fillets reach the other.
    solids = (
        bar((-4, -6, 11), (5, 2, 19), (1, 0.3, 0.4), (2, 3), (4, 1)),
        plate((6, 4, 17), (0.2, 0.8, -0.5), (1, 0, 0.3), (3, 5, 2), 1.0),
        ball((-8, 5, 15), (2, 3, 4)),
    )
    pair, left = (Canvas((-20, -20, -30), (20, 20, 30)) for _ in range(2))
    for solid in solids:
        pair.add_pair(solid)
        left.add(solid)
    hole = ball((0, -2, 14), (2, 2, 2))
    pair.cut_pair(hole)
    left.cut(hole)
    np.testing.assert_array_equal(pair.field[:, :, 30:], left.field[:, :, 30:])
    np.testing.assert_array_equal(pair.field, pair.field[:, :, ::-1])
    assert (left.field < 0).any() and not (left.field[:, :, :30] < 0).any()


def test_sacrum_and_pelvis_lie_where_the_s1_frame_puts_them():
    rng = np.random.default_rng(0)
    sacrum, pelvis = parametric_sacrum(rng), parametric_pelvis(rng)
    for bone in (sacrum, pelvis):
        assert np.abs(bone.sdf).max() <= 16
    index = tuple(np.rint(-np.array(sacrum.origin_zyx_mm) / sacrum.spacing_mm).astype(int))
    assert sacrum.sdf[index] < -8
    voxels = np.argwhere(sacrum.sdf < 0) * sacrum.spacing_mm + sacrum.origin_zyx_mm
    assert 10 < voxels[np.abs(voxels[:, 2]) < 10][:, 0].max() < 25
    # The femoral head fits into its socket: free at the centre, bone on the medial side.
    for centre in hip_centres_mm(pelvis):
        medial = centre - [0, 0, np.sign(centre[2]) * 32]
        free, bone = (
            pelvis.sdf[tuple(np.rint((p - pelvis.origin_zyx_mm) / pelvis.spacing_mm).astype(int))]
            for p in (centre, medial)
        )
        assert free > 10 and bone < 0


def test_a_strongly_heart_shaped_body_has_a_distance_everywhere():
    class Extreme:
        def standard_normal(self, n):
            return np.full(n, 5.0)

    z, y, x = (np.arange(-low, high + 1.0) for low, high in ((20, 20), (35, 30), (30, 30)))
    grid = z[:, None, None], y[None, :, None], x[None, None, :]
    field = body_field(*grid, TYPICAL["T6"], level_named("T6").number, Extreme())
    assert np.isfinite(field).all()
    assert field[20, 35, 30] < 0 < field[20, 0, 30]
