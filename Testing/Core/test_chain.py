"""The chain from head to foot: what belongs to a spine and what does not."""

from __future__ import annotations

import numpy as np
import pytest
from vertebra_core.labelling.chain_model import PositionalOptions
from vertebra_core.labelling.level_statistics import NEIGHBOURS, load_level_statistics
from vertebra_core.levels import MOBILE_LEVELS
from vertebra_core.localisation.chain import MAX_MISSED, find_chain


def spine(count: int = 12, kyphosis: float = 0.0, start_mm: float = 18.0) -> np.ndarray:
    """Centres of a spine, head to foot, LPS mm, with distances growing downwards."""
    points = [np.zeros(3)]
    for i in range(count - 1):
        angle = kyphosis * (i / max(1, count - 2) - 0.5)
        step = start_mm + 1.2 * i
        points.append(points[-1] + step * np.array([0.0, np.sin(angle), -np.cos(angle)]))
    return np.array(points)


def shuffled(points: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    order = np.random.default_rng(3).permutation(len(points))
    return points[order], scores[order], order


def test_whole_spine_is_kept_from_head_to_foot():
    points, scores, order = shuffled(spine(), np.full(12, 0.8))
    assert [int(order[i]) for i in find_chain(points, scores)] == list(range(12))


def test_an_atlas_that_is_hard_to_see_is_kept_though_it_lies_close_to_the_axis():
    below = spine(6, start_mm=24.0)
    atlas = below[0] + [1.0, -4.0, 14.0]
    scores = np.r_[0.42, np.full(6, 0.75)]
    assert find_chain(np.vstack([atlas, below]), scores) == list(range(7))


def test_a_weak_candidate_close_above_a_lumbar_spine_is_left_out():
    below = spine(5, start_mm=34.0)
    stray = below[0] + [1.0, -4.0, 14.0]
    scores = np.r_[0.42, np.full(5, 0.75)]
    assert find_chain(np.vstack([stray, below]), scores) == list(range(1, 6))


def test_strong_kyphosis_is_kept():
    points = spine(15, kyphosis=np.deg2rad(100))
    assert find_chain(points, np.full(15, 0.7)) == list(range(15))


def test_hips_ribs_and_heart_are_left_out():
    true = spine(8, start_mm=28)
    false = np.array(
        [true[7] + [90, 10, -40], true[7] + [-90, 10, -40], true[2] + [60, -20, 5], [70, -80, -30]]
    )
    scores = np.r_[np.full(8, 0.7), np.full(4, 0.9)]
    chain = find_chain(np.r_[true, false], scores)
    assert chain == list(range(8))


def test_second_detection_inside_a_vertebra_is_left_out():
    true = spine(8, start_mm=28)
    double = true[4] + [6, 10, -8]
    chain = find_chain(np.vstack([true, double]), np.r_[np.full(8, 0.8), 0.4])
    assert chain == list(range(8))


def test_gap_of_one_missed_vertebra_is_bridged():
    points = np.delete(spine(10, start_mm=24), 5, axis=0)
    assert find_chain(points, np.full(9, 0.8)) == list(range(9))


def test_a_sure_body_beyond_a_gap_is_kept_where_the_spine_ends():
    points = np.delete(spine(9, start_mm=28.0), 7, axis=0)
    scores = np.r_[np.full(7, 0.95), 0.94]
    assert find_chain(points, scores) == list(range(8))


def average_spine(scale: float) -> dict[str, np.ndarray]:
    """Centres of T4 to L5, straight, LPS mm."""
    logs = load_level_statistics().log_distance_mean
    step = {pair: scale * np.exp(log) for pair, log in zip(NEIGHBOURS, logs, strict=True)}
    levels = [v for v in MOBILE_LEVELS if v.name not in ("T13", "L6")]
    names = [v.name for v in levels]
    levels = levels[names.index("T4") :]
    pairs = zip(levels[:-1], levels[1:], strict=True)
    depth = np.cumsum([0.0, *(step[a.order, b.order] for a, b in pairs)])
    return {v.name: np.array([0.0, 0.0, -d]) for v, d in zip(levels, depth, strict=True)}


@pytest.mark.parametrize("scale", [0.9, 1.0, 1.1])
@pytest.mark.parametrize(
    "missed", ["L2", "L2 L3", "L1 L2", "T12 L1", "T6 T7 T8", "T11 T12 L1", "L1 L2 L3"]
)
def test_nothing_is_lost_beyond_a_gap_of_up_to_three_missed_ones(missed, scale):
    there = {k: v for k, v in average_spine(scale).items() if k not in missed.split()}
    chain = find_chain(np.array(list(there.values())), np.full(len(there), 0.95))
    assert chain == list(range(len(there)))


def test_a_chain_bridges_what_positional_logic_can_name():
    assert PositionalOptions().max_missed == MAX_MISSED


@pytest.mark.parametrize("below_mm", [90.0, 120.0, 150.0])
def test_a_lone_candidate_far_below_a_spine_is_left_out(below_mm):
    true = spine(8, start_mm=22)
    lone = true[-1] + [0.0, 10.0, -below_mm]
    assert find_chain(np.vstack([true, lone]), np.full(9, 0.95)) == list(range(8))


def test_a_disc_taken_for_a_body_does_not_cost_the_body_below_the_next():
    z = [253, 217, 191, 169, 149, 127, 86]
    points = np.array([[223.0, 175.0, float(v)] for v in z])
    scores = np.array([0.95, 0.94, 0.67, 0.94, 0.11, 0.95, 0.94])
    assert {0, 1, 3, 5, 6} <= set(find_chain(points, scores))


def test_weak_candidate_in_line_is_kept():
    scores = np.full(9, 0.8)
    scores[4] = 0.25
    assert 4 in find_chain(spine(9), scores)


def test_of_two_spines_the_longer_is_kept():
    long, short = spine(9, start_mm=25), spine(4, start_mm=25) + [150, 0, -40]
    chain = find_chain(np.r_[long, short], np.full(13, 0.8))
    assert chain == list(range(9))


def test_few_candidates_need_high_scores():
    pair = spine(2, start_mm=30)
    assert find_chain(pair, np.array([0.5, 0.6])) == []
    assert find_chain(pair, np.array([0.9, 0.6])) == [0]
    assert find_chain(pair, np.array([0.9, 0.85])) == [0, 1]
    assert find_chain(pair[:1], np.array([0.95])) == [0]


def test_no_candidates_give_no_chain():
    assert find_chain(np.zeros((0, 3)), np.zeros(0)) == []


def test_scattered_candidates_do_not_make_a_spine():
    rng = np.random.default_rng(5)
    points = rng.uniform(-200, 200, (12, 3))
    assert len(find_chain(points, np.full(12, 0.3))) <= 4


def test_many_candidates_take_no_time():
    rng = np.random.default_rng(6)
    points = np.r_[spine(20, start_mm=15), rng.uniform(-150, 50, (200, 3))]
    scores = np.r_[np.full(20, 0.9), rng.uniform(0.05, 0.4, 200)]
    chain = find_chain(points, scores)
    assert set(range(20)) <= set(chain)
    assert len(chain) <= 23
