"""Positional logic: what it names, what it leaves out, what it misses, how sure it is."""

import numpy as np
import pytest
from vertebra_core.labelling.assignment import LEAST_RUNNER_UP
from vertebra_core.labelling.level_statistics import NEIGHBOURS, load_level_statistics
from vertebra_core.labelling.positional_logic import Anchor, PositionalOptions, assign_levels
from vertebra_core.levels import MOBILE_LEVELS, level_named

STATISTICS = load_level_statistics()
FLAT = PositionalOptions(end_weight=0.0)
"""Where a scan ends says nothing."""


def spine(*names, scale=1.0):
    """Average positions of the levels called `names`, LPS mm."""
    step = {}
    for pair, log_mm, angle in zip(
        NEIGHBOURS, STATISTICS.log_distance_mean, STATISTICS.angle_mean_rad, strict=True
    ):
        step[pair] = scale * np.exp(log_mm) * np.array([0, np.sin(angle), -np.cos(angle)])
    orders = [level_named(n).order for n in names]
    places = [np.zeros(3)]
    for pair in zip(orders[:-1], orders[1:], strict=True):
        places.append(places[-1] + step[pair])
    return np.array(places)


def run(first, last, without=("T13", "L6")):
    """Names from `first` to `last`."""
    names = [v.name for v in MOBILE_LEVELS if v.name not in without]
    return names[names.index(first) : names.index(last) + 1]


def evidence(names, nats=6.0):
    """Log-probabilities that favour each of `names` by `nats`."""
    result = np.zeros((len(names), 26))
    for row, name in zip(result, names, strict=True):
        if name:
            row[level_named(name).order] = nats
    return result


def found(assignment):
    return [None if v is None else v.name for v in assignment.levels]


@pytest.mark.parametrize("first,last", [("C1", "L5"), ("T4", "L2"), ("C2", "T3"), ("L1", "L5")])
def test_clear_evidence_is_followed(first, last):
    names = run(first, last)
    assignment = assign_levels(spine(*names), evidence(names))
    assert found(assignment) == names
    assert assignment.missed == () and assignment.unusual == ()
    assert all(d.probability > 0.9 and d.margin > 0.8 for d in assignment.detections)


def test_order_of_the_detections_does_not_matter():
    names = run("T5", "L4")
    shuffled = np.random.default_rng(3).permutation(len(names))
    places, log_p = spine(*names), evidence(names, 3.0)
    assignment = assign_levels(places[shuffled], log_p[shuffled])
    assert found(assignment) == [names[i] for i in shuffled]
    straight = assign_levels(places, log_p)
    assert [d.probability for d in assignment.detections] == pytest.approx(
        [straight.detections[i].probability for i in shuffled]
    )


def test_a_few_wrong_names_are_overruled_by_the_row():
    names = run("T6", "L3")
    claimed = list(names)
    claimed[2], claimed[6] = "T10", "T10"
    assignment = assign_levels(spine(*names), evidence(claimed, 3.0))
    assert found(assignment) == names


def test_no_vertebra_is_missed_where_there_is_no_room_for_one():
    names = run("C6", "T12")
    claimed = [*run("C5", "T2"), *run("T4", "T12")]
    assert len(claimed) == len(names)
    assignment = assign_levels(spine(*names), evidence(claimed, 5.0))
    assert found(assignment) == names
    assert assignment.missed == ()


def test_a_missed_vertebra_is_named_and_placed_in_the_gap():
    names = run("T5", "L3")
    places = spine(*names)
    gone = names.index("T10")
    kept = [i for i in range(len(names)) if i != gone]
    assignment = assign_levels(places[kept], evidence([names[i] for i in kept], 3.0))
    assert found(assignment) == [names[i] for i in kept]
    (missed,) = assignment.missed
    assert missed.level.name == "T10"
    assert (missed.upper, missed.lower) == (gone - 1, gone)
    assert np.linalg.norm(np.array(missed.position_lps_mm) - places[gone]) < 3


def test_a_gap_alone_moves_the_levels_below_it():
    # No evidence below the gap: only the doubled distance says that T9 is not there.
    names = run("T4", "L2")
    kept = [n for n in names if n != "T9"]
    places = spine(*names)[[names.index(n) for n in kept]]
    claimed = [n if names.index(n) < names.index("T9") else None for n in kept]
    assignment = assign_levels(places, evidence(claimed, 4.0))
    assert found(assignment) == kept
    assert [m.level.name for m in assignment.missed] == ["T9"]


