"""How opinions on grades are joined is fitted to bodies whose right answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from analytic_bodies import drawn_masks
from toy_bank import bank_scene, toy_bank
from vertebra_core.grading.joint_grade import JOINING
from vertebra_core.grading.network import GradeNetwork
from vertebra_core.phantom.scene import save_scene
from vertebra_core.training import grade_opinions
from vertebra_core.training.calibrate_grades import (
    body_weights,
    calibration_of,
    calibration_with,
    cross_validated,
    fit_joining,
    report_lines,
)
from vertebra_core.training.grade_opinions import GradedBody, collect_bodies

SURE = (0.91, 0.03, 0.03, 0.03)


def test_figures_are_those_of_the_grades_given():
    stated = [SURE, SURE, (0.5, 0.0, 0.0, 0.5), (0.0, 0.1, 0.9, 0.0)]
    found = calibration_of(stated, [0, 0, 0, 2], [0, 0, 0, 3])
    assert found.n == 4 and found.exact == 0.75
    # Bins: two of 0.91 and one of 0.9, of which two are right; one of 0.5, right.
    assert found.error == pytest.approx((2 * 0.09 + 0.9 + 0.5) / 4)
    expected = -(2 * np.log(0.91) + np.log(0.5) + np.log(1e-6)) / 4
    assert found.log_loss == pytest.approx(expected)


def imagined_bodies(n, learned_power, seed=0, lean=0.0):
    """Bodies whose heights say nothing and whose learned head errs in a known way.

    It is too timid by a power, and leans towards higher grades by some nats a grade.
    """
    rng = np.random.default_rng(seed)
    bodies = []
    for k in range(n):
        true = rng.dirichlet([1.5] * 4)
        timid = true**learned_power * np.exp(lean * np.arange(4))
        noise = rng.dirichlet([1.5] * 4)
        grade = int(rng.choice(4, p=true))
        bodies.append(GradedBody(str(k % 10), tuple(noise), tuple(timid / timid.sum()), grade))
    return bodies


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_right_weight_and_temperature_are_found(power):
    bodies = imagined_bodies(1500, power)
    found = fit_joining(bodies)
    assert found.learned_weight >= 0.9
    # What was raised to a power is undone by that power as temperature, to a step of the grid.
    assert found.temperature == pytest.approx(power, rel=0.25)
    before, after = calibration_with(bodies, JOINING), calibration_with(bodies, found)
    aside = cross_validated(bodies)
    assert after.log_loss < before.log_loss and after.error < 0.05
    assert after.log_loss <= aside.log_loss < before.log_loss


def test_the_lean_of_opinions_is_found():
    found = fit_joining(imagined_bodies(1500, 1.0, lean=0.5))
    assert found.tilt == pytest.approx(0.5, abs=0.15)
    assert fit_joining(imagined_bodies(1500, 1.0)).tilt <= 0.1


def test_bodies_are_weighed_to_the_share_of_fractures_among_patients():
    bodies = imagined_bodies(1500, 1.0, lean=0.5)
    weights = body_weights(bodies, 0.1)
    fractured = np.array([b.grade > 0 for b in bodies])
    assert weights.mean() == pytest.approx(1.0)
    assert weights[fractured].sum() / weights.sum() == pytest.approx(0.1)
    # Where fractures are rare, opinions formed on many lean upwards by more.
    assert fit_joining(bodies, weights).tilt > fit_joining(bodies).tilt
    assert (body_weights(bodies) == 1).all()
    assert (body_weights([b for b in bodies if b.grade], 0.1) == 1).all()


def test_mildly_deformed_bodies_get_the_share_of_the_others_that_is_wanted():
    bodies = imagined_bodies(600, 1.0)
    bodies = [replace(b, mild=b.grade == 0 and k % 3 == 0) for k, b in enumerate(bodies)]
    weights = body_weights(bodies, 0.1, 0.05)
    fractured = np.array([b.grade > 0 for b in bodies])
    mild = np.array([b.mild for b in bodies])
    assert weights.sum() == pytest.approx(600)
    assert weights[fractured].sum() == pytest.approx(60)
    assert weights[mild].sum() == pytest.approx(0.05 * 540)
    assert (body_weights(imagined_bodies(9, 1.0), None, 0.05) == 1).all()


def test_cross_validation_does_not_see_the_scene_it_is_applied_to():
    # In each scene another opinion is right, so that what was fitted on the other one is wrong.
    wrong = (0.03, 0.03, 0.03, 0.91)
    bodies = [GradedBody("a", SURE, wrong, 0)] * 5 + [GradedBody("b", wrong, SURE, 0)] * 5
    assert cross_validated(bodies).exact == 0.0
    with pytest.raises(ValueError, match="two scenes"):
        cross_validated(bodies[:5])


def test_the_report_says_what_is_set_and_what_is_better():
    lines = list(report_lines(imagined_bodies(60, 0.5)))
    assert lines[0].startswith("60 bodies of 10 scenes")
    (now,) = [line for line in lines if line.endswith("set now")]
    assert f"{JOINING.learned_weight:.1f}" in now.split()
    assert any(line.endswith("recommended") for line in lines)


def test_bodies_of_scenes_held_aside_come_with_both_opinions(tmp_path, monkeypatch):
    monkeypatch.setattr(grade_opinions, "segment", drawn_masks)
    toy_bank(tmp_path)
    done: list[int] = []
    bodies = collect_bodies([tmp_path], GradeNetwork(), GradeNetwork(), 2, on_scan=done.append)
    assert done == [1, 2]
    assert {b.scene for b in bodies} == {"scene_00000019.npy"}
    assert 2 in {b.grade for b in bodies} and 0 in {b.grade for b in bodies}
    for body in bodies:
        for opinion in (body.morphometry, body.learned):
            assert sum(opinion) == pytest.approx(1.0, abs=1e-3)
    every = collect_bodies([tmp_path], GradeNetwork(), GradeNetwork(), 2, whole_banks=True)
    assert len({b.scene for b in every}) == 2
    # No scan is begun when the time is over, and only scenes held aside count.
    assert collect_bodies([tmp_path], GradeNetwork(), GradeNetwork(), 2, seconds=-1) == []
    (tmp_path / "other").mkdir()
    save_scene(bank_scene(1), tmp_path / "other" / "scene_00000001.npy")
    with pytest.raises(ValueError, match="held aside"):
        collect_bodies([tmp_path / "other"], GradeNetwork(), GradeNetwork(), 1)
