"""Grades follow Genant's thresholds, what a level is like, and the rest of the spine."""

from __future__ import annotations

import numpy as np
import pytest
from vertebra_core.analysis import Heights
from vertebra_core.grading.genant import (
    MeasuredBody,
    assess_spine,
    borderline_reason,
    error_band,
    grade_of_loss,
    grade_probabilities,
    median_grade,
)
from vertebra_core.grading.norms import level_norm, why_not_graded

_SPINE = ("T5", "T6", "T7", "T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")
_SPREAD = Heights(0.3, 0.3, 0.3)


def _body(level: str, scale: float = 1.1, anterior=1.0, middle=1.0, posterior=1.0) -> MeasuredBody:
    """A body of its level's norm, its heights multiplied."""
    norm = level_norm(level)
    height = norm.posterior_height_mm * scale
    heights = Heights(
        height * norm.wedge_ratio * anterior, height * norm.biconcave_ratio * middle,
        height * posterior,
    )  # fmt: skip
    return MeasuredBody(level, heights, _SPREAD)


def _spine(changed: dict[str, dict[str, float]], scale: float = 1.1, levels=_SPINE):
    found = assess_spine([_body(n, scale, **changed.get(n, {})) for n in levels])
    return dict(zip(levels, found, strict=True))


def test_thresholds_are_those_of_genant():
    losses = (0.0, 0.199, 0.201, 0.249, 0.251, 0.399, 0.401, 0.7)
    assert [grade_of_loss(loss) for loss in losses] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_the_median_grade_is_the_grade_of_the_loss_itself():
    for loss in (-0.1, 0.1, 0.19, 0.22, 0.27, 0.38, 0.42, 0.6):
        assert median_grade(grade_probabilities(loss, 0.07)) == grade_of_loss(loss)


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.25])
def test_natural_wedging_lordosis_and_size_are_no_fracture(scale):
    found = _spine({}, scale)
    assert all(m.grade == 0 and m.shape == "normal" for m in found.values())
    assert max(abs(m.effective_loss) for m in found.values()) < 0.05
    raw = {n: level_norm(n).wedge_ratio for n in _SPINE}
    assert min(raw.values()) < 0.95 < 1.1 < max(raw.values()), "else the test shows nothing"


@pytest.mark.parametrize(
    ("heights", "shape", "grade"),
    [
        ({"anterior": 0.78}, "wedge", 1),
        ({"anterior": 0.68, "middle": 0.84}, "wedge", 2),
        ({"middle": 0.70}, "biconcave", 2),
        ({"anterior": 0.50, "middle": 0.75}, "wedge", 3),
        ({"anterior": 0.66, "middle": 0.66, "posterior": 0.66}, "crush", 2),
        ({"anterior": 0.5, "middle": 0.5, "posterior": 0.5}, "crush", 3),
    ],
)
def test_shape_and_grade_of_one_fracture(heights, shape, grade):
    found = _spine({"T12": heights})
    assert (found["T12"].grade, found["T12"].shape) == (grade, shape)
    assert all(m.grade == 0 for n, m in found.items() if n != "T12")
    assert sum(found["T12"].grade_probabilities) == pytest.approx(1)
    assert sum(found["T12"].shape_probabilities) == pytest.approx(1)


def test_several_fractures_side_by_side_do_not_hide_one_another():
    crushed = {"anterior": 0.62, "middle": 0.62, "posterior": 0.65}
    changed = {n: crushed for n in ("T8", "T11", "T12", "L1")}
    found = _spine(changed)
    assert {n for n, m in found.items() if m.grade > 0} == set(changed)
    assert all(found[n].shape == "crush" and found[n].grade >= 2 for n in changed)


def test_a_sunken_posterior_wall_does_not_shrink_the_anterior_loss():
    # Against its own posterior wall the front has lost 14 % only.
    found = _spine({"L1": {"anterior": 0.72, "middle": 0.75, "posterior": 0.84}})["L1"]
    assert found.loss.wedge < 0.16
    assert found.grade == 2


def test_a_slight_posterior_loss_counts_in_a_deformed_body_only():
    sunken = {"posterior": 0.95}
    deformed = _spine({"T10": {"anterior": 0.83, "middle": 0.76} | sunken})["T10"]
    assert deformed.effective_loss > deformed.loss.biconcave + 0.01
    sound = _spine({"T10": {"anterior": 0.95, "middle": 0.95} | sunken})["T10"]
    assert sound.effective_loss == pytest.approx(sound.loss.crush)
    assert sound.grade == 0


def test_a_single_body_is_not_called_crushed_for_being_small():
    small = assess_spine([_body("L2", 0.82)])[0]
    assert small.reference.source == "level norm"
    assert small.grade == 0


