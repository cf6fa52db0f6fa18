"""A spine given as a label map, set into a phantom scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from expert_map import LEVELS, SCENE_MM, map_of, mapped_scene
from vertebra_core.errors import InputError
from vertebra_core.levels import level_named, level_numbered
from vertebra_core.phantom.codes import BODY_BIT, CODE_MASK, Bone
from vertebra_core.phantom.expert_spine import expert_scene, expert_spine
from vertebra_core.phantom.scene import SDF_ZERO


@pytest.fixture(scope="module")
def source():
    return mapped_scene()


@pytest.fixture(scope="module")
def spine(source):
    return expert_spine(map_of(source), "known")


@pytest.fixture(scope="module")
def scene(spine):
    return expert_scene(spine, 3, SCENE_MM)


def test_bodies_are_found_where_they_stood(source, spine):
    assert spine.levels == LEVELS
    true = {level_numbered(v.level).name: v for v in source.vertebrae}
    for placed, shape in zip(spine.placed, spine.shapes, strict=True):
        own = true[placed.name]
        assert np.linalg.norm(placed.center_zyx_mm - own.center_zyx_mm) < 2.5
        angles = np.rad2deg(np.arccos(np.clip((placed.axes * own.axes_zyx).sum(1), -1, 1)))
        assert angles.max() < 5
        assert shape.height_mm == pytest.approx(own.height_middle_mm, abs=2.5)


def test_a_map_stored_otherwise_gives_the_same_spine(source, spine):
    upright = map_of(source, LEVELS[:3])
    last = np.array(upright.size_xyz) - 1
    turned = replace(
        upright,
        labels=upright.labels[::-1, :, ::-1].copy(),
        origin_lps_mm=(float(last[0] * SCENE_MM), 0.0, float(last[2] * SCENE_MM)),
        direction=(-1.0, 0, 0, 0, 1.0, 0, 0, 0, -1.0),
    )
    for placed, was in zip(expert_spine(turned, "turned").placed, spine.placed, strict=False):
        assert np.allclose(placed.center_zyx_mm, was.center_zyx_mm, atol=0.3)


def test_the_scene_holds_the_vertebrae_of_the_map_in_their_places(source, spine, scene):
    own = {level_numbered(v.level).name: np.array(v.center_zyx_mm) for v in scene.vertebrae}
    where = np.array([p.center_zyx_mm for p in spine.placed])
    painted = np.array([own[name] for name in LEVELS])
    shift = painted[0] - where[0]
    assert np.allclose(painted - where, shift, atol=1.5)
    # The same voxels are bone in both, up to the gap that joints are given.
    step = np.rint(shift / SCENE_MM).astype(int)
    for name in LEVELS:
        number = level_named(name).number
        before = np.argwhere(map_of(source).labels == number) + step
        codes = np.where(scene.bone_sdf <= SDF_ZERO, scene.labels & CODE_MASK, 0)
        inside = ((before >= 0) & (before < codes.shape)).all(1)
        after = codes == number
        both = after[tuple(before[inside].T)].sum()
        assert 2 * both / (len(before) + after.sum()) > 0.88
        assert (scene.labels == (number | BODY_BIT)).any()


def test_the_spine_goes_on_beyond_the_map(scene):
    order = [level_numbered(v.level).order for v in scene.vertebrae]
    assert order == sorted(order)
    names = [level_numbered(v.level).name for v in scene.vertebrae]
    assert {"T12", *LEVELS, "L5"} <= set(names)
    centres = np.array([v.center_zyx_mm for v in scene.vertebrae])
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    assert (steps > 15).all() and (steps < 50).all()
    # Ribs belong to the drawn ones above.
    assert (scene.labels == Bone.RIB).any()


def test_what_the_map_does_not_say_follows_from_the_seed(spine):
    first, again, other = (expert_scene(spine, seed, 4.0) for seed in (3, 3, 4))
    assert np.array_equal(again.labels, first.labels)
    assert np.array_equal(again.tissue, first.tissue)
    assert not np.array_equal(other.tissue, first.tissue)
    number = level_named("L2").number
    own = [np.argwhere(s.labels == (number | BODY_BIT)).mean(0) for s in (first, other)]
    assert np.allclose(*own, atol=0.5)


@pytest.mark.parametrize(
    ("levels", "said"),
    [(("L1", "L2"), "shows 2 whole vertebrae"), (("L1", "L2", "L4"), "between L1 and L4")],
)
def test_maps_that_are_no_spine_are_refused_in_a_sentence(source, levels, said):
    with pytest.raises(InputError, match=said):
        expert_spine(map_of(source, levels), "map")


def test_labels_that_are_no_vertebrae_are_refused_in_a_sentence(source):
    map_ = map_of(source, LEVELS[:3])
    labels = map_.labels.astype(np.uint16)
    with pytest.raises(InputError, match="not those of VerSe"):
        expert_spine(replace(map_, labels=np.where(labels > 0, labels + 300, 0)), "map")
    plates = np.zeros_like(map_.labels)
    for k, name in enumerate(LEVELS[:3]):
        plates[20 * (k + 1), 20:60, 20:60] = level_named(name).number
    with pytest.raises(InputError, match="has not the shape of a vertebra"):
        expert_spine(replace(map_, labels=plates), "map")
