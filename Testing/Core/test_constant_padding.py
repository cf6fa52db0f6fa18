"""Padding with another value than air: found, made air, and said so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from simple_ct import simple_ct
from vertebra_core.constant_padding import without_padding
from vertebra_core.reading import read_ct
from vertebra_core.volume import AIR_HU, CtVolume, from_sitk, to_sitk
from vertebra_core.volume_checks import checked_ct

CTS = ["ts_example_ct.nii.gz", "ts_pulmonary_crop_ct.nii.gz", "lidc_0314_ct.nii.gz"]


def trunk(noise_hu: float = 12.0) -> CtVolume:
    """A crop without air, so that its corners are fat and muscle."""
    ct = simple_ct(shape_zyx=(40, 80, 88))
    hu = ct.hu[:, 12:68, 26:62].copy()
    if not noise_hu:
        hu = np.select([hu > 450, hu > 110, hu > -30], [700, 180, 45], -100).astype(np.int16)
    return replace(ct, hu=hu)


def rotated(ct: CtVolume, fill: float) -> CtVolume:
    turn = sitk.Euler3DTransform(ct.corners_lps_mm().mean(0).tolist(), 0.2, 0.1, 0.15)
    return from_sitk(sitk.Resample(to_sitk(ct), turn, sitk.sitkLinear, fill))


@pytest.mark.parametrize("value", [0, 40, -120, 3000, 32767])
@pytest.mark.parametrize("first_slices", [1, 12])
def test_slices_of_one_value_become_air_and_are_told(value, first_slices):
    ct = trunk()
    ct.hu[:first_slices] = value
    before = ct.hu.copy()
    checked = checked_ct(ct)
    assert len(checked.warnings) == 1
    assert f"filled up with {value} HU" in checked.warnings[0]
    assert np.all(checked.hu[:first_slices] == AIR_HU)
    inside = checked.hu[first_slices:]
    assert np.mean(inside != before[first_slices:]) < 0.005
    np.testing.assert_array_equal(ct.hu, before)
    assert checked_ct(checked).warnings == checked.warnings


def test_what_rotating_filled_up_becomes_air():
    ct = trunk()
    turned = rotated(ct, 0)
    as_wanted = rotated(ct, AIR_HU).hu
    outside = as_wanted == AIR_HU
    assert 0.05 < outside.mean() < 0.6
    found = checked_ct(turned).hu == AIR_HU
    assert found[outside].mean() > 0.99
    assert found[~outside].mean() < 0.01


def test_values_above_sixteen_bits_are_padding_too():
    hu = trunk().hu.astype(np.int32)
    hu[:4] = 65535
    assert np.all(checked_ct(replace(trunk(), hu=hu)).hu[:4] == AIR_HU)


def test_two_values_of_padding_are_both_found():
    ct = trunk()
    ct.hu[:3], ct.hu[-3:] = 0, 500
    hu, values = without_padding(ct.hu)
    assert values == (0, 500)
    assert np.all(hu[:3] == AIR_HU) and np.all(hu[-3:] == AIR_HU)


def test_an_image_without_noise_is_not_taken_for_padding():
    ct = trunk(noise_hu=0)
    assert checked_ct(ct).hu is ct.hu


def test_an_implant_at_the_edge_is_no_padding():
    ct = trunk()
    ct.hu[:20, :12, :12] = 3071
    assert checked_ct(ct).hu is ct.hu


def test_air_and_lung_at_the_lower_end_of_a_window_are_no_padding():
    ct = trunk()
    ct.hu[:, :, :12] = -200
    assert checked_ct(ct).hu is ct.hu


def test_air_is_left_as_it_is():
    ct = trunk()
    ct.hu[:10] = -1000
    assert checked_ct(ct).hu is ct.hu


@pytest.mark.parametrize("name", CTS)
def test_public_ct_and_crops_of_them_hold_no_padding(shared_data, name):
    ct = read_ct(shared_data / "ct" / name)
    rng = np.random.default_rng(0)
    for _ in range(20):
        low = [int(rng.integers(0, n // 2)) for n in ct.hu.shape]
        crop = ct.hu[tuple(slice(a, a + n // 2) for a, n in zip(low, ct.hu.shape, strict=True))]
        assert without_padding(crop)[1] == ()


@pytest.mark.parametrize("interpolator", [sitk.sitkNearestNeighbor, sitk.sitkBSpline])
def test_padding_of_a_public_ct_is_found_however_it_was_resampled(shared_data, interpolator):
    image = sitk.ReadImage(str(shared_data / "ct" / CTS[0]))
    grid = sitk.Image([220, 200, 90], sitk.sitkInt16)
    grid.SetDirection(image.GetDirection())
    grid.SetSpacing([1.5, 1.5, 3.0])
    grid.SetOrigin(image.TransformContinuousIndexToPhysicalPoint([8, 12, 40]))
    moved = sitk.Resample(image, grid, sitk.Transform(), interpolator, 0.0, sitk.sitkInt16)
    hu, values = without_padding(sitk.GetArrayFromImage(moved))
    assert values == (0,)
    assert np.all(hu[75:] == AIR_HU)
