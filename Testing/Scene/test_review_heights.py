"""Drawing heights and measuring again: what follows for losses and grades."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from review_examples import key_of, line_of, review_of, spine
from vertebra_core.analysis import HeightLine, Heights
from vertebra_core.grading.genant import MeasuredBody, assess_spine
from VertebraAnalysisLib.HeightEditing import READER_SPREAD_MM
from VertebraAnalysisLib.UserError import UserError

READER = "Dr Müller"


def drawn(review, key, **heights_mm):
    """Lines of the given heights through the body of a vertebra."""
    center = review.vertebra(key).center_lps_mm
    depth = {"anterior": -12.0, "middle": 0.0, "posterior": 12.0}
    return {name: line_of(center, depth[name], h) for name, h in heights_mm.items()}


def test_a_shorter_front_makes_a_wedge_of_the_loss_that_was_drawn():
    review = review_of()
    key = key_of(review, "L1")
    intact = review.vertebra(key).heights_mm
    lines = drawn(review, key, anterior=0.7 * intact.anterior)
    assert review.setHeightLines(key, lines, READER) == {key}
    vertebra = review.vertebra(key)
    assert vertebra.heights_mm.anterior == pytest.approx(0.7 * intact.anterior, abs=1e-5)
    assert vertebra.height_loss.wedge == pytest.approx(0.3, abs=1e-4)
    assert (vertebra.grade, vertebra.shape, vertebra.borderline) == (2, "wedge", False)
    assert vertebra.heightsChanged and vertebra.gradeChanged and not vertebra.gradeOverridden
    assert vertebra.ai.grade == 0 and vertebra.ai.heights_mm == intact


def test_the_heights_that_were_not_drawn_stay():
    review = review_of()
    key = key_of(review, "L1")
    before = review.vertebra(key)
    review.setHeightLines(key, drawn(review, key, middle=18.0), READER)
    after = review.vertebra(key)
    assert after.heights_mm == replace(before.heights_mm, middle=after.heights_mm.middle)
    assert after.height_lines["anterior"] == before.height_lines["anterior"]
    assert after.heights_mm.middle == pytest.approx(18.0)


def test_all_heights_sunk_is_a_crush_against_the_rest_of_the_spine():
    review = review_of()
    key = key_of(review, "L2")
    h = review.vertebra(key).heights_mm
    sunk = drawn(
        review, key, anterior=0.6 * h.anterior, middle=0.6 * h.middle, posterior=0.6 * h.posterior
    )
    review.setHeightLines(key, sunk, READER)
    vertebra = review.vertebra(key)
    assert (vertebra.grade, vertebra.shape) == (3, "crush")
    assert vertebra.height_loss.crush == pytest.approx(0.4, abs=0.03)
    assert vertebra.current.height_reference.source == "neighbours"


def test_a_drawn_height_grades_exactly_as_the_core_does():
    review = review_of(losses={"T10": (0.3, 0.1, 0.0)})
    key = key_of(review, "L1")
    review.setHeightLines(key, drawn(review, key, anterior=17.5, posterior=24.0), READER)
    bodies = []
    for v in review.vertebrae:
        spread = v.ai.heights_spread_mm
        if v.key == key:
            spread = replace(spread, anterior=READER_SPREAD_MM, posterior=READER_SPREAD_MM)
        bodies.append(MeasuredBody(v.level, v.heights_mm, spread, 1.5))
    expected = assess_spine(bodies)[review.keys.index(key)]
    got = review.vertebra(key)
    assert (got.height_loss, got.grade, got.shape) == (expected.loss, expected.grade, "wedge")
    assert got.borderline == expected.borderline
    assert got.grade_probabilities == pytest.approx(expected.grade_probabilities)


def test_a_height_near_a_threshold_is_borderline_with_a_flag():
    review = review_of()
    key = key_of(review, "L1")
    anterior = 0.75 * review.vertebra(key).heights_mm.anterior
    review.setHeightLines(key, drawn(review, key, anterior=anterior), READER)
    assert review.vertebra(key).borderline
    (flag,) = review.vertebra(key).flags
    assert flag.code == "borderline"
    assert "near the threshold of grade 2, 25 %" in flag.reason, "as the core says it"
    review.setHeightLines(key, drawn(review, key, anterior=0.65 / 0.75 * anterior), READER)
    assert not review.vertebra(key).borderline and review.vertebra(key).flags == ()


def test_bodies_that_were_not_touched_keep_the_grades_of_the_analysis():
    review = review_of(losses={"T12": (0.21, 0.0, 0.0)})
    key = key_of(review, "L1")
    others = [v for v in review.vertebrae if v.key != key]
    review.setHeightLines(key, drawn(review, key, anterior=8.0, middle=8.0, posterior=8.0), READER)
    assert [v for v in review.vertebrae if v.key != key] == others


def test_a_drawn_height_outweighs_the_learned_opinion_but_says_so():
    review = review_of(learned={"L1": 0})
    key = key_of(review, "L1")
    review.setHeightLines(key, drawn(review, key, anterior=15.0), READER)
    vertebra = review.vertebra(key)
    assert vertebra.grade == 2
    assert "grade_disagreement" in [f.code for f in vertebra.flags]


def test_a_body_without_heights_is_graded_once_all_three_are_drawn():
    missing = dict.fromkeys(("heights_mm", "heights_spread_mm", "height_loss"))
    missing |= dict.fromkeys(("grade", "shape", "grade_probabilities", "morphometric_grade"))
    review = review_of(**{k: {"L1": v} for k, v in missing.items()}, height_lines={"L1": {}})
    key = key_of(review, "L1")
    review.setHeightLines(key, drawn(review, key, anterior=15.0, posterior=23.0), READER)
    vertebra = review.vertebra(key)
    assert vertebra.grade is None and vertebra.heights_mm is None
    assert vertebra.flags[-1].reason == "Not all three heights are drawn yet."
    review.setHeightLines(key, drawn(review, key, middle=18.0), READER)
    vertebra = review.vertebra(key)
    assert (vertebra.grade, vertebra.shape) == (2, "wedge") and vertebra.flags == ()
    review.undo()
    review.undo()
    assert review.vertebra(key).grade is None and review.vertebra(key).height_lines == {}


@pytest.mark.parametrize("height_mm", [0.0, 0.5, 95.0, math.nan, math.inf])
def test_a_line_that_is_no_height_is_refused_and_changes_nothing(height_mm):
    review = review_of()
    before = review.toJson()
    with pytest.raises(UserError, match="anterior height line"):
        review.setHeightLines("v01", drawn(review, "v01", anterior=height_mm), READER)
    assert review.toJson() == before


def test_one_bad_line_among_good_ones_changes_none_of_them():
    review = review_of()
    lines = drawn(review, "v01", anterior=12.0, middle=0.1, posterior=13.0)
    with pytest.raises(UserError):
        review.setHeightLines("v01", lines, READER)
    assert not review.vertebra("v01").heightsChanged


def test_lines_that_stay_where_they_are_are_no_change():
    review = review_of()
    vertebra = review.vertebra("v04")
    nudged = {
        name: HeightLine(tuple(c + 1e-5 for c in line.top_lps_mm), line.bottom_lps_mm)
        for name, line in vertebra.height_lines.items()
    }
    assert review.setHeightLines("v04", nudged, READER) == set()
    assert not review.canUndo


def test_a_preview_shows_what_setting_would_do_and_keeps_nothing():
    review = review_of()
    key = key_of(review, "L1")
    lines = drawn(review, key, anterior=15.0)
    before = review.toJson()
    preview = review.previewHeightLines(key, lines)
    assert review.toJson() == before
    review.setHeightLines(key, lines, READER)
    assert review.vertebra(key) == preview


def test_measuring_again_replaces_the_figures_and_the_lines_drawn_before():
    review = review_of()
    key = key_of(review, "L1")
    review.setHeightLines(key, drawn(review, key, anterior=10.0), READER)
    again = spine(losses={"L1": (0.45, 0.2, 0.0)}, volume_ml={"L1": 31.5}).vertebrae[5]
    assert review.setMeasurement(key, again, READER) == {key}
    vertebra = review.vertebra(key)
    assert (vertebra.grade, vertebra.shape, vertebra.volume_ml) == (3, "wedge", 31.5)
    assert vertebra.heights_mm == again.heights_mm
    assert vertebra.remeasured and not vertebra.heightsChanged
    review.undo()
    assert review.vertebra(key).heights_mm.anterior == pytest.approx(10.0)
    assert review.vertebra(key).heightsChanged and not review.vertebra(key).remeasured


def test_measuring_again_says_nothing_about_the_level():
    review = review_of(
        level_probability={"L1": 0.6},
        runner_up_level={"L1": "T12"},
        runner_up_probability={"L1": 0.3},
    )
    key = key_of(review, "L1")
    again = replace(spine().vertebrae[5], level_probability=1.0, runner_up_level=None)
    review.setMeasurement(key, again, READER)
    assert review.vertebra(key).level_probability == 0.6
    assert review.vertebra(key).runner_up_level == "T12"
    assert review.vertebra(key).current.runner_up_probability == 0.3


def test_measuring_under_another_name_grades_by_the_name_that_holds():
    review = review_of()
    key = key_of(review, "L5")
    # Measured as an L1 by mistake: as one it is too tall in front by a quarter, as L5 it is not.
    again = replace(spine().vertebrae[-1], level="L1")
    review.setMeasurement(key, again, READER)
    vertebra = review.vertebra(key)
    assert vertebra.level == "L5" and not vertebra.levelChanged
    assert vertebra.height_loss.wedge == pytest.approx(0.0, abs=1e-5)


def test_a_measurement_stays_after_a_relabelling_and_is_graded_by_the_new_norm():
    review = review_of()
    key = key_of(review, "L4")
    again = spine(losses={"L4": (0.3, 0.1, 0.0)}).vertebrae[-2]
    review.setMeasurement(key, again, READER)
    review.shiftLevels(1, READER)
    vertebra = review.vertebra(key)
    assert vertebra.level == "L5" and vertebra.heights_mm == again.heights_mm
    assert vertebra.height_loss.wedge == pytest.approx(1 - 0.7 * 1.04 / 1.14, abs=1e-4)


def test_a_measurement_with_figures_that_are_no_numbers_is_not_graded():
    review = review_of()
    again = replace(
        spine().vertebrae[5], heights_mm=Heights(math.nan, 20.0, 24.0), grade=None, shape=None
    )
    key = key_of(review, "L1")
    review.setMeasurement(key, again, READER)
    review.shiftLevels(1, READER)
    assert review.vertebra(key).grade is None


def test_the_audit_trail_states_heights_before_and_after():
    review = review_of()
    review.setHeightLines("v06", drawn(review, "v06", anterior=15.0), READER)
    (change,) = review.changes
    assert change.action == "heights"
    assert change.before == "Ha 22.3, Hm 21.5, Hp 23.8 mm, G0"
    assert change.after == "Ha 15.0, Hm 21.5, Hp 23.8 mm, G2 wedge"
