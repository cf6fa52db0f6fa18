"""Bodies of unlikely shape are pointed out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from analytic_bodies import body_level, rotation, sampled
from vertebra_core.analysis import Heights, Vertebra
from vertebra_core.grading.body_frame import BodyFrame
from vertebra_core.grading.genant import MeasuredBody, assess_spine
from vertebra_core.grading.quality import reference_flags, shape_flags
from vertebra_core.grading_stage import BodyToGrade, grade_bodies

_AXES = ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0))
_FRAME = BodyFrame((20.0, 20.0, 26.0), _AXES, 32.0, 44.0, 0.4)
_SOUND = Heights(24.0, 23.0, 24.5)


def _found(heights: Heights):
    return assess_spine([MeasuredBody("L2", heights, Heights(0.3, 0.3, 0.3))])[0]


def test_a_sound_body_raises_no_doubt():
    assert shape_flags("L2", _FRAME, _SOUND, _found(_SOUND)) == ()


def test_a_sound_body_is_not_too_tall_beside_a_single_crushed_one():
    spread = Heights(0.3, 0.3, 0.3)
    low = Heights(*(0.6 * h for h in (_SOUND.anterior, _SOUND.middle, _SOUND.posterior)))
    sound, crushed = assess_spine([
        MeasuredBody("L2", _SOUND, spread), MeasuredBody("L3", low, spread),
    ])  # fmt: skip
    assert crushed.grade >= 2
    assert shape_flags("L2", _FRAME, _SOUND, sound) == ()


def test_a_body_that_nothing_tells_the_height_of_is_flagged():
    alone = _found(Heights(17.0, 16.0, 17.2))
    (flag,) = reference_flags(alone)
    share = round(100 * (1 - 17.2 / alone.reference.crush_mm))
    assert flag.code == "no_height_reference"
    assert f"{share} % lower than an average adult's" in flag.reason
    beside = [MeasuredBody(n, _SOUND, Heights(0.3, 0.3, 0.3)) for n in ("L2", "L3")]
    assert all(reference_flags(found) == () for found in assess_spine(beside))


def test_fused_bodies_of_a_child_are_too_tall():
    spread = Heights(0.3, 0.3, 0.3)
    small, fused = (Heights(*(k * h for h in (24.0, 23.0, 24.5))) for k in (0.6, 1.35))
    found = assess_spine([MeasuredBody("L2", fused, spread), MeasuredBody("L3", small, spread)])[0]
    assert [f.code for f in shape_flags("L2", _FRAME, fused, found)] == ["implausible_shape"]


@pytest.mark.parametrize(
    ("frame", "heights"),
    [
        (replace(_FRAME, depth_mm=70.0), _SOUND),
        (replace(_FRAME, endplate_residual_mm=5.0), _SOUND),
        (_FRAME, Heights(50.0, 48.0, 52.0)),
        (_FRAME, Heights(32.0, 24.0, 24.5)),
    ],
)
def test_unlikely_shapes_are_flagged(frame, heights):
    flags = shape_flags("L2", frame, heights, _found(heights))
    assert [f.code for f in flags] == ["implausible_shape"]


def _to_grade(level: str, z_mm: float, **changes) -> BodyToGrade:
    body = sampled(body_level, rotation(), np.array([18.0, 20.0, 26.0]), (37, 41, 53), (1.0,) * 3)
    vertebra = Vertebra(level, 1.0, None, (26.0, 20.0, z_mm + 18.0))
    return BodyToGrade(vertebra, body, body, (0.0, 0.0, z_mm), **changes)


def test_flags_say_why_a_body_is_not_graded():
    spine = (
        _to_grade("C2", 90.0),
        _to_grade("L1", 55.0),
        _to_grade("L2", 32.0),
        _to_grade("L3", -10.0, body_cut=True),
        _to_grade("L4", -50.0, voxel_mm=6.0),
    )
    c2, l1, l2, l3, l4 = grade_bodies(spine)
    assert c2.grade is None and "dens" in c2.flags[0].reason
    assert l3.grade is None and "edge" in l3.flags[0].reason
    assert l4.grade is None and "coarse" in l4.flags[0].reason
    assert l1.grade == 0 and l2.grade == 0
    assert l1.heights_mm.posterior == pytest.approx(24.5, abs=0.8)
    assert l1.density_hu is None and l1.learned_grade is None
