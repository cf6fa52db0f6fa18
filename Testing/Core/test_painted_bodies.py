"""The truth of a body is what the scene shows of it: cut back, fused or untouched."""

from __future__ import annotations

import math

import numpy as np
import pytest
from vertebra_core.phantom.codes import BODY_BIT
from vertebra_core.phantom.painted_bodies import as_painted
from vertebra_core.phantom.scene import PhantomScene, PhantomVertebra, encode_sdf
from vertebra_core.training.grading_samples import as_seen

L2 = 21
AXES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
SIZE = (24.0, 32.0, 40.0)
CENTRE = (40.0, 50.0, 55.0)


def scene_of_a_box(front_mm: float, back_mm: float = 24.0) -> PhantomScene:
    """A body 24 mm high but for what its front or back was cut back by, or gained, on top."""
    spacing = 1.5
    z, y, x = np.meshgrid(*[np.arange(n) * spacing for n in (56, 68, 74)], indexing="ij")
    y_share = np.clip((y - CENTRE[1]) / SIZE[1] + 0.5, 0, 1)
    height = front_mm + (back_mm - front_mm) * y_share
    up = z - (CENTRE[0] - SIZE[0] / 2)
    distance = np.maximum.reduce([
        -up, up - height,
        np.abs(y - CENTRE[1]) - SIZE[1] / 2, np.abs(x - CENTRE[2]) - SIZE[2] / 2,
    ])  # fmt: skip
    labels = np.where(distance < 2, L2 | BODY_BIT, 0).astype(np.uint8)
    return PhantomScene(spacing, labels, encode_sdf(distance), np.zeros_like(labels), (), 1)


def built(grade: int = 0, front_mm: float = 24.0) -> PhantomVertebra:
    shape = "wedge" if grade else "normal"
    return PhantomVertebra(
        L2, CENTRE, AXES, front_mm, (front_mm + 24) / 2, 24.0, (24.0,) * 3, 40.0, 32.0, grade,
        shape, 150.0,
    )  # fmt: skip


def test_an_untouched_body_keeps_its_exact_figures():
    vertebra = built()
    assert as_painted(scene_of_a_box(24.0), vertebra) is vertebra


def test_heights_that_were_cut_back_are_those_painted():
    found = as_painted(scene_of_a_box(20.0), built())
    assert found.height_anterior_mm == pytest.approx(20.4, abs=0.5)
    assert found.height_posterior_mm == pytest.approx(24.0, abs=0.5)
    assert found.grade == 0, "nothing broke"


def test_a_fracture_is_graded_as_painted():
    vertebra = built(grade=1, front_mm=18.6)
    found = as_painted(scene_of_a_box(16.0), vertebra)
    assert found.grade == 2 and found.shape == "wedge"


def test_a_fused_body_has_no_heights_and_keeps_its_grade():
    found = as_painted(scene_of_a_box(28.0, 28.0), built())
    assert math.isnan(found.height_anterior_mm) and found.grade == 0


def test_a_body_at_the_edge_of_the_scene_keeps_its_figures():
    scene = scene_of_a_box(20.0)
    cut = PhantomScene(
        scene.spacing_mm, scene.labels[:30], scene.bone_sdf[:30], scene.tissue[:30], (), 1
    )
    vertebra = built()
    assert as_painted(cut, vertebra) is vertebra


def test_training_is_told_the_grade_and_loss_that_can_be_seen():
    seen = as_seen(scene_of_a_box(16.0), built(grade=1, front_mm=18.6))
    assert seen.grade == 2 and 0.25 < seen.height_loss < 0.40


def test_training_is_told_that_a_sound_body_is_sound_though_neighbours_cut_it_back():
    vertebra = built()
    assert as_seen(scene_of_a_box(16.0), vertebra) is vertebra


def test_training_is_told_what_was_built_of_a_fracture_that_fusion_hides():
    vertebra = built(grade=1, front_mm=18.6)
    assert as_seen(scene_of_a_box(28.0, 28.0), vertebra) is vertebra
