"""Levels from keypoints: the file format, matching, fitting, cross-validation and its figures."""

import gzip
import json

import numpy as np
import pytest
from vertebra_core.labelling.keypoint_emission import fit_keypoint_emission
from vertebra_core.labelling.keypoint_namer import fit_keypoint_namer
from vertebra_core.labelling.keypoint_scans import read_keypoint_scans
from vertebra_core.labelling.keypoint_training import KeypointTraining
from vertebra_core.labelling.keypoints import evaluate_keypoints, identified_bodies
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
    assert identified_bodies(scan, assign_levels(scan.lps_mm, truth)).all()
    beside = scan.lps_mm + [25.0, 0, 0]
    away = type(scan)("", "", scan.true_orders, scan.true_lps_mm, beside, scan.region_probabilities)
    assert not identified_bodies(away, assign_levels(beside, truth)).any()
    shifted = np.roll(truth, 1, axis=1)
    assert not identified_bodies(scan, assign_levels(scan.lps_mm, shifted)).any()


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


def test_truth_of_the_held_aside_scans_is_not_used(scans):
    namer = fit_keypoint_namer(scans[8:])
    scan = scans[0]
    blind = type(scan)(
        "", "", scan.true_orders[:0], scan.true_lps_mm[:0], scan.lps_mm, scan.region_probabilities
    )
    assert namer.label(blind).levels == namer.label(scan).levels


def test_networks_learn_what_logic_cannot_know(scans):
    # In these scans the detector calls every T12 lumbar: logic alone shifts, examples put it right.
    def fooled(scan):
        shares = scan.region_probabilities.copy()
        lowest_thoracic = np.nonzero(scan.true_orders == level_named("T12").order)[0]
        shares[lowest_thoracic] = [0.03, 0.03, 0.98]
        return type(scan)(scan.name, "", scan.true_orders, scan.true_lps_mm, scan.lps_mm, shares)

    marked = [fooled(s) for s in scans if level_named("T12").order in s.true_orders]
    training = KeypointTraining(variations=1, steps=120, networks=1, hidden=24, batch_size=24)
    namer = fit_keypoint_namer(marked[:-6], training)
    right = [identified_bodies(s, namer.label(s)).mean() for s in marked[-6:]]
    assert np.mean(right) > 0.9


def test_too_few_scans_are_refused(tmp_path):
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps(synthetic_scan("a", np.random.default_rng(0))) + "\n")
    with pytest.raises(ValueError):
        evaluate_keypoints(path, 5)


@pytest.mark.slow
def test_public_keypoints_are_identified(shared_data):
    figures = evaluate_keypoints(shared_data / "labelling" / "vid_keypoints.jsonl.gz", 5)
    assert figures["found_rate"] > 0.985
    assert figures["identification_rate"] >= 0.94
