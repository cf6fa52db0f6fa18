"""Whole phantom scans with their truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toy_phantom import (
    BODY_CENTER_YX_MM,
    BODY_HEIGHT_MM,
    BODY_RADIUS_MM,
    QUIET,
    quiet_scan,
    toy_scene,
)
from vertebra_core.phantom import scan_case
from vertebra_core.phantom.appearance import Appearance
from vertebra_core.phantom.scan_case import scan

BODY_VOLUME_MM3 = np.pi * BODY_RADIUS_MM**2 * BODY_HEIGHT_MM


@pytest.fixture(scope="module")
def scene():
    return toy_scene()


@pytest.fixture(scope="module")
def case(scene):
    return quiet_scan(scene)


def test_scan_covers_the_scene_at_the_scanners_spacing(scene, case):
    ct, labels, bodies = case
    assert ct.spacing_xyz_mm == (0.9, 0.9, 2.5)
    assert ct.hu.dtype == np.int16 and ct.hu.shape == labels.shape == bodies.shape
    extent = (np.array(ct.hu.shape) - 1) * [2.5, 0.9, 0.9]
    assert (extent <= scene.size_mm + 1e-6).all()
    assert (extent > scene.size_mm - [2.5, 0.9, 0.9]).all()


def test_truth_has_the_volume_and_place_of_the_bodies(scene, case):
    ct, labels, bodies = case
    assert set(np.unique(labels)) == {0, 20, 21, 22}
    for vertebra in scene.vertebrae:
        body = bodies == vertebra.level
        assert body.sum() * 0.9 * 0.9 * 2.5 == pytest.approx(BODY_VOLUME_MM3, rel=0.08)
        center = ct.index_to_lps(np.argwhere(body).mean(0))
        np.testing.assert_allclose(center, vertebra.center_zyx_mm[::-1], atol=1.0)
    assert (labels[bodies > 0] == bodies[bodies > 0]).all()
    assert (labels > 0).sum() > (bodies > 0).sum()


def test_bone_in_the_picture_lies_where_the_truth_says(case):
    ct, labels, _ = case
    smooth = ct.hu.astype(float)
    y, x = (round(c / 0.9) for c in BODY_CENTER_YX_MM)
    column = smooth[:, y - 4 : y + 5, x - 4 : x + 5].mean((1, 2))
    inside = labels[:, y, x] > 0
    assert column[inside].mean() > column[~inside].mean() + 40


def test_density_is_what_the_scene_states(scene):
    look = replace(
        Appearance.random(np.random.default_rng(1)),
        trabecular_hu=None,
        sclerosis_hu=0.0,
        lesion_threshold=float("inf"),
        loose_zone_hu=0.0,
        trabecular_band_hu=0.0,
        cement_levels=(),
    )
    ct, _, _ = scan(
        scene, (1.0, 1.0, 1.0), np.random.default_rng(0), protocol=QUIET, appearance=look
    )
    for vertebra in scene.vertebrae:
        z, y, x = (round(c) for c in vertebra.center_zyx_mm)
        core = ct.hu[z - 6 : z + 7, y - 9 : y + 10, x - 9 : x + 10]
        assert core.mean() == pytest.approx(vertebra.trabecular_hu, abs=22)


def test_slabs_join_without_a_seam(scene, monkeypatch):
    def draw():
        return scan(scene, (1.3, 1.3, 1.3), np.random.default_rng(9), protocol=QUIET)

    whole = draw()
    monkeypatch.setattr(scan_case, "_SLAB_VOXELS", 40_000)
    slabs = draw()
    # Rounding may tip a voxel centre that lies on a surface.
    assert (whole[1] != slabs[1]).sum() <= 5 and (whole[2] != slabs[2]).sum() <= 5
    # Only the jitter of tissue boundaries is drawn per slab.
    difference = np.abs(whole[0].hu.astype(int) - slabs[0].hu)
    assert np.median(difference) <= 1


def test_field_of_view_crops_and_keeps_positions(scene, case):
    low, high = (20.0, 30.0, 20.0), (70.0, 100.0, 80.0)
    ct, labels, bodies = scan(
        scene, (1.0, 1.0, 2.0), np.random.default_rng(0), field_of_view=(low, high), protocol=QUIET
    )
    assert ct.origin_lps_mm == (20.0, 30.0, 20.0)
    assert ct.hu.shape == (26, 71, 61)
    center = ct.index_to_lps(np.argwhere(bodies == 21).mean(0))
    np.testing.assert_allclose(center, (50.0, 60.0, 48.0), atol=0.8)


def test_truth_stops_at_the_edge_of_the_reconstructed_circle(scene):
    protocol = replace(QUIET, circle=(0.0, 0.0, 25.0), fill_hu=-1024.0)
    ct, labels, _ = scan(scene, (1.0, 1.0, 3.0), np.random.default_rng(0), protocol=protocol)
    assert (labels[ct.hu == -1024] == 0).all()
    assert (labels > 0).any()


def test_wrong_requests_are_refused(scene):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="spacing"):
        scan(scene, (1.0, 1.0, 0.0), rng)
    with pytest.raises(ValueError, match="field of view"):
        scan(scene, (1.0, 1.0, 1.0), rng, field_of_view=((0, 0, 0), (0, 50, 50)))
