"""Whole-vertebra masks are split into body and arch, measured and graded."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_bodies import arch_level, body_level, rotation, sampled
from vertebra_core.grading.body_frame import fit_body_frame
from vertebra_core.grading.body_split import BodySplitError, split_body
from vertebra_core.grading.genant import MeasuredBody, assess_spine
from vertebra_core.grading.heights import measure_heights
from vertebra_core.grading.mask_crops import crop_of_label
from vertebra_core.levels import level_named, level_numbered
from vertebra_core.reading import read_label_map
from vertebra_core.volume import LabelVolume

_SIZE = (24.0, 31.0, 42.0)


def _body(z, y, x):
    return body_level(z, y, x, *_SIZE)


def _vertebra(z, y, x):
    return np.minimum(_body(z, y, x), arch_level(z, y, x, *_SIZE))


@pytest.mark.parametrize("turns", [(0, 0, 0), (22, 8, 12)])
def test_the_body_is_cut_out_in_front_of_the_canal(turns):
    axes, center = rotation(*turns), np.array([32.0, 27.0, 42.0])
    whole, body = (
        sampled(f, axes, center, (43, 62, 56), (1.5,) * 3, 2) for f in (_vertebra, _body)
    )
    split = split_body(whole, 1.5)
    found, true = split.body > 0.5, body > 0.5
    dice = 2 * (found & true).sum() / (found.sum() + true.sum())
    assert dice > 0.95
    assert np.dot(split.frame.axes_zyx[0], axes[0]) > np.cos(np.deg2rad(3))
    assert 10 < split.canal_depth_mm < 20


def test_a_mask_of_the_body_alone_is_taken_whole():
    body = sampled(_body, rotation(), np.array([20.0, 24.0, 28.0]), (27, 32, 38), (1.5,) * 3, 1)
    split = split_body(body > 0.5, 1.5)
    found = split.body > 0.5
    assert 2 * (found & (body > 0.5)).sum() / (found.sum() + body.sum()) > 0.93
    assert split.canal_depth_mm is None


def test_what_is_no_vertebra_is_refused():
    with pytest.raises(BodySplitError):
        split_body(np.zeros((30, 30, 30), np.float32), 1.0)
    z, _, x = np.mgrid[:40, :90, :40]
    beam = (np.abs(z - 20) < 10) & (np.abs(x - 20) < 10)
    with pytest.raises(BodySplitError):
        split_body(beam, 1.0)


def test_a_crop_is_upright_whatever_the_direction_of_the_map():
    spacing_zyx = (2.0, 1.0, 1.0)
    body = sampled(_body, rotation(), np.array([24.0, 24.0, 28.0]), (24, 48, 56), spacing_zyx)
    labels = (body > 0.5).astype(np.uint8) * 20
    upright = LabelVolume(labels, (1.0, 1.0, 2.0), (5.0, -7.0, 100.0))
    # The same voxels stored foot to head reversed, back to front, and axes swapped.
    stored = np.ascontiguousarray(labels[::-1, ::-1].transpose(2, 0, 1))
    corner = upright.index_to_lps(np.array([23, 47, 0]))
    direction = (0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
    turned = LabelVolume(stored, (1.0, 2.0, 1.0), tuple(corner), direction)
    a, b = crop_of_label(upright, 20), crop_of_label(turned, 20)
    np.testing.assert_allclose(a.origin_lps_mm, b.origin_lps_mm, atol=1e-6)
    np.testing.assert_allclose(a.probability, b.probability, atol=1e-4)


def _assessed(labels: LabelVolume, numbers, bodies: LabelVolume | None = None):
    measured = []
    for number in numbers:
        crop = crop_of_label(labels, number)
        if bodies is None:
            split = split_body(crop.probability, crop.spacing_mm)
            body, frame = split.body, split.frame
        else:
            body = crop_of_label(bodies, number, like=crop).probability
            frame = fit_body_frame(body, crop.spacing_mm, crop.probability)
        found = measure_heights(body, crop.spacing_mm, frame)
        name = level_numbered(number).name
        voxel = max(labels.spacing_xyz_mm)
        measured.append(MeasuredBody(name, found.heights_mm, found.spread_mm, voxel))
    return {b.level: m for b, m in zip(measured, assess_spine(measured), strict=True)}


@pytest.mark.slow
def test_expert_masks_with_three_known_fractures(shared_data):
    labels = read_label_map(shared_data / "masks" / "sub-verse004_seg-vert_msk.nii.gz")
    found = _assessed(labels, range(16, 25))
    grades = {name: m.grade for name, m in found.items()}
    assert grades["L1"] == 3
    assert grades["T9"] >= 1 and grades["T10"] >= 1
    assert all(grades[n] == 0 for n in ("T11", "T12", "L2", "L3", "L4", "L5"))


@pytest.mark.slow
@pytest.mark.parametrize("with_bodies", [False, True])
def test_a_sound_lumbar_spine_at_3_mm_has_no_fracture(shared_data, with_bodies):
    folder = shared_data / "ct"
    labels = read_label_map(folder / "ts_example_labels_totalseg.nii.gz")
    numbers = {31: "L1", 30: "L2", 29: "L3", 28: "L4", 27: "L5"}
    verse = np.zeros_like(labels.labels)
    for given, name in numbers.items():
        verse[labels.labels == given] = level_named(name).number
    labels = LabelVolume(verse, labels.spacing_xyz_mm, labels.origin_lps_mm, labels.direction)
    bodies = read_label_map(folder / "ts_example_vertebral_bodies_by_level.nii.gz")
    found = _assessed(labels, range(20, 25), bodies if with_bodies else None)
    assert {name: m.grade for name, m in found.items()} == {n: 0 for n in numbers.values()}


@pytest.mark.slow
def test_expert_masks_of_the_neck_hold_no_severe_fracture(shared_data):
    labels = read_label_map(shared_data / "masks" / "sub-gl003_dir-ax_seg-vert_msk.nii.gz")
    found = _assessed(labels, range(3, 10))
    assert all(m.grade == 0 for m in found.values())
