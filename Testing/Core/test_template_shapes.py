"""Template shapes and the library: frames, bodies, caches, and what may be trained on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from vertebra_core.phantom.parametric_vertebra import parametric_vertebra
from vertebra_core.phantom.shape_frame import (
    Field,
    distance_field,
    find_frame,
    grid_points,
)
from vertebra_core.phantom.shape_library import ShapeLibrary
from vertebra_core.phantom.template_shapes import load_sacrum, mesh_shapes, shape_from_field


def _turned_field(shape, tilt_deg, yaw_deg, shift):
    """A vertebra as an unknown mask would show it: turned and moved, at 1 mm."""
    t, w = np.deg2rad([tilt_deg, yaw_deg])
    tilt = np.array([[np.cos(t), np.sin(t), 0], [-np.sin(t), np.cos(t), 0], [0, 0, 1]])
    yaw = np.array([[1, 0, 0], [0, np.cos(w), np.sin(w)], [0, -np.sin(w), np.cos(w)]])
    axes = tilt @ yaw
    points = grid_points()
    local = np.tensordot(axes, points - np.reshape(shift, (3, 1, 1, 1)), axes=1)
    source = Field(shape.sdf.astype(np.float32), np.array(shape.origin_zyx_mm), 1.0)
    mask = source.at(local) < 0
    return distance_field(mask, np.array(shape.origin_zyx_mm), 1.0), axes, np.asarray(shift, float)


@pytest.fixture(scope="module")
def lumbar():
    return parametric_vertebra(22, np.random.default_rng(5))


def test_the_frame_of_a_turned_vertebra_is_found(lumbar):
    field, axes, shift = _turned_field(lumbar, 12.0, 6.0, (3.0, -4.0, 2.0))
    centre, found = find_frame(field, 22, np.random.default_rng(0))
    angles = np.rad2deg(np.arccos(np.clip((found * axes).sum(1), -1, 1)))
    assert angles.max() < 4.0
    assert np.linalg.norm(centre - shift) < 2.5


def test_a_turned_mask_gives_back_the_shape_it_was_made_from(lumbar):
    field, _, _ = _turned_field(lumbar, -10.0, -5.0, (2.0, 3.0, 0.0))
    shape = shape_from_field(field, 22, "test")
    a, b = shape.body_sdf < 0, lumbar.body_sdf < 0
    assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.92
    assert shape.height_mm == pytest.approx(lumbar.height_mm, abs=1.2)
    assert shape.depth_mm == pytest.approx(lumbar.depth_mm, abs=2.0)
    assert shape.width_mm == pytest.approx(lumbar.width_mm, abs=2.0)


def test_distances_of_a_mask_are_true_to_a_fraction_of_a_voxel():
    z, y, x = np.mgrid[-20:21, -20:21, -20:21]
    radius = np.sqrt(z**2 + y**2 + x**2)
    field = distance_field(radius < 12.3, (-20, -20, -20), 1.0)
    near = np.abs(radius - 12.3) < 3
    assert np.abs(field.values - (radius - 12.3))[near].mean() < 0.25
    point = np.array([[0.0], [0.0], [30.0]])
    assert field.at(point)[0] == pytest.approx(30 - 12.3, abs=0.7)


def test_a_library_without_data_draws_every_level():
    library = ShapeLibrary.parametric_only()
    rng = np.random.default_rng(0)
    assert library.draw(28, rng).source == "parametric"
    assert library.sacrum(rng).source == library.pelvis(rng).source == "parametric"


def test_a_library_mixes_templates_and_lends_them_to_neighbours(lumbar, tmp_path):
    template = type(lumbar)(**{**vars(lumbar), "source": "a patient"})
    library = ShapeLibrary((template,))
    rng = np.random.default_rng(3)
    own = [library.draw(22, rng) for _ in range(16)]
    assert {s.source for s in own} == {"parametric", "a patient"}
    near = next(
        s for s in (library.draw(21, rng) for _ in range(20)) if s.source.startswith("a patient")
    )
    assert near.level == 21 and near.source == "a patient (L3)"
    assert near.spacing_mm < 1.0
    # Scaled distances agree with the scaled grid: the body is as deep as stated.
    iz, iy, ix = (int(-o / near.spacing_mm + 0.5) for o in near.origin_zyx_mm)
    depth = (near.body_sdf[iz, :, ix] < 0).sum() * near.spacing_mm
    assert depth == pytest.approx(near.depth_mm, abs=2.0)
    assert library.candidates(2) == ((), ())
    # A thoracic vertebra never stands in for a lumbar one.
    assert library.candidates(19) == ((), ())

    library.save(tmp_path / "cache")
    read = ShapeLibrary.load(tmp_path / "cache")
    np.testing.assert_array_equal(read.templates[0].body_sdf, template.body_sdf)
    assert read.templates[0].origin_zyx_mm == template.origin_zyx_mm
    assert read.templates[0].source == "a patient"
    again = ShapeLibrary.with_templates(tmp_path / "nowhere", cache=tmp_path / "cache")
    assert len(again.templates) == 1


def test_a_folder_without_shapes_is_named_in_the_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=tmp_path.name):
        ShapeLibrary.with_templates(tmp_path)


def test_the_visible_human_sacrum_lies_in_the_frame_of_s1(shared_data):
    sacrum = load_sacrum(shared_data)
    middle = sacrum.sdf[:, :, int(-sacrum.origin_zyx_mm[2])] < 0
    z, y = np.argwhere(middle).T + np.array(sacrum.origin_zyx_mm[:2])[:, None]
    # The endplate of S1 is level and some 10 to 18 mm above the centre of its body.
    tops = [z[(y >= a) & (y < a + 4)].max() for a in (-10, -5, 0, 5)]
    assert np.ptp(tops) < 5 and 7 < np.mean(tops) < 20


@pytest.mark.slow
def test_public_templates_stand_upright_and_hold_no_evaluation_geometry(shared_data):
    library = ShapeLibrary.with_templates(shared_data)
    sources = {t.source for t in library.templates}
    assert "opensim" not in sources
    fractured = [
        t for t in library.templates if t.source == "sub-verse004" and t.level in (16, 17, 20)
    ]
    assert not fractured
    assert {t.level for t in library.templates} >= {*range(1, 12), 18, 19, *range(20, 25)}
    for t in library.templates:
        parts, count = ndimage.label(t.body_sdf < 0)
        assert ndimage.sum(parts > 0, parts, range(1, count + 1)).max() > 0.97 * (parts > 0).sum()
        if t.level > 2:
            assert 10 < t.height_mm < 34 and 14 < t.depth_mm < 42 and 20 < t.width_mm < 56
            assert 8 < t.canal_depth_mm < 22


@pytest.mark.slow
def test_lumbar_meshes_agree_with_the_body_meshes_that_come_with_them(shared_data):
    shapes = [s for s in mesh_shapes(shared_data / "meshes") if s.source == "vhm_lumbosacral"]
    assert [s.level for s in shapes] == [20, 21, 22, 23, 24]
    # Volumes of L1_body.obj ... L5_body.obj run from 42 to 56 ml.
    for s in shapes:
        assert 35_000 < (s.body_sdf < 0).sum() < 60_000
