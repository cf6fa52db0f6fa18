"""Perturbed scans: CT and truth change alike, and their figures stay apart."""

from __future__ import annotations

import numpy as np
import pytest
from toy_phantom import toy_scene
from vertebra_core.evaluation.compare_cases import (
    CompareCase,
    data_title,
    with_perturbations,
)
from vertebra_core.evaluation.perturbations import PERTURBATIONS, crop, resolution, rotation
from vertebra_core.evaluation.phantom_cases import phantom_truth
from vertebra_core.evaluation.records import PHANTOM
from vertebra_core.evaluation.truth import CaseTruth
from vertebra_core.phantom.scan_case import scan
from vertebra_core.phantom.scan_protocol import ScanProtocol
from vertebra_core.volume import CtVolume


@pytest.fixture(scope="module")
def case():
    scene = toy_scene(1.5)
    ct, labels, bodies = scan(
        scene, (1.5, 1.5, 1.0), np.random.default_rng(0), None, ScanProtocol()
    )
    return ct, phantom_truth(scene, ct, labels, bodies)


def _centroids(ct: CtVolume, labels: np.ndarray) -> dict[int, np.ndarray]:
    numbers = [n for n in np.unique(labels) if n]
    return {int(n): ct.index_to_lps(np.argwhere(labels == n).mean(0)) for n in numbers}


@pytest.mark.parametrize("name", list(PERTURBATIONS))
def test_ct_and_truth_still_fit(name, case):
    ct, truth = case
    changed, new = PERTURBATIONS[name](ct, truth, np.random.default_rng(1))
    assert changed.hu.dtype == np.int16
    assert changed.hu.shape == new.labels.shape == new.bodies.shape
    inside = changed.hu[new.bodies > 0].astype(float)
    outside = changed.hu[new.labels == 0].astype(float)
    assert inside.mean() > outside.mean() + 80
    bodies = _centroids(changed, new.bodies)
    for vertebra, number in zip(new.vertebrae, sorted(bodies), strict=True):
        if vertebra.complete:
            assert np.linalg.norm(bodies[number] - vertebra.center_lps_mm) < 2.5


def test_thick_slices_keep_their_place(case):
    ct, truth = case
    thick, new = resolution(ct, truth, np.random.default_rng(0))
    assert thick.spacing_xyz_mm == pytest.approx((1.5, 1.5, 3.0))
    before, after = _centroids(ct, truth.bodies), _centroids(thick, new.bodies)
    assert all(np.linalg.norm(before[n] - after[n]) < 0.8 for n in before)
    assert resolution(thick, new, np.random.default_rng(0))[0] is thick


@pytest.mark.parametrize("spacing_mm", [1.0, 1.5])
def test_thick_slices_of_ct_and_truth_lie_at_the_same_height(spacing_mm):
    height = np.arange(24, dtype=np.int16)
    ramp = np.broadcast_to(10 * height[:, None, None], (24, 8, 8)).copy()
    ct = CtVolume(ramp, (1.0, 1.0, spacing_mm), (0.0, 0.0, 50.0), tuple(np.eye(3).ravel()))
    maps = (ramp // 10).astype(np.uint8)
    thick, new = resolution(ct, CaseTruth((), maps, maps), np.random.default_rng(0))
    at = ct.lps_to_index(np.array([thick.index_to_lps(np.array([k, 0, 0])) for k in (0, 1, 5)]))
    assert np.allclose(at[:, 0], new.labels[[0, 1, 5], 0, 0])
    assert np.allclose(10 * at[:, 0], thick.hu[[0, 1, 5], 0, 0])
    assert len(thick.hu) == len(new.labels) == len(new.bodies)


def test_a_turned_patient_has_the_same_voxels_elsewhere(case):
    ct, truth = case
    turned, new = rotation(ct, truth, np.random.default_rng(0))
    assert turned.hu is ct.hu
    matrix = np.reshape(turned.direction, (3, 3))
    assert np.allclose(matrix @ matrix.T, np.eye(3))
    assert np.allclose(turned.corners_lps_mm().mean(0), ct.corners_lps_mm().mean(0))
    assert any(
        np.linalg.norm(np.subtract(a.center_lps_mm, b.center_lps_mm)) > 1
        for a, b in zip(truth.vertebrae, new.vertebrae, strict=True)
    )


def test_what_a_crop_cuts_is_cut_in_the_truth(case):
    ct, truth = case
    small, new = crop(ct, truth, np.random.default_rng(0))
    assert small.hu.shape[0] < ct.hu.shape[0]
    complete = {v.level: v.complete for v in new.vertebrae}
    assert complete["L2"] and not all(complete.values())


def test_figures_of_perturbed_scans_stay_apart():
    cases = list(with_perturbations([CompareCase("a", PHANTOM)], ["noise", "crop"]))
    assert [c.name for c in cases] == ["a", "a_noise", "a_crop"]
    assert [data_title(c.kind) for c in cases] == [
        "phantoms",
        "phantoms with noise",
        "phantoms with crop",
    ]
