"""Crops, the segmentation of single vertebrae, and the veto on what is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import ConvexHull
from torch import nn
from vertebra_core.errors import Cancelled
from vertebra_core.networks.normalisation import AIR
from vertebra_core.segmentation import plausibility
from vertebra_core.segmentation.cleaning import (
    MARGIN_VOXELS,
    fill_cavities,
    fill_gaps,
    keep_main_parts,
)
from vertebra_core.segmentation.crops import (
    CROP_SHIFT_ZYX_MM,
    center_prior,
    crop_origin_index,
    extract_crop,
)
from vertebra_core.segmentation.plausibility import judge
from vertebra_core.segmentation.segment import (
    SegmentationOptions,
    VertebraMask,
    segment,
)
from vertebra_core.volume import CtVolume

SHAPE = (48, 64, 64)


class Threshold(nn.Module):
    """Stands for a network: bone near the prior is the vertebra, its front part the body."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bone = (x[:, :1] - 0.2) * 100
        prior = x[:, 1:]
        near = (prior > 0.02).float()
        rows = torch.arange(x.shape[3]).view(1, 1, 1, -1, 1)
        middle = (prior.sum((2, 4)) * rows[0, :, 0, :, 0]).sum(2) / prior.sum((2, 3, 4))
        front = (rows < middle.view(-1, 1, 1, 1, 1) + 6).float()
        logits = torch.where(near > 0, bone, torch.full_like(bone, -20))
        return torch.cat([logits, torch.where(front > 0, logits, torch.full_like(bone, -20))], 1)


def ct_with_boxes(centers_zyx, half=(8, 10, 12)) -> CtVolume:
    hu = np.full((90, 100, 96), 40, np.float32)
    for center in centers_zyx:
        box = tuple(slice(c - h, c + h + 1) for c, h in zip(center, half, strict=True))
        hu[box] = 500
    return CtVolume(hu, (1.0, 1.0, 1.0), (-48.0, -50.0, -45.0))


OPTIONS = SegmentationOptions(crop_shapes_zyx=(SHAPE,), recentre_mm=0)


def test_crop_lies_behind_and_below_the_centre():
    origin = crop_origin_index(np.array([50.0, 60.0, 70.0]), (81, 111, 111))
    middle = origin + np.array([40, 55, 55])
    assert np.allclose(middle - [50, 60, 70], CROP_SHIFT_ZYX_MM)


def test_prior_is_highest_at_the_centre():
    prior = center_prior((20, 30, 40), np.array([8.0, 12.0, 31.0]))
    assert np.unravel_index(int(prior.argmax()), prior.shape) == (8, 12, 31)
    assert float(prior[8, 12, 25]) == pytest.approx(2 * np.exp(-0.5), rel=1e-4)


def test_crop_beyond_the_volume_is_filled():
    array = np.ones((4, 4, 4), np.float32)
    crop = extract_crop(array, np.array([-2, 1, 3]), (4, 4, 4), -7.0)
    assert crop.sum() == 2 * 3 * 1 - 7 * (64 - 6)
    assert (extract_crop(array, np.array([9, 0, 0]), (2, 2, 2), -7.0) == -7).all()


def test_mask_lies_on_the_vertebra_it_was_centred_on():
    ct = ct_with_boxes([(40, 40, 48)])
    (mask,) = segment(ct, [ct.index_to_lps(np.array([40.0, 40, 48]))], Threshold(), OPTIONS)
    assert mask.body_center_lps_mm() == pytest.approx((0.0, -12.0, -5.0), abs=2.5)
    inside = np.argwhere(mask.vertebra > 0.5) + mask.origin_index_zyx
    assert (ct.hu[tuple(inside.T)] == 500).all()
    assert len(inside) > 2000
    assert (mask.body <= mask.vertebra).all()
    expected = ct.index_to_lps(np.array(mask.origin_index_zyx, float))
    assert mask.origin_lps_mm == pytest.approx(tuple(expected))


