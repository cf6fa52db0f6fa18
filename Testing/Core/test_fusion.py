"""Fused vertebrae of phantoms."""

from __future__ import annotations

import numpy as np
import pytest
from vertebra_core.phantom import scene_builder
from vertebra_core.phantom.codes import CODE_MASK
from vertebra_core.phantom.fusion import KINDS, Fusion, draw_fusion
from vertebra_core.phantom.patient import draw_patient
from vertebra_core.phantom.scene_builder import build_scene
from vertebra_core.phantom.shape_library import ShapeLibrary

LEVELS = draw_patient(np.random.default_rng(5), variant="usual").column.levels
SPACING_MM = 3.0


def lumbar(monkeypatch, fusion):
    """A lumbar spine without fractures, fused as told; otherwise always the same."""
    monkeypatch.setattr(scene_builder, "draw_fusion", lambda *_: fusion)
    patient = draw_patient(np.random.default_rng(5), variant="usual", fractured=False)
    library = ShapeLibrary.parametric_only()
    return build_scene(11, library, SPACING_MM, patient, field_of_view="lumbar")


def added_bone(plain, fused):
    """Codes of the voxels that are bone in the second scene only."""
    more = (fused.bone_sdf < 128) & (plain.bone_sdf >= 128)
    assert not ((plain.bone_sdf < 128) & (fused.bone_sdf >= 128)).any(), "no bone is lost"
    return fused.labels[more] & CODE_MASK


def disc_center(scene, upper, lower):
    centers = {v.level: np.array(v.center_zyx_mm) for v in scene.vertebrae}
    return tuple(np.rint((centers[upper] + centers[lower]) / 2 / SPACING_MM).astype(int))


@pytest.mark.parametrize(
    ("kind", "levels", "touched", "center_is_bone"),
    [
        ("block", ("L2",), {21, 22}, True),
        ("rim", ("L1", "L2"), {20, 21, 22}, False),
        ("front", ("L1", "L2"), {20, 21, 22}, False),
    ],
)
def test_bone_of_a_fusion_belongs_to_the_vertebrae_it_joins(
    monkeypatch, kind, levels, touched, center_is_bone
):
    plain = lumbar(monkeypatch, None)
    fused = lumbar(monkeypatch, Fusion(kind, levels, thickness_mm=5.0))
    codes, counts = np.unique(added_bone(plain, fused), return_counts=True)
    assert set(codes[counts > 3]) == touched
    at = disc_center(fused, 21, 22)
    assert plain.bone_sdf[at] >= 128
    assert (fused.bone_sdf[at] < 128) == center_is_bone
    assert fused.vertebrae == plain.vertebrae, "heights and centres are those of the vertebrae"
    assert np.array_equal(fused.tissue, plain.tissue)


def test_sacralisation_joins_the_last_lumbar_vertebra_to_the_sacrum_on_its_side(monkeypatch):
    plain = lumbar(monkeypatch, None)
    fused = lumbar(monkeypatch, Fusion("sacral", sides=(1.0,), thickness_mm=8.0))
    assert set(np.unique(added_bone(plain, fused))) == {24, 26}
    more = (fused.bone_sdf < 128) & (plain.bone_sdf >= 128)
    last = next(v for v in plain.vertebrae if v.level == 24)
    left = (np.argwhere(more) * SPACING_MM - last.center_zyx_mm) @ np.array(last.axes_zyx[2])
    assert left.min() > 0


def test_fusions_are_drawn_as_often_as_asked_for_and_the_same_for_a_seed():
    drawn = [draw_fusion(LEVELS, np.random.default_rng([k, 11]), 0.25) for k in range(400)]
    assert 70 < sum(f is not None for f in drawn) < 130
    assert {f.kind for f in drawn if f} == set(KINDS)
    assert drawn[:50] == [
        draw_fusion(LEVELS, np.random.default_rng([k, 11]), 0.25) for k in range(50)
    ]
    assert all(draw_fusion(LEVELS, np.random.default_rng(k), 0.0) is None for k in range(50))


def test_runs_of_fused_levels_follow_each_other_and_end_above_the_sacrum():
    for k in range(300):
        fusion = draw_fusion(LEVELS, np.random.default_rng(k), 1.0)
        if fusion.kind == "sacral":
            assert fusion.sides and not fusion.upper_levels
            continue
        at = [LEVELS.index(name) for name in fusion.upper_levels]
        assert at == list(range(at[0], at[0] + len(at)))
        assert LEVELS[at[-1] + 1] != "S1"
        assert len(at) == 1 or LEVELS[at[0]][0] in "TL"
