"""Ribs of phantoms lie where joints hold them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from vertebra_core.levels import level_named, level_numbered
from vertebra_core.phantom.codes import BODY_BIT, CODE_MASK, Bone
from vertebra_core.phantom.patient import draw_patient
from vertebra_core.phantom.scene import SDF_ZERO
from vertebra_core.phantom.scene_builder import build_scene
from vertebra_core.phantom.shape_library import ShapeLibrary

SPACING_MM = 2.0
JOINT_MM = 3.0


@pytest.fixture(scope="module")
def chest():
    patient = draw_patient(np.random.default_rng(5), variant="usual", fractured=False)
    library = ShapeLibrary.parametric_only()
    return build_scene(11, library, SPACING_MM, patient, field_of_view="chest")


def _parts(scene, number):
    """Body and processes of a vertebra, and the ribs around it, in a box of voxels."""
    bone = scene.bone_sdf <= SDF_ZERO
    code = scene.labels & CODE_MASK
    own = (code == number) & bone
    (box,) = ndimage.find_objects(own.astype(np.uint8))
    box = tuple(slice(max(0, s.start - 4), s.stop + 4) for s in box)
    body = own & ((scene.labels & BODY_BIT) > 0)
    rib = (code == Bone.RIB) & bone
    return body[box], (own & ~body)[box], rib[box]


def _touches(part, rib):
    """Tell on which sides (right, left) ribs come close to `part`."""
    distance = ndimage.distance_transform_edt(~rib, sampling=SPACING_MM)
    near = np.argwhere(part & (distance <= JOINT_MM))[:, 2]
    middle = np.argwhere(part)[:, 2].mean()
    return bool((near < middle).any()), bool((near > middle).any())


def _whole(scene):
    """Thoracic vertebrae that lie well within the scene."""
    low, high = 40.0, np.array(scene.labels.shape) * SPACING_MM - 40.0
    centers = {level_numbered(v.level).name: np.array(v.center_zyx_mm) for v in scene.vertebrae}
    return [n for n, c in centers.items() if n[0] == "T" and low < c[0] < high[0]]


def test_ribs_meet_the_transverse_process_on_both_sides(chest):
    levels = [n for n in _whole(chest) if int(n[1:]) <= 10]
    assert len(levels) >= 6
    parts = [_parts(chest, level_named(name).number) for name in levels]
    joined = [_touches(processes, rib) for _, processes, rib in parts]
    assert all(any(sides) for sides in joined)
    assert np.mean(joined) > 0.8


def test_heads_of_ribs_lie_beside_a_body(chest):
    # A twelfth rib may be missing, as in life.
    levels = [n for n in _whole(chest) if int(n[1:]) <= 11]
    assert len(levels) >= 7
    bodies = [_parts(chest, level_named(name).number) for name in levels]
    joined = [_touches(body, rib) for body, _, rib in bodies]
    assert all(any(sides) for sides in joined)
    assert np.mean(joined) > 0.8


def test_ribs_leave_the_vertebrae_their_shape(chest):
    for name in _whole(chest):
        body, processes, rib = _parts(chest, level_named(name).number)
        assert not (rib & (body | processes)).any()
        _, count = ndimage.label(body | processes, np.ones((3, 3, 3)))
        assert count == 1, name