def test_nothing_is_found_outside_the_volume():
    class Everywhere(nn.Module):
        def forward(self, x):
            return torch.full((1, 2, *x.shape[2:]), 9.0)

    ct = ct_with_boxes([])
    (mask,) = segment(ct, [ct.index_to_lps(np.array([2.0, 40, 48]))], Everywhere(), OPTIONS)
    inside = np.argwhere(mask.vertebra > 0) + mask.origin_index_zyx
    assert inside.min() >= 0 and (inside.max(0) < ct.hu.shape).all()


def test_second_look_recentres_on_the_body():
    ct = ct_with_boxes([(40, 40, 48)])
    centre = ct.index_to_lps(np.array([40.0, 40, 57]))
    options = SegmentationOptions(crop_shapes_zyx=(SHAPE,), recentre_mm=2.0)
    once = segment(ct, [centre], Threshold(), OPTIONS)[0]
    twice = segment(ct, [centre], Threshold(), options)[0]
    assert twice.origin_index_zyx != once.origin_index_zyx
    assert abs(twice.body_center_lps_mm()[0]) < abs(once.body_center_lps_mm()[0])
    assert twice.center_lps_mm == once.center_lps_mm


def test_a_larger_crop_is_taken_where_the_vertebra_reaches_the_sides():
    ct = ct_with_boxes([(40, 40, 48)])
    centre = [ct.index_to_lps(np.array([40.0, 40, 48]))]
    tight, wide = (20, 80, 64), (48, 80, 64)

    class Counted(Threshold):
        shapes: list = []

        def forward(self, x):
            self.shapes.append(tuple(x.shape[2:]))
            return super().forward(x)

    grown = SegmentationOptions(crop_shapes_zyx=(tight, wide), recentre_mm=0)
    (mask,) = segment(ct, centre, Counted(), grown)
    (expected,) = segment(ct, centre, Threshold(), replace(OPTIONS, crop_shapes_zyx=(wide,)))
    assert Counted.shapes == [tight, wide]
    assert mask.origin_index_zyx == expected.origin_index_zyx
    assert np.array_equal(mask.vertebra, expected.vertebra)
    Counted.shapes.clear()
    enough = SegmentationOptions(crop_shapes_zyx=(wide, (64, 96, 80)), recentre_mm=0)
    segment(ct, centre, Counted(), enough)
    assert Counted.shapes == [wide]


def test_several_at_once_are_the_same_as_one_by_one():
    places = [(20, 40, 30), (45, 40, 48), (70, 45, 60)]
    ct = ct_with_boxes(places)
    centres = [ct.index_to_lps(np.array(p, float)) for p in places]
    alone = segment(ct, centres, Threshold(), OPTIONS)
    together = segment(ct, centres, Threshold(), replace(OPTIONS, workers=3))
    for a, b in zip(alone, together, strict=True):
        assert a.origin_index_zyx == b.origin_index_zyx
        assert np.array_equal(a.vertebra, b.vertebra) and np.array_equal(a.body, b.body)


def test_a_mask_is_cut_to_the_vertebra():
    ct = ct_with_boxes([(40, 40, 48)])
    (mask,) = segment(ct, [ct.index_to_lps(np.array([40.0, 40, 48]))], Threshold(), OPTIONS)
    inside = np.argwhere(mask.vertebra > 0.5)
    margins = np.minimum(inside.min(0), np.array(mask.vertebra.shape) - 1 - inside.max(0))
    assert margins.max() <= MARGIN_VOXELS and mask.vertebra.size < np.prod(SHAPE) / 2


