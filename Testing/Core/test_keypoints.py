"""Levels from keypoints: the file format, matching, fitting, cross-validation and its figures."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from vertebra_core.labelling.keypoint_boundary import (
    BOUNDARY_LEVELS,
    boundary_features,
    first_lumbar,
    fit_boundary_model,
)
from vertebra_core.labelling.keypoint_emission import fit_keypoint_emission
from vertebra_core.labelling.keypoint_field import (
    best_levels,
    label_probabilities,
    log_partition,
    see,
)
from vertebra_core.labelling.keypoint_namer import fit_keypoint_namer
from vertebra_core.labelling.keypoint_rows import UNKNOWN, KeypointRows, keypoint_rows
from vertebra_core.labelling.keypoint_scans import read_keypoint_scans
from vertebra_core.labelling.keypoint_steps import step_table
from vertebra_core.labelling.keypoint_training import KeypointTraining
from vertebra_core.labelling.keypoint_variation import varied
from vertebra_core.labelling.keypoints import (
    DEFAULT_TRAINING,
    evaluate_keypoints,
    identified_bodies,
)
from vertebra_core.labelling.level_statistics import (
    NEIGHBOURS,
    fit_level_statistics,
    load_level_statistics,
)
from vertebra_core.labelling.patient_folds import likely_same_patient, patient_folds
from vertebra_core.labelling.positional_logic import assign_levels
from vertebra_core.levels import MOBILE_LEVELS, level_named

STATISTICS = load_level_statistics()
NAMES = [v.name for v in MOBILE_LEVELS if v.name not in ("T13", "L6")]


def synthetic_scan(name, rng, first="T8", last="L5", unsure=0.15):
    """One line of a keypoint file: a plausible spine, its detections a little off."""
    chosen = NAMES[NAMES.index(first) : NAMES.index(last) + 1]
    orders = [level_named(n).order for n in chosen]
    place, scale, true = np.zeros(3), rng.normal(1, 0.06), []
    for i, level in enumerate(orders):
        if i:
            k = NEIGHBOURS.index((orders[i - 1], level))
            angle = STATISTICS.angle_mean_rad[k] + rng.normal(0, 0.05)
            step = np.exp(STATISTICS.log_distance_mean[k] + rng.normal(0, 0.03)) * scale
            place = place + step * np.array([0, np.sin(angle), -np.cos(angle)])
        true.append([chosen[i], *np.round(place, 1).tolist()])
    detected = []
    for level, x, y, z in true:
        region = "CTL".index(level[0])
        shares = np.clip(rng.normal(0.03, 0.01, 3), 0.005, None)
        shares[region] = 0.98
        if level in ("T12", "L1") and rng.random() < unsure:
            shares[1:] = 0.6
        where = np.array([x, y, z]) + rng.normal(0, 1, 3)
        detected.append([*np.round(where, 1).tolist(), *np.round(shares, 3).tolist()])
    rng.shuffle(detected)
    return {"scan": name, "source": "made up", "true_bodies": true, "detected_bodies": detected}


@pytest.fixture(scope="module")
def keypoint_file(tmp_path_factory):
    rng = np.random.default_rng(5)
    path = tmp_path_factory.mktemp("keypoints") / "made_up.jsonl.gz"
    spans = [("T8", "L5"), ("T11", "L5"), ("C3", "T6"), ("T5", "L2")]
    with gzip.open(path, "wt") as out:
        for i in range(40):
            out.write(json.dumps(synthetic_scan(f"scan{i}", rng, *spans[i % 4])) + "\n")
    return path


@pytest.fixture(scope="module")
def scans(keypoint_file):
    return read_keypoint_scans(keypoint_file)


def test_scans_are_read_head_to_foot(scans):
    assert len(scans) == 40
    for scan in scans:
        assert (np.diff(scan.lps_mm[:, 2]) <= 0).all()
        assert (np.diff(scan.true_orders) > 0).all()
        assert scan.region_probabilities.shape == scan.lps_mm.shape


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "broken.jsonl"
    path.write_text('{"scan": "a", "true_bodies": [], "detected_bodies": []}\n{"scan": "b"}\n')
    with pytest.raises(ValueError, match="line 2"):
        read_keypoint_scans(path)


def test_matching_gives_each_body_its_nearest_detection_once(scans):
    scan = scans[0]
    match = scan.matches()
    assert sorted(match) == list(range(len(scan.true_orders)))
    far = type(scan)(
        "", "", scan.true_orders, scan.true_lps_mm, scan.lps_mm + 50, scan.region_probabilities
    )
    moved = far.matches()
    assert (moved >= 0).sum() < len(moved)


def test_identified_follows_the_twenty_millimetre_rule(scans):
    scan = scans[0]
    truth = np.zeros((len(scan.lps_mm), 26))
    truth[np.arange(len(truth)), scan.true_orders] = 20.0
    assert identified_bodies(scan, assign_levels(scan.lps_mm, truth).levels).all()
    beside = scan.lps_mm + [25.0, 0, 0]
    away = type(scan)("", "", scan.true_orders, scan.true_lps_mm, beside, scan.region_probabilities)
    assert not identified_bodies(away, assign_levels(beside, truth).levels).any()
    shifted = np.roll(truth, 1, axis=1)
    assert not identified_bodies(scan, assign_levels(scan.lps_mm, shifted).levels).any()


def test_statistics_come_back_from_what_was_drawn_with_them(scans):
    fitted = fit_level_statistics(scans, "made up")
    measured = [i for i, (a, b) in enumerate(NEIGHBOURS) if a >= 11 and b <= 24 and b - a == 1]
    assert np.allclose(
        np.array(fitted.log_distance_mean)[measured],
        np.array(STATISTICS.log_distance_mean)[measured],
        atol=0.06,
    )
    assert fitted.source == "made up"
    assert load_level_statistics() == STATISTICS
    with pytest.raises(ValueError):
        fit_level_statistics([])


def test_statistics_survive_their_file(scans, tmp_path):
    fitted = fit_level_statistics(scans, "made up")
    (tmp_path / "statistics.json").write_text(fitted.to_json())
    assert load_level_statistics(tmp_path / "statistics.json") == fitted


def test_emission_prefers_the_region_that_the_detector_saw(scans):
    emission = fit_keypoint_emission(scans)
    seen = np.array([[0.98, 0.03, 0.03], [0.03, 0.98, 0.03], [0.03, 0.03, 0.98]])
    best = emission.log_likelihoods(seen).argmax(1)
    assert [MOBILE_LEVELS[i].name[0] for i in best] == ["C", "T", "L"]


def test_two_scans_of_one_patient_share_a_fold(scans):
    rng = np.random.default_rng(0)
    twin = scans[4]
    again = type(twin)(
        "other name",
        "",
        twin.true_orders,
        twin.true_lps_mm + rng.normal(0, 0.2, twin.true_lps_mm.shape) + [30, -20, 99],
        twin.lps_mm,
        twin.region_probabilities,
    )
    everyone = [*scans, again]
    assert likely_same_patient(everyone)[4] == len(scans)
    fold = patient_folds(everyone, 5)
    assert fold[4] == fold[-1]
    assert set(fold) == set(range(5))
    backwards = patient_folds(everyone[::-1], 5)
    assert (backwards[::-1] == fold).all()


def test_cross_validation_reports_what_was_identified(keypoint_file):
    done = []
    figures = evaluate_keypoints(keypoint_file, 2, training=None, on_fold=done.append)
    assert done == [1, 2]
    assert figures["scans"] == 40 and figures["folds"] == 2
    assert 0.8 < figures["identification_rate"] <= figures["found_rate"] == 1.0
    assert set(figures["sources"]) == {"made up"}
    assert set(figures["regions"]) == {"C", "T", "L"}
    bodies = sum(region["bodies"] for region in figures["regions"].values())
    assert bodies == figures["bodies"]
    json.dumps(figures)


QUICK = KeypointTraining(epochs=4, first_epochs=8, parts=2, hidden=32, batch_size=16)


@pytest.fixture(scope="module")
def field_namer(scans):
    return fit_keypoint_namer(scans[8:], QUICK)


@pytest.mark.parametrize("training", [None, QUICK])
def test_truth_of_the_held_aside_scans_is_not_used(scans, field_namer, training):
    namer = fit_keypoint_namer(scans[8:]) if training is None else field_namer
    blind = [
        replace(s, true_orders=s.true_orders[:0], true_lps_mm=s.true_lps_mm[:0]) for s in scans
    ]
    assert namer.label(blind[:8]) == namer.label(scans[:8])


def test_training_twice_gives_the_same(scans, field_namer):
    again = fit_keypoint_namer(scans[8:], QUICK)
    for a, b in zip(field_namer.fields[0].parameters(), again.fields[0].parameters(), strict=True):
        assert torch.equal(a, b)


def test_scans_are_named_alike_alone_and_together(scans, field_namer):
    together = field_namer.label(scans[:8])
    assert [field_namer.label([scan])[0] for scan in scans[:8]] == together


def test_no_detections_get_no_names(scans, field_namer):
    empty = replace(scans[0], lps_mm=np.zeros((0, 3)), region_probabilities=np.zeros((0, 3)))
    assert field_namer.label([empty]) == [()]
    assert field_namer.label([empty, scans[1]])[1] == field_namer.label([scans[1]])[0]


def test_fields_learn_a_detectors_habits_from_examples(scans, field_namer):
    # The detector calls T12 lumbar where L5 is in view, and L1 thoracic where it is not.
    thoracic, lumbar = [0.03, 0.98, 0.03], [0.03, 0.03, 0.98]

    def fooled(scan):
        shares = scan.region_probabilities.copy()
        wrong, call = ("T12", lumbar) if len(scan.true_orders) < 12 else ("L1", thoracic)
        shares[scan.true_orders == level_named(wrong).order] = call
        return replace(scan, region_probabilities=shares)

    marked = [fooled(s) for s in scans if level_named("T12").order in s.true_orders]
    shown = fit_keypoint_namer(marked[:-6], replace(QUICK, epochs=12, first_epochs=24, parts=1))

    def rate(namer):
        pairs = zip(marked[-6:], namer.label(marked[-6:]), strict=True)
        return np.mean([identified_bodies(*pair).mean() for pair in pairs])

    assert rate(shown) > 0.9
    assert rate(shown) > rate(field_namer)


def test_the_partition_sums_over_every_labelling(scans, field_namer):
    # Two detections: all pairs of levels one by one, each alone, and none at all.
    rows = keypoint_rows([replace(scans[0], **_first_two(scans[0]))])
    table = step_table(field_namer.statistics, 1)
    scores = _scores(field_namer, rows, table)
    level = torch.arange(27)
    total = [scores.spurious.sum()[None]]
    for i in (0, 1):
        alone = scores.start[0] + scores.node[0, i] + scores.end[0] + scores.spurious[0, 1 - i]
        total.append(alone)
    for lower in level:
        for k, upper in enumerate(table.upper[lower]):
            first = scores.start[0, upper] + scores.node[0, 0, upper]
            second = scores.node[0, 1, lower] + scores.end[0, lower]
            total.append((first + scores.steps[0][0, 0, lower, k] + second)[None])
    expected = torch.logsumexp(torch.cat(total), 0)
    assert log_partition(scores, table)[0].item() == pytest.approx(expected.item(), abs=1e-4)


def test_the_best_labelling_is_the_most_probable(scans, field_namer):
    rows = keypoint_rows(scans[:4])
    table = step_table(field_namer.statistics, 2)
    scores = _scores(field_namer, rows, table)
    best = best_levels(scores, table)

    def log_probability(levels):
        given = scores.given(torch.from_numpy(levels))
        return (log_partition(given, table) - log_partition(scores, table)).numpy()

    found = log_probability(best)
    assert (found <= 1e-4).all()
    shifted = np.where(best >= 0, best - 1, best)
    assert (log_probability(shifted) < found).all()


def test_probabilities_of_labels_are_shares_of_all_labellings(scans, field_namer):
    rows = keypoint_rows(scans[:2])
    table = step_table(field_namer.statistics, 1)
    scores = _scores(field_namer, rows, table)
    label = label_probabilities(scores, table)
    assert np.allclose(label.sum(2)[rows.present], 1, atol=1e-4)
    fixed = torch.full(rows.target.shape, UNKNOWN)
    fixed[:, 3] = torch.from_numpy(rows.target[:, 3])
    share = torch.exp(log_partition(scores.given(fixed), table) - log_partition(scores, table))
    assert np.allclose(label[[0, 1], 3, rows.target[:, 3]], share.numpy(), atol=1e-4)


def test_lumbar_starts_where_the_detector_turns_to_lumbar(scans):
    rows = keypoint_rows(scans)
    first = first_lumbar(rows)
    lumbar = np.array(["L1" in _names(s) for s in scans])
    assert (first[~lumbar] == -1).all()
    found = rows.target[np.nonzero(lumbar)[0], first[lumbar]]
    assert np.isin(found, BOUNDARY_LEVELS).all()
    assert (found == level_named("L1").order).mean() > 0.8
    # A doubtful body far above does not turn the row.
    rows.regions[:, 1] = [0.05, 0.3, 0.4]
    low = first > 3
    assert low.any() and (first_lumbar(rows)[low] == first[low]).all()


def test_boundary_features_depend_on_the_scan_alone(scans):
    rows = keypoint_rows([scans[0], scans[1]])
    first = first_lumbar(rows)
    alone = keypoint_rows([scans[1]])
    assert rows.target.shape[1] > alone.target.shape[1]
    features = boundary_features(rows, first)
    assert np.allclose(features[1:], boundary_features(alone, first_lumbar(alone)))


def test_without_examples_the_boundary_is_where_the_fields_say():
    model = fit_boundary_model(np.zeros((0, 3)), np.zeros((0, 4)), np.zeros(0, int))
    said = np.array([[0.1, 0.7, 0.2], [0.6, 0.4, 0.0]])
    judged = np.exp(model.log_probabilities(said, np.ones((2, 4))))
    assert np.allclose(judged, said, atol=1e-3)


def test_the_boundary_is_judged_by_signs_that_the_fields_missed():
    rng = np.random.default_rng(3)
    ribless = rng.random(400) < 0.3
    said = np.tile([0.25, 0.7, 0.05], (400, 1))
    features = np.stack([np.ones(400), ribless + rng.normal(0, 0.2, 400)], axis=1)
    level = np.where(ribless, 0, 1)
    model = fit_boundary_model(said[:300], features[:300], level[:300])
    judged = model.log_probabilities(said[300:], features[300:])
    assert (judged.argmax(1) == level[300:]).mean() > 0.95
    assert np.allclose(np.exp(judged).sum(1), 1)


def test_the_boundary_learns_from_bodies_the_fields_have_not_seen(scans, field_namer):
    examples = field_namer.boundary_examples(scans[:8])
    said, features, level = (np.concatenate(of_all) for of_all in zip(*examples, strict=True))
    lumbar = sum("L1" in _names(s) for s in scans[:8])
    assert len(said) == len(features) == len(level) == lumbar
    assert ((said >= 0) & (said <= 1)).all() and (said.sum(1) <= 1 + 1e-4).all()
    assert field_namer.boundary is not None
    assert len(field_namer.fields) == QUICK.parts


def test_variations_keep_detections_and_targets_together():
    rng = np.random.default_rng(2)
    n = 12
    rows = KeypointRows(
        np.tile(np.column_stack([np.zeros((n, 2)), -25.0 * np.arange(n)]), (300, 1, 1)),
        np.full((300, n, 3), 0.03),
        np.tile(np.arange(5, 5 + n), (300, 1)),
        np.full(300, n),
    )
    changed = varied(rows, rng)
    assert changed.lengths.min() >= 4 and changed.lengths.max() <= n + 1
    assert len(set(changed.lengths.tolist())) > 4
    assert ((changed.target == UNKNOWN) | changed.present).all()
    known = changed.target >= 0
    # Targets still run head to foot, and with them the places, 25 mm a level.
    for target, height, own in zip(changed.target, changed.lps_mm[..., 2], known, strict=True):
        assert (np.diff(target[own]) > 0).all()
        pace = np.diff(height[own]) / np.diff(target[own])
        assert np.allclose(pace, -25, atol=9)


def _names(scan):
    return [MOBILE_LEVELS[order].name for order in scan.true_orders]


def _first_two(scan):
    return {
        name: getattr(scan, name)[:2]
        for name in ("lps_mm", "region_probabilities", "true_orders", "true_lps_mm")
    }


def _scores(namer, rows, table):
    with torch.no_grad():
        return namer.fields[0](see(rows, namer.emission), rows, table, 3)


def test_too_few_scans_are_refused(tmp_path):
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps(synthetic_scan("a", np.random.default_rng(0))) + "\n")
    with pytest.raises(ValueError):
        evaluate_keypoints(path, 5)


@pytest.mark.parametrize(
    "training,identified,all_right",
    [
        (None, 0.93, 0.90),
        (KeypointTraining(epochs=8, batch_size=10, parts=2), 0.92, 0.89),
    ],
    ids=["logic alone", "field"],
)
def test_a_part_of_the_public_keypoints_is_identified(
    shared_data, tmp_path, training, identified, all_right
):
    part = tmp_path / "part.jsonl"
    with gzip.open(shared_data / "labelling" / "vid_keypoints.jsonl.gz", "rt") as lines:
        part.write_text("".join(line for i, line in enumerate(lines) if i % 4 == 0))
    figures = evaluate_keypoints(part, 2, training)
    assert figures["scans"] == 414
    assert figures["found_rate"] > 0.985
    assert figures["identification_rate"] >= identified
    assert figures["scans_all_right_of_found"] >= all_right


@pytest.mark.slow
def test_public_keypoints_are_identified(shared_data):
    # Two parts instead of four take half of the time.
    path = shared_data / "labelling" / "vid_keypoints.jsonl.gz"
    figures = evaluate_keypoints(path, 5, replace(DEFAULT_TRAINING, parts=2))
    assert figures["scans"] == 1655 and figures["bodies"] == 14999
    assert figures["found_rate"] > 0.985
    assert figures["identification_rate"] >= 0.945
    assert figures["scans_all_right_of_found"] >= 0.94
