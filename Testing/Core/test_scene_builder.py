"""Phantom scenes: reproducible, anatomically ordered, and true to what they claim."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toy_phantom import toy_scene
from vertebra_core.levels import level_numbered
from vertebra_core.phantom.bank import make_scene, patient_with
from vertebra_core.phantom.codes import BODY_BIT, CODE_MASK, Tissue
from vertebra_core.phantom.findings import (
    DRAWN_FINDINGS,
    MOST_DEFORMED,
    MOST_DEFORMED_TOGETHER,
    WantedFindings,
)
from vertebra_core.phantom.fracture_truth import broken_walls
from vertebra_core.phantom.patient import (
    draw_field_of_view,
    draw_patient,
    draw_view_of_fracture,
)
from vertebra_core.phantom.scene import load_scene, save_scene
from vertebra_core.phantom.scene_builder import build_scene
from vertebra_core.phantom.shape_library import ShapeLibrary
from vertebra_core.phantom.spine_curve import draw_levels, place_column

SPACING_MM = 3.0


@pytest.fixture(scope="module")
def library() -> ShapeLibrary:
    return ShapeLibrary.parametric_only()


@pytest.fixture(scope="module")
def lumbar(library):
    patient = draw_patient(np.random.default_rng(5), variant="usual", fractured=False)
    return build_scene(11, library, SPACING_MM, patient, field_of_view="lumbar")


def _voxel(scene, vertebra):
    index = np.rint(np.array(vertebra.center_zyx_mm) / scene.spacing_mm).astype(int)
    inside = ((index >= 0) & (index < scene.labels.shape)).all()
    return tuple(index) if inside else None


def test_centres_lie_in_the_body_of_their_level(lumbar):
    checked = 0
    for vertebra in lumbar.vertebrae:
        voxel = _voxel(lumbar, vertebra)
        if voxel is None:
            continue
        value = int(lumbar.labels[voxel])
        assert value & CODE_MASK == vertebra.level
        assert value & BODY_BIT
        checked += 1
    assert checked >= 5


def test_levels_follow_each_other_from_head_to_foot(lumbar):
    orders = [level_numbered(v.level).order for v in lumbar.vertebrae]
    heights = [v.center_zyx_mm[0] for v in lumbar.vertebrae]
    assert orders == sorted(orders)
    assert heights == sorted(heights, reverse=True)


@pytest.mark.parametrize("n_fractures", [0, 9])
def test_a_spine_has_as_many_fractures_as_asked_for(n_fractures):
    patient = patient_with(3, WantedFindings(n_fractures=n_fractures))
    assert len(patient.column.fractures) == n_fractures


@pytest.mark.parametrize("n_fractures", [None, 0, 4])
def test_mild_deformities_come_beside_fractures(n_fractures):
    assert patient_with(3, DRAWN_FINDINGS) is None
    patients = [patient_with(seed, WantedFindings(0.0, n_fractures, 7)) for seed in range(4)]
    for patient in patients:
        losses = [fracture.loss for fracture in patient.column.fractures.values()]
        assert sum(0.05 <= loss <= 0.19 for loss in losses) == 7
        if n_fractures is not None:
            assert len(losses) == n_fractures + 7
    assert len({tuple(p.column.fractures) for p in patients}) == 4


@pytest.mark.parametrize("variant", ["usual", "T13", "L6", "no_T12", "no_L5"])
def test_every_spine_has_as_many_bodies_as_may_be_deformed(variant):
    mild = MOST_DEFORMED_TOGETHER - MOST_DEFORMED
    for seed in range(3):
        rng = np.random.default_rng(seed)
        patient = draw_patient(rng, variant, True, n_fractures=MOST_DEFORMED, n_mild=mild)
        assert len(patient.column.fractures) == MOST_DEFORMED_TOGETHER
    # Also beside as many fractures as are drawn.
    wanted = WantedFindings(n_mild=MOST_DEFORMED)
    assert all(len(patient_with(s, wanted).column.fractures) >= MOST_DEFORMED for s in range(40))


@pytest.mark.parametrize(("seed", "shown_at_once"), [(0, True), (3, False)])
def test_a_field_of_view_is_drawn_until_it_shows_a_whole_fracture(seed, shown_at_once):
    patient = patient_with(seed, WantedFindings(n_fractures=4, n_mild=5))
    deformed = patient.column.fractures
    column = place_column(patient.column, np.random.default_rng(seed))
    first = draw_field_of_view(column, 1.0, np.random.default_rng(seed))
    shown = draw_view_of_fracture(column, deformed, 1.0, np.random.default_rng(seed))

    def fractures_in(low, high) -> set[str]:
        seen = {p.name for p in column if low[0] + 15 < p.center_zyx_mm[0] < high[0] - 15}
        return {name for name in seen & set(deformed) if deformed[name].loss >= 0.2}

    assert fractures_in(*shown)
    assert bool(fractures_in(*first)) == shown_at_once
    assert np.array_equal(first, shown) == shown_at_once


def test_fractures_are_in_view_only_where_that_is_wanted(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "vertebra_core.phantom.bank.build_scene", lambda *a, **how: asked.append(how) or toy_scene()
    )
    for in_view in (False, True):
        wanted = WantedFindings(n_fractures=4, fracture_in_view=in_view)
        make_scene(3, None, 1.5, wanted)
    assert [how["fracture_in_view"] for how in asked] == [False, True]


def test_a_mild_deformity_is_no_fracture_and_its_loss_is_known(library):
    patient = patient_with(3, WantedFindings(n_fractures=0, n_mild=12))
    scene = build_scene(3, library, SPACING_MM, patient, field_of_view="thoracolumbar")
    mild = {
        level_numbered(v.level).name: v.height_loss for v in scene.vertebrae if v.height_loss > 0
    }
    assert mild
    for vertebra in scene.vertebrae:
        assert (vertebra.grade, vertebra.shape) == (0, "normal")
        assert broken_walls(vertebra) == (0.0, 0.0, 0.0)
    for name, loss in mild.items():
        assert loss == pytest.approx(patient.column.fractures[name].loss, abs=0.05)


def test_same_seed_gives_the_same_scene(library):
    a = build_scene(21, library, 4.0, field_of_view="neck")
    b = build_scene(21, library, 4.0, field_of_view="neck")
    c = build_scene(22, library, 4.0, field_of_view="neck")
    assert np.array_equal(a.bone_sdf, b.bone_sdf) and a.vertebrae == b.vertebrae
    assert a.labels.shape != c.labels.shape or not np.array_equal(a.labels, c.labels)


def test_a_scene_survives_the_disk(lumbar, tmp_path):
    save_scene(lumbar, tmp_path / "scene.npy")
    loaded = load_scene(tmp_path / "scene.npy")
    assert loaded.vertebrae == lumbar.vertebrae
    assert np.array_equal(loaded.tissue, lumbar.tissue)
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["scene.json", "scene.npy"]


@pytest.mark.parametrize(
    ("variant", "present", "absent"),
    [("T13", "T13", "L6"), ("L6", "L6", "T13"), ("no_T12", "T11", "T12"), ("no_L5", "L4", "L5")],
)
def test_variants_change_the_levels(variant, present, absent):
    levels = draw_levels(np.random.default_rng(0), variant)
    assert present in levels and absent not in levels and levels[-1] == "S1"


def test_fractures_cost_the_height_they_claim(library):
    rng = np.random.default_rng(3)
    patient = draw_patient(rng, variant="usual", fractured=True)
    scene = build_scene(31, library, SPACING_MM, patient, field_of_view="thoracolumbar")
    fractured = [v for v in scene.vertebrae if v.grade > 0]
    assert fractured
    for vertebra in fractured:
        now = [
            vertebra.height_anterior_mm,
            vertebra.height_middle_mm,
            vertebra.height_posterior_mm,
        ]
        loss = 1 - np.array(now) / np.array(vertebra.intact_heights_mm)
        claimed = patient.column.fractures[level_numbered(vertebra.level).name]
        assert loss.max() == pytest.approx(claimed.loss, abs=0.05)
        superior, inferior = vertebra.endplate_losses
        assert superior + inferior == pytest.approx(claimed.loss)
        assert superior == pytest.approx(claimed.loss * claimed.superior_share)
    assert {v.endplate_losses for v in scene.vertebrae if v.shape == "normal"} == {(0.0, 0.0)}


def test_tall_patients_have_longer_spines():
    patient = draw_patient(np.random.default_rng(1), variant="usual", fractured=False)
    lengths = []
    for scale in (0.9, 1.1):
        spec = replace(patient.column, scale=scale)
        column = place_column(spec, np.random.default_rng(7))
        lengths.append(column[0].center_zyx_mm[0] - column[-1].center_zyx_mm[0])
    assert lengths[1] / lengths[0] == pytest.approx(1.1 / 0.9, rel=0.02)


def test_the_canal_is_not_filled_with_bone(lumbar):
    canal = np.isin(lumbar.tissue, [Tissue.CANAL, Tissue.CORD])
    bone = lumbar.bone_sdf < 128
    assert canal.sum() > 100
    assert (canal & bone).sum() / canal.sum() < 0.35