def test_losses_near_a_threshold_are_borderline_and_others_are_not():
    found = _spine({"T8": {"anterior": 0.79}, "L2": {"anterior": 0.67}})
    assert found["T8"].borderline
    assert not found["L2"].borderline
    assert not found["L3"].borderline


def test_a_borderline_loss_is_told_with_its_error_and_threshold():
    found = _spine({"T8": {"anterior": 0.79}})["T8"]
    loss = round(100 * found.effective_loss)
    reason = borderline_reason("T8", found)
    assert reason.startswith(f"A height loss of {loss} % (error ")
    assert reason.endswith("lies near the threshold of grade 1, 20 %.")
    assert error_band("T2", found.loss_sd) > error_band("T8", found.loss_sd) == found.loss_sd


def test_a_borderline_loss_that_holds_the_posterior_one_says_so():
    sunken = _spine({"T10": {"middle": 0.70, "anterior": 0.80, "posterior": 0.86}})["T10"]
    assert sunken.effective_loss > sunken.loss.biconcave + 0.02
    loss = round(100 * sunken.effective_loss)
    reason = borderline_reason("T10", sunken)
    assert reason.startswith(f"A height loss of {loss} % with the posterior loss added (error ")


def test_the_band_is_wider_outside_the_levels_genant_defined():
    found = assess_spine([_body(n, anterior=0.842) for n in ("T2", "T3", "T9", "T10")])
    by_level = dict(zip(("T2", "T3", "T9", "T10"), found, strict=True))
    assert by_level["T2"].borderline
    assert not by_level["T9"].borderline


def test_thick_slices_make_a_grade_less_certain():
    thin, thick = (
        assess_spine([MeasuredBody("L1", Heights(22.0, 22.0, 24.5), _SPREAD, voxel)])[0]
        for voxel in (1.0, 5.0)
    )
    assert thick.loss_sd > 1.3 * thin.loss_sd
    assert max(thick.grade_probabilities) < max(thin.grade_probabilities)


def test_no_certainty_is_finer_than_that_of_readers():
    # 1.96 standard deviations of 6.4 % are the readers' limits of agreement, 12.5 %.
    sharp = assess_spine([_body("L2", anterior=0.8 - 0.064)])[0]
    assert sharp.grade == 2
    assert 0.1 < sharp.grade_probabilities[0] < 0.25


@pytest.mark.parametrize("level", ["C1", "C2", "S1"])
def test_levels_without_a_comparable_body_say_why(level):
    assert why_not_graded(level)
    with pytest.raises(KeyError):
        level_norm(level)


def test_an_empty_spine_is_no_error():
    assert assess_spine([]) == ()


def test_random_measurement_noise_seldom_makes_a_fracture():
    rng = np.random.default_rng(0)
    false = 0
    for _ in range(20):
        bodies = []
        for name in _SPINE:
            norm = level_norm(name)
            height = 1.1 * norm.posterior_height_mm * np.exp(rng.normal(0, 0.04))
            bodies.append(
                MeasuredBody(
                    name,
                    Heights(
                        height * rng.normal(norm.wedge_ratio, norm.wedge_sd) + rng.normal(0, 0.5),
                        height * rng.normal(norm.biconcave_ratio, norm.biconcave_sd),
                        height + rng.normal(0, 0.5),
                    ),
                    _SPREAD,
                )
            )
        false += sum(m.grade > 0 for m in assess_spine(bodies))
    assert false <= 3, "of 260 sound bodies"


def test_a_loss_that_holds_a_posterior_one_is_known_no_better_than_that_one():
    found = _spine({"L1": {"anterior": 0.72, "middle": 0.88, "posterior": 0.88}})["L1"]
    alone = _spine({"L1": {"anterior": 0.82}})["L1"]
    assert found.loss.wedge == pytest.approx(alone.loss.wedge, abs=0.005)
    assert found.effective_loss > 0.26 and found.loss_sd > 1.5 * alone.loss_sd
    # 3 % above the threshold of grade 2, which the spine does not tell for certain.
    assert found.borderline


@pytest.mark.parametrize("size", [0.5, 0.65, 0.82, 1.2])
def test_a_single_intact_body_is_no_fracture_whatever_its_size(size):
    found = assess_spine([_body("L3", size)])[0]
    assert (found.grade, found.shape) == (0, "normal") and not found.borderline


@pytest.mark.parametrize("size", [0.7, 1.0])
def test_a_single_body_is_graded_by_its_own_posterior_height(size):
    found = assess_spine([_body("L1", size, anterior=0.70)])[0]
    assert (found.grade, found.shape) == (2, "wedge")
    assert found.effective_loss == pytest.approx(found.loss.wedge)