def test_a_spurious_detection_between_two_vertebrae_is_left_out():
    names = run("T8", "L4")
    places = spine(*names)
    between = (places[3] + places[4]) / 2 + [15, 0, 0]
    all_places = np.insert(places, 4, between, axis=0)
    log_p = np.insert(evidence(names, 5.0), 4, 0.0, axis=0)
    assignment = assign_levels(all_places, log_p)
    assert found(assignment) == [*names[:4], None, *names[4:]]
    assert assignment.detections[4].probability > 0.5


def test_a_detection_far_off_the_spine_is_left_out():
    names = run("T10", "L5")
    places = np.vstack([spine(*names), [[90.0, -120.0, -360.0]]])
    assignment = assign_levels(places, np.vstack([evidence(names, 5.0), np.zeros((1, 26))]))
    assert found(assignment) == [*names, None]


@pytest.mark.parametrize(
    "names,unusual",
    [
        ([*run("T8", "T12"), "T13", *run("L1", "L5")], ("T13",)),
        ([*run("T10", "L5"), "L6"], ("L6",)),
        ([*run("T7", "T11"), *run("L1", "L5")], ("absent T12",)),
        (["L6"], ("L6",)),
    ],
)
def test_unusual_spines_are_recognised(names, unusual):
    assignment = assign_levels(spine(*names), evidence(names, 7.0))
    assert found(assignment) == names
    assert assignment.unusual == unusual
    assert assignment.missed == ()


def test_unusual_spines_need_evidence():
    names = run("T8", "L5")
    assignment = assign_levels(spine(*names), evidence(names, 1.0))
    assert assignment.unusual == ()


@pytest.mark.parametrize("usual,unusual", [("T12", "T13"), ("L5", "L6")])
def test_the_first_vertebra_in_view_is_not_lightly_called_unusual(usual, unusual):
    names = [usual] if usual == "L5" else [usual, *run("L1", "L5")]
    log_p = evidence(names, 5.0)
    log_p[0, level_named(unusual).order] = log_p[0, level_named(usual).order] + 2.0
    assignment = assign_levels(spine(*names), log_p)
    assert found(assignment) == names


def test_one_vertebra_alone_keeps_its_name():
    assignment = assign_levels(np.zeros((1, 3)), evidence(["L2"]))
    assert found(assignment) == ["L2"]
    assert assignment.scale == pytest.approx(1.0)


def test_one_vertebra_without_evidence_is_unsure():
    (only,) = assign_levels(np.zeros((1, 3)), None).detections
    assert only.probability < 0.5


def test_no_detection_gives_an_empty_assignment():
    assignment = assign_levels(np.zeros((0, 3)), None)
    assert assignment.detections == () and assignment.missed == ()
    assert assignment.alternative == ()


@pytest.mark.parametrize("scale", [0.72, 0.85, 1.2, 1.35])
def test_small_and_large_patients_are_named_alike(scale):
    names = run("T3", "L4")
    assignment = assign_levels(spine(*names, scale=scale), evidence(names, 3.0))
    assert found(assignment) == names
    assert assignment.missed == ()
    assert (assignment.scale - 1) * (scale - 1) > 0


@pytest.mark.parametrize("scale", [0.35, 0.45, 0.55])
@pytest.mark.parametrize("first,last", [("C3", "T6"), ("T8", "L5")])
def test_small_children_lose_no_vertebra(first, last, scale):
    names = run(first, last)
    assignment = assign_levels(spine(*names, scale=scale), evidence(names, 3.0))
    assert found(assignment) == names
    assert assignment.scale == pytest.approx(scale, rel=0.1)
    grown = assign_levels(spine(*names), evidence(names, 3.0))
    for child, adult in zip(assignment.detections, grown.detections, strict=True):
        assert child.probability > adult.probability - 0.1


def test_a_second_detection_in_every_other_vertebra_makes_no_child_of_an_adult():
    names = run("T9", "L4")
    places = spine(*names)
    doubled = places[[2, 6]] + [0.0, 8.0, -9.0]
    log_p = np.vstack([evidence(names, 5.0), np.zeros((2, 26))])
    assignment = assign_levels(np.vstack([places, doubled]), log_p)
    assert found(assignment) == [*names, None, None]
    assert assignment.scale == pytest.approx(1.0, abs=0.1)