def test_flip_average_of_a_symmetric_network_changes_nothing():
    ct = ct_with_boxes([(40, 40, 50)])
    centre = [ct.index_to_lps(np.array([40.0, 40, 48]))]
    plain = segment(ct, centre, Threshold(), OPTIONS)[0]
    options = SegmentationOptions(flip_average=True, recentre_mm=0, crop_shapes_zyx=(SHAPE,))
    averaged = segment(ct, centre, Threshold(), options)[0]
    assert np.allclose(plain.vertebra, averaged.vertebra, atol=2e-3)


def test_segmentation_can_be_cancelled_and_reports_progress():
    ct = ct_with_boxes([(40, 40, 48)])
    centres = [ct.index_to_lps(np.array([40.0, 40, 48]))] * 2
    fractions: list[float] = []
    segment(ct, centres, Threshold(), OPTIONS, on_progress=fractions.append)
    assert fractions == [0.5, 1.0]
    with pytest.raises(Cancelled):
        segment(ct, centres, Threshold(), OPTIONS, cancelled=lambda: True)


def test_other_grids_are_refused():
    ct = CtVolume(np.zeros((9, 9, 9), np.float32), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="working grid"):
        segment(ct, [(0, 0, 0)], Threshold(), OPTIONS)


def test_stray_parts_go_and_large_parts_stay():
    probability = np.zeros((30, 30, 30), np.float32)
    probability[5:20, 5:15, 5:20] = 0.9
    probability[5:15, 20:24, 8:14] = 0.8
    probability[27:29, 27:29, 27:29] = 0.95
    probability[26, 27, 27] = 0.3
    kept = keep_main_parts(probability)
    assert kept[10, 10, 10] == np.float32(0.9) and kept[10, 22, 10] == np.float32(0.8)
    assert kept[28, 28, 28] == 0 and kept[26, 27, 27] == 0


def test_body_is_the_one_part_near_the_centre():
    probability = np.zeros((40, 20, 20), np.float32)
    probability[2:14, 5:15, 5:15] = 0.9
    probability[22:36, 5:15, 5:15] = 0.9
    kept = keep_main_parts(probability, near=np.array([9.0, 10, 10]))
    assert kept[8, 10, 10] > 0 and kept[30, 10, 10] == 0


def mask_of(vertebra: np.ndarray, body: np.ndarray) -> VertebraMask:
    origin = (0.0, 0.0, 0.0)
    return VertebraMask(
        origin, (0, 0, 0), origin, vertebra.astype(np.float16), body.astype(np.float16)
    )


CENTRE = (45.0, 35.0, 35.0)
"""Of the body of `vertebra_like`, LPS mm."""


