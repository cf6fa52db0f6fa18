"""What the edge of a scan cuts, also where the edge lies inside a padded volume."""

from __future__ import annotations

import numpy as np
import pytest
from vertebra_core.field_of_view import points_at_edge, touches_edge
from vertebra_core.segmentation.segment import VertebraMask
from vertebra_core.volume import CtVolume, LabelVolume

SHAPE = (60, 70, 70)


def box_mask(first_z: int) -> VertebraMask:
    """A body of 25 x 30 x 40 mm, its lowest voxel at `first_z` mm."""
    body = np.zeros(SHAPE, np.float16)
    body[first_z : first_z + 25, 20:50, 15:55] = 1.0
    return VertebraMask((35.0, 35.0, first_z + 12.0), (0, 0, 0), (0.0, 0.0, 0.0), body, body)


def scan(spacing_mm: float = 1.0, noise_hu: float = 15.0) -> CtVolume:
    size = tuple(round(n / spacing_mm) for n in SHAPE)
    tissue = np.random.default_rng(0).normal(40, noise_hu, size)
    return CtVolume(tissue.astype(np.int16), (spacing_mm,) * 3, (0.0, 0.0, 0.0))


@pytest.mark.parametrize(("first_z", "cut"), [(0, True), (1, True), (4, False), (35, True)])
def test_a_body_at_the_edge_is_cut(first_z, cut):
    mask = box_mask(first_z)
    assert touches_edge(mask.body, mask, scan()) is cut


@pytest.mark.parametrize("slice_mm", [1.0, 3.0, 5.0])
def test_a_body_that_reaches_the_outermost_slice_is_cut_however_thick_slices_are(slice_mm):
    # Networks see nothing beyond the centre of that slice, so a mask ends there.
    count = int(50 / slice_mm)
    tissue = np.full((count, 70, 70), 40, np.int16)
    top_mm = (count - 1) * slice_mm
    mask = box_mask(int(top_mm) - 24)
    for gap_mm, cut in ((0.0, True), (3.0, False)):
        ct = CtVolume(tissue, (1.0, 1.0, slice_mm), (0.0, 0.0, gap_mm))
        assert touches_edge(mask.body, mask, ct) is cut


@pytest.mark.parametrize("padding_hu", [-1024, -1000])
@pytest.mark.parametrize("spacing_mm", [0.6, 1.0, 1.5])
@pytest.mark.parametrize(("gap_mm", "cut"), [(1, True), (8, False)])
def test_padding_is_an_edge(padding_hu, spacing_mm, gap_mm, cut):
    # A resampled scan: what lay outside the field of view was filled with air.
    mask, ct = box_mask(20), scan(spacing_mm)
    ct.hu[: round((20 - gap_mm) / spacing_mm)] = padding_hu
    assert touches_edge(mask.body, mask, ct) is cut


def test_slanted_padding_is_an_edge():
    mask, ct = box_mask(20), scan()
    z, y, _ = np.indices(ct.hu.shape)
    ct.hu[z < 8 + 0.3 * y] = -1024
    assert touches_edge(mask.body, mask, ct)


def test_a_label_map_ends_at_its_sides_only():
    labels = LabelVolume(np.zeros(SHAPE, np.uint8), (1.0,) * 3, (0.0,) * 3)
    for first_z, cut in ((0, True), (4, False)):
        mask = box_mask(first_z)
        assert touches_edge(mask.body, mask, labels) is cut


def test_lung_beside_a_body_is_no_edge():
    mask, ct = box_mask(20), scan()
    lung = np.random.default_rng(1).normal(-900, 120, ct.hu.shape)
    ct.hu[:, :, 56:] = np.maximum(lung, -1024).astype(np.int16)[:, :, 56:]
    assert (ct.hu == -1024).mean() > 0.01
    assert not touches_edge(mask.body, mask, ct)


def test_where_the_edge_cuts_is_told():
    mask, ct = box_mask(0), scan()
    points = points_at_edge(mask.body, mask, ct)
    assert points[:, 2].max() <= 1.0
    assert np.ptp(points[:, 0]) == 39 and np.ptp(points[:, 1]) == 29
    ct.hu[:, :, 54:] = -1024  # padding at the left side
    more = points_at_edge(mask.body, mask, ct)
    assert more[:, 0].max() >= 53 and more[:, 2].max() == 24