def test_of_levels_alike_the_nearest_takes_second_place():
    (only,) = assign_levels(np.zeros((1, 3)), evidence(["L2"]), options=FLAT).detections
    assert only.level.name == "L2" and only.runner_up.name in ("L1", "L3")


def test_evidence_off_by_one_half_the_time_is_unsure_and_offers_the_other():
    names = run("T5", "L1")
    shifted = run("T6", "L2")
    both = np.logaddexp(evidence(names, 5.0), evidence(shifted, 4.9))
    assignment = assign_levels(spine(*names), both)
    shown = found(assignment)
    other = [None if v is None else v.name for v in assignment.alternative]
    assert {tuple(shown), tuple(other)} == {tuple(names), tuple(shifted)}
    sure = assign_levels(spine(*names), evidence(names, 5.0))
    margins = [d.margin for d in assignment.detections]
    assert max(margins) < min(d.margin for d in sure.detections)
    assert {d.runner_up.name for d in assignment.detections} >= {other[4]}


def test_second_place_is_a_level_even_where_being_no_vertebra_is_more_probable():
    names, shifted = run("L2", "L5"), run("L1", "L4")
    both = np.logaddexp(evidence(names, 5.0), evidence(shifted, 4.0))
    against = np.array([4.0, 0.0, 0.0, 0.0])
    top = assign_levels(spine(*names), both, spurious_log_odds=against).detections[0]
    assert (top.level.name, top.runner_up.name) == ("L2", "L1")
    assert top.no_vertebra_probability > top.runner_up_probability > LEAST_RUNNER_UP
    assert top.margin == pytest.approx(top.probability - top.runner_up_probability)


def test_a_level_below_a_thousandth_comes_into_no_question():
    for detection in assign_levels(spine(*run("L1", "L5")), evidence(run("L1", "L5"))).detections:
        assert detection.runner_up is None
        assert 0 <= detection.runner_up_probability < LEAST_RUNNER_UP


def test_what_is_no_vertebra_names_the_level_that_it_might_be():
    names = run("T9", "L3")
    against = np.zeros(len(names))
    against[-1] = 10.0
    last = assign_levels(spine(*names), evidence(names), spurious_log_odds=against).detections[-1]
    assert last.level is None and last.runner_up.name == "L3"
    assert last.probability == last.no_vertebra_probability


def test_temperature_softens_without_renaming():
    names = run("T5", "L1")
    plain = assign_levels(spine(*names), evidence(names, 2.0))
    soft = assign_levels(spine(*names), evidence(names, 2.0), temperature=3.0)
    assert found(plain) == found(soft)
    for a, b in zip(plain.detections, soft.detections, strict=True):
        assert b.probability < a.probability


def test_an_anchor_moves_all_levels():
    names = run("T9", "L4")
    unsure = np.logaddexp(evidence(names, 4.0), evidence(run("T10", "L5"), 4.0))
    for above_sacrum, last in (("L4", "L4"), ("L5", "L5")):
        anchor = Anchor(len(names) - 1, (above_sacrum,), 8.0, "sacrum right below")
        assignment = assign_levels(spine(*names), unsure, anchors=[anchor])
        assert found(assignment)[-1] == last


def test_odds_against_a_detection_leave_it_out():
    names = run("T9", "L3")
    against = np.zeros(len(names))
    against[-1] = 40.0
    assignment = assign_levels(spine(*names), evidence(names), spurious_log_odds=against)
    assert found(assignment) == [*names[:-1], None]


def test_probabilities_of_a_detection_add_up_to_at_most_one():
    names = run("T5", "T12")
    for detection in assign_levels(spine(*names), evidence(names, 1.0)).detections:
        assert 0 < detection.probability + detection.runner_up_probability <= 1 + 1e-9


@pytest.mark.parametrize(
    "arguments",
    [
        {"level_log_probabilities": np.zeros((2, 26))},
        {"level_log_probabilities": np.full((3, 26), np.nan)},
        {"level_log_probabilities": None, "spurious_log_odds": np.zeros(2)},
        {"level_log_probabilities": None, "anchors": [Anchor(3, ("L5",))]},
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments):
    with pytest.raises(ValueError):
        assign_levels(np.zeros((3, 3)), **arguments)


def test_bundled_statistics_name_their_source_and_licence():
    assert "CC BY-SA 4.0" in STATISTICS.source
    assert len(STATISTICS.log_distance_mean) == len(NEIGHBOURS)
    assert len(STATISTICS.first_log_prior) == 26