def vertebra_like(half=(12, 15, 20)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertebra, body and HU of an elliptic cylinder with an arch behind."""
    z, y, x = np.indices((70, 90, 90)) - np.array([35, 35, 45]).reshape(3, 1, 1, 1)
    disc = (y / half[1]) ** 2 + (x / half[2]) ** 2
    body = (abs(z) <= half[0]) & (disc <= 1)
    arch = (abs(z) <= 6) & (y > half[1] - 4) & (y < half[1] + 28) & (abs(abs(x) - 12) < 4)
    shell = body & ((abs(z) > half[0] - 2) | (disc > 0.8))
    hu = np.where(body, 150.0, np.where(arch, 400.0, 40.0))
    return (body | arch) * 0.97, body * 0.97, np.where(shell, 420.0, hu)


def judged(vertebra, body, hu):
    ct = CtVolume(hu.astype(np.float32), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    return judge(mask_of(vertebra, body), ct)


@pytest.mark.parametrize("half", [(12, 15, 20), (5, 7, 9), (3, 15, 20), (15, 19, 27)])
def test_vertebrae_of_all_sizes_pass(half):
    verdict = judged(*vertebra_like(half))
    assert verdict.plausible, verdict.reason
    assert verdict.figures.height_mm == pytest.approx(2 * half[0] + 1, abs=1.5)
    assert verdict.figures.width_mm == pytest.approx(2 * half[2], rel=0.12)


def test_the_hull_of_voxels_is_that_of_their_cubes():
    offsets = np.stack(np.meshgrid(*[(-0.5, 0.5)] * 3), -1).reshape(8, 3)
    rng = np.random.default_rng(3)
    for voxels in (rng.integers(0, 9, (40, 3)), np.argwhere(np.ones((1, 4, 5))), np.zeros((1, 3))):
        corners = (voxels[:, None] + offsets).reshape(-1, 3)
        whole = ConvexHull(corners).volume
        assert plausibility._hull_volume(voxels.astype(float)) == pytest.approx(whole)


def test_blob_without_an_arch_and_without_a_shell_is_vetoed():
    _, body, hu = vertebra_like()
    assert judged(body, body, hu).plausible
    verdict = judged(body, body, np.where(body > 0, 300.0, 40.0) - 30 * (hu > 400))
    assert not verdict.plausible
    assert "makes up 100 %" in verdict.reason and "densest inside" in verdict.reason


def test_what_is_no_denser_than_its_surroundings_needs_no_further_doubt_but_one():
    vertebra, body, hu = vertebra_like()
    assert judged(vertebra, body, hu * 0 + 60).plausible
    verdict = judged(vertebra * 0.6, body * 0.6, hu * 0 + 60)
    assert not verdict.plausible
    assert "denser" in verdict.reason and "uncertain" in verdict.reason


def ragged(holes: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    vertebra, body, hu = vertebra_like((14, 18, 24))
    solid = np.random.default_rng(0).random((14, 18, 18)) >= holes
    return vertebra, body * (np.kron(solid, np.ones((5, 5, 5))) > 0), hu


def test_few_holes_in_a_body_are_forgiven():
    assert judged(*ragged(0.15)).plausible


def test_body_in_pieces_is_vetoed_whatever_else_is_right():
    verdict = judged(*ragged(0.5))
    assert not verdict.plausible and "no compact shape" in verdict.reason


def atlas_like() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A ring 76 mm wide and 44 mm deep with a small anterior arch."""
    z, y, x = np.indices((50, 80, 100)) - np.array([25, 40, 50]).reshape(3, 1, 1, 1)
    radius = np.sqrt((y / 22) ** 2 + (x / 38) ** 2)
    ring = (radius <= 1) & (radius > 0.75) & (abs(z) <= 7)
    arch = ring & (y < -14) & (abs(x) < 9)
    return ring * 0.97, arch * 0.97, np.where(ring, 500.0, 40.0)


def test_atlas_passes_without_a_body():
    ring, arch, hu = atlas_like()
    assert judged(ring, arch, hu).plausible
    assert judged(ring, arch * 0, hu).plausible


def test_other_masks_without_a_body_are_vetoed():
    vertebra, body, hu = vertebra_like()
    verdict = judged(vertebra, body * 0, hu)
    assert not verdict.plausible and "No vertebral body" in verdict.reason


def test_giant_is_vetoed():
    verdict = judged(*vertebra_like((33, 28, 34)))
    assert not verdict.plausible and "not that of a vertebra" in verdict.reason


def test_empty_mask_is_vetoed():
    empty = np.zeros((20, 20, 20))
    verdict = judged(empty, empty, empty)
    assert not verdict.plausible and verdict.figures is None


def test_mask_at_the_edge_counts_as_cut():
    vertebra, body, hu = vertebra_like()
    ct = CtVolume(hu[:40].astype(np.float32), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    vertebra, body = vertebra.copy(), body.copy()
    vertebra[40:], body[40:] = 0, 0
    assert judge(mask_of(vertebra, body), ct).figures.cut
    assert not judged(*vertebra_like()).figures.cut


@pytest.mark.parametrize(("seen", "plausible"), [(4, False), (9, True)])
def test_a_rim_of_a_vertebra_centred_beyond_the_edge_is_vetoed(seen, plausible):
    vertebra, body, hu = vertebra_like()
    top = 35 - 12 + seen  # the first row beyond the volume; the centre is row 35
    ct = CtVolume(hu[:top].astype(np.float32), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    vertebra, body = vertebra.copy(), body.copy()
    vertebra[top:], body[top:] = 0, 0
    inside, beyond = mask_of(vertebra, body), replace(mask_of(vertebra, body), center_lps_mm=CENTRE)
    assert judge(inside, ct).plausible
    verdict = judge(beyond, ct)
    assert verdict.plausible == plausible
    assert plausible or "Only 4 mm" in verdict.reason


def test_air_is_what_lies_beyond_the_volume():
    seen: list[torch.Tensor] = []

    class Look(nn.Module):
        def forward(self, x):
            seen.append(x.clone())
            return torch.full((1, 2, *x.shape[2:]), -9.0)

    ct = ct_with_boxes([])
    segment(ct, [ct.index_to_lps(np.array([0.0, 40, 48]))], Look(), OPTIONS)
    assert float(seen[0][0, 0, 0].max()) == pytest.approx(AIR)


@pytest.mark.parametrize("tilt_deg", [0, 25])
def test_a_disc_sunk_into_a_biconcave_body_stays_outside_it(tilt_deg):
    z, y, x = np.indices((40, 40, 40)) - 19.5
    angle = np.deg2rad(tilt_deg)
    z, y = np.cos(angle) * z - np.sin(angle) * y, np.sin(angle) * z + np.cos(angle) * y
    from_axis = np.hypot(x, y)
    half_height = np.where(from_axis < 9, 4.0, 10.0)
    body = ((np.abs(z) < half_height) & (from_axis < 13)).astype(np.float32)
    assert np.array_equal(fill_cavities(body, solid=True), body)


def biconcave_body() -> np.ndarray:
    """A body whose endplates have sunk to a waist of 7 mm; rims 22 mm apart."""
    z, y, x = np.mgrid[-16:17, -18:19, -22:23].astype(np.float32)
    half_height = 3.5 + 7.5 * np.minimum((y / 15) ** 2 + (x / 19) ** 2, 1)
    inside = (np.abs(z) < half_height) & (np.abs(y) < 15) & (np.abs(x) < 19)
    return inside.astype(np.float32)


def test_a_gap_in_the_waist_of_a_body_is_filled():
    whole = biconcave_body()
    torn = whole.copy()
    # As networks do it: the middle of the waist is missing, both ends and the sides stand.
    torn[:, 15:21, 17:29] = 0
    filled = fill_gaps(torn)
    missing = (whole > 0.5) & (torn < 0.5)
    # The ball dips into both mouths of the gap, no further; every column of it is bone again.
    assert (filled[missing] == 1).mean() > 0.6
    assert (filled > 0.5).any(0)[15:21, 17:29].all()
    assert (filled[whole < 0.5] > 0.5).sum() < 0.05 * missing.sum()


def test_hollow_endplates_and_small_notches_stay_as_they_are():
    whole = biconcave_body()
    assert fill_gaps(whole) is whole
    notched = whole.copy()
    notched[12:, 17:20, 22] = 0
    assert fill_gaps(notched) is notched
    assert not fill_gaps(np.zeros_like(whole)).any()


def test_cavities_of_a_body_are_filled_even_where_they_open_sideways():
    probability = np.zeros((20, 20, 20), np.float32)
    probability[4:16, 4:16, 4:16] = 0.9
    probability[9:11, 9:11, 9:11] = 0.1
    probability[9:11, 5:7, 4:10] = 0.1
    closed = fill_cavities(probability)
    assert closed[9, 9, 9] == 1 and closed[9, 5, 4] == pytest.approx(0.1)
    solid = fill_cavities(probability, solid=True)
    assert (solid[4:16, 4:16, 4:16] > 0.5).all()
    assert not (solid[:4] > 0).any()
