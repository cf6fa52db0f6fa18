"""Sampling of phantom scenes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_phantom import BODY_CENTER_YX_MM, BODY_HEIGHT_MM, BODY_RADIUS_MM, toy_scene
from vertebra_core.phantom.codes import BODY_BIT, Tissue
from vertebra_core.phantom.process_warp import ProcessWarp
from vertebra_core.phantom.sampling import OUTSIDE_SDF_MM, sample_scene
from vertebra_core.phantom.scene import load_scene, save_scene

L2_CENTER = (48.0, *BODY_CENTER_YX_MM)
BODY_VOLUME_MM3 = np.pi * BODY_RADIUS_MM**2 * BODY_HEIGHT_MM


@pytest.fixture(scope="module")
def scene():
    return toy_scene()


def test_sampling_on_the_scenes_own_grid_returns_the_scene(scene):
    sampled = sample_scene(scene, L2_CENTER, 1.0, (21, 21, 21))
    block = tuple(slice(int(c) - 10, int(c) + 11) for c in L2_CENTER)
    assert (sampled.labels.numpy() == scene.labels[block]).all()
    assert (sampled.tissue.numpy() == scene.tissue[block]).all()
    stored = (scene.bone_sdf[block].astype(float) - 128) / 8
    np.testing.assert_allclose(sampled.bone_sdf.numpy(), stored, atol=1e-3)


@pytest.mark.parametrize("spacing", [0.7, 1.0, (2.0, 0.8, 0.9)])
def test_body_volume_survives_any_spacing(scene, spacing):
    steps = np.broadcast_to(spacing, (3,))
    shape = tuple(int(np.ceil(n / s)) for n, s in zip((28, 60, 60), steps, strict=True))
    sampled = sample_scene(scene, L2_CENTER, spacing, shape)
    volume = int(sampled.body(21).sum()) * float(np.prod(steps))
    assert volume == pytest.approx(BODY_VOLUME_MM3, rel=0.06)


def test_scale_in_the_matrix_scales_volume_and_distances(scene):
    matrix = np.diag([1 / 1.2] * 3)
    sampled = sample_scene(scene, L2_CENTER, 1.0, (35, 61, 61), matrix)
    assert int(sampled.body(21).sum()) == pytest.approx(BODY_VOLUME_MM3 * 1.2**3, rel=0.05)
    # The centre of the body is as deep as its half height, which has grown too.
    depth = float(sampled.bone_sdf.min())
    assert depth == pytest.approx(-1.2 * BODY_HEIGHT_MM / 2, abs=0.4)


def test_flip_mirrors_the_block(scene):
    center = (48.0, 60.0, 62.0)
    plain = sample_scene(scene, center, 1.0, (9, 31, 41))
    flipped = sample_scene(scene, center, 1.0, (9, 31, 41), np.diag([1.0, 1.0, -1.0]))
    assert (flipped.tissue == plain.tissue.flip(2)).all()
    torch.testing.assert_close(flipped.bone_sdf, plain.bone_sdf.flip(2))
    assert not (flipped.tissue == plain.tissue).all()


def test_rotation_moves_the_process_as_stated(scene):
    # Output y runs along scene x: the process, behind the body, comes to lie along output x.
    matrix = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
    sampled = sample_scene(scene, L2_CENTER, 1.0, (11, 81, 81), matrix)
    process = (sampled.vertebra(21) & ~sampled.body(21)).nonzero().float().mean(0)
    assert float(process[2]) - 40 == pytest.approx(90 - 60, abs=1.5)
    assert float(process[1]) == pytest.approx(40, abs=1.0)


def test_outside_the_scene_lies_air(scene):
    corner = sample_scene(scene, (0.0, 0.0, 0.0), 1.0, (20, 20, 20), rng=np.random.default_rng(0))
    assert (corner.tissue[:8] == Tissue.AIR).all()
    assert (corner.labels[:8] == 0).all()
    assert float(corner.bone_sdf[:8].min()) == OUTSIDE_SDF_MM
    far = sample_scene(scene, (900.0, 0.0, 0.0), 1.0, (4, 5, 6))
    assert far.tissue.shape == (4, 5, 6)
    assert (far.tissue == Tissue.AIR).all() and (far.bone_sdf == OUTSIDE_SDF_MM).all()


def test_elastic_displacement_moves_bone_and_repeats_with_the_seed(scene):
    def draw(seed, amount):
        return sample_scene(
            scene, L2_CENTER, 1.0, (40, 60, 60), None, amount, np.random.default_rng(seed)
        )

    plain, bent, again = draw(3, 0.0), draw(3, 2.5), draw(3, 2.5)
    assert torch.equal(bent.bone_sdf, again.bone_sdf) and torch.equal(bent.tissue, again.tissue)
    shift = (bent.bone_sdf - plain.bone_sdf)[plain.bone_sdf.abs() < 3]
    assert 0.5 < float(shift.std()) < 5


def test_memory_mapped_scenes_sample_alike(scene, tmp_path):
    save_scene(scene, tmp_path / "scene.npy")
    mapped = load_scene(tmp_path / "scene.npy")
    assert isinstance(mapped.labels, np.memmap)
    a, b = (sample_scene(s, L2_CENTER, 1.3, (20, 30, 25)) for s in (scene, mapped))
    assert torch.equal(a.labels, b.labels) and torch.equal(a.bone_sdf, b.bone_sdf)


def test_stated_density_is_carried_per_level(scene):
    sampled = sample_scene(scene, L2_CENTER, 1.0, (4, 4, 4))
    assert float(sampled.trabecular_hu[22]) == 200.0
    assert torch.isnan(sampled.trabecular_hu[19])


def test_masks_keep_bodies_apart_from_processes(scene):
    sampled = sample_scene(scene, L2_CENTER, 1.0, (90, 90, 60))
    assert int(sampled.labels[sampled.body(20)].min()) == 20 | BODY_BIT
    process = sampled.vertebra(20) & ~sampled.body(20)
    assert 0 < int(process.sum()) < int(sampled.body(20).sum())


def test_wrong_requests_are_refused(scene):
    with pytest.raises(ValueError, match="random generator"):
        sample_scene(scene, L2_CENTER, 1.0, (4, 4, 4), elastic_mm=1.0)
    with pytest.raises(ValueError, match="singular"):
        sample_scene(scene, L2_CENTER, 1.0, (4, 4, 4), np.zeros((3, 3)))
    with pytest.raises(ValueError):
        sample_scene(replace(scene), L2_CENTER, (1.0, 1.0), (4, 4, 4))


def test_a_warp_stretches_and_lifts_processes_and_leaves_the_body(scene):
    vertebra = scene.vertebrae[1]
    shape = (31, 91, 61)
    center = (48.0, 75.0, 50.0)
    plain = sample_scene(scene, center, 1.0, shape)
    warp = ProcessWarp(vertebra, spinous_stretch=-0.3, spinous_up=-0.3, lateral_stretch=0.3)
    warped = sample_scene(scene, center, 1.0, shape, warp=warp)
    within = plain.body(21) & (plain.bone_sdf < -0.1)
    assert warped.body(21)[within].all()
    torch.testing.assert_close(warped.bone_sdf[within], plain.bone_sdf[within])

    def process(sampled):
        return (sampled.vertebra(21) & ~sampled.body(21)).nonzero().float()

    # The scene's process runs from y = 82 to 98; what lies behind y = 92 is stretched.
    assert process(plain)[:, 1].max() + 30 == pytest.approx(102, abs=1)
    tip = 92 + (102 - 92) / 0.7
    assert process(warped)[:, 1].max() + 30 == pytest.approx(tip, abs=1.5)
    lifted = process(warped)[process(warped)[:, 1] > 102 - 30]
    assert lifted[:, 0].mean() - 15 == pytest.approx(0.3 * (107 - 92 - 3), abs=2)


def test_a_warp_moves_neighbours_of_processes_with_them(scene):
    # Beside the body: skin and fat come closer where look-ups reach further out.
    center = (48.0, 60.0, 50.0)
    plain = sample_scene(scene, center, 1.0, (5, 5, 121))
    warp = ProcessWarp(scene.vertebrae[1], lateral_stretch=0.3)
    warped = sample_scene(scene, center, 1.0, (5, 5, 121), warp=warp)
    air = int(Tissue.AIR)
    half_width = [(s.tissue[2, 2] != air).sum() / 2 - 18 for s in (plain, warped)]
    assert float(half_width[1] / half_width[0]) == pytest.approx(1 / 1.3, abs=0.06)
    assert torch.equal(warped.tissue[..., 45:76], plain.tissue[..., 45:76])


def test_random_warps_are_the_same_for_the_same_seed(scene):
    warps = [ProcessWarp.random(scene.vertebrae[0], np.random.default_rng(3)) for _ in range(2)]
    assert warps[0] == warps[1]
    assert warps[0] != ProcessWarp.random(scene.vertebrae[0], np.random.default_rng(4))
