"""Scales of values: Hounsfield units told from what is off by a factor, a sign or a shift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from simple_ct import simple_ct
from vertebra_core.errors import InputError
from vertebra_core.intensity import Scale, sample_intensities
from vertebra_core.reading import read_ct
from vertebra_core.volume import from_sitk, to_sitk
from vertebra_core.volume_checks import checked_ct

CTS = ["ts_example_ct.nii.gz", "ts_pulmonary_crop_ct.nii.gz", "lidc_0314_ct.nii.gz"]


def scale_of(voxels: np.ndarray) -> Scale:
    return sample_intensities(voxels).scale()


OFF: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "twice": lambda hu: hu.astype(np.int32) * 2,
    "twice, as numbers with a point": lambda hu: hu.astype(np.float32) * 2,
    "ten times": lambda hu: hu.astype(np.int32) * 10,
    "of the other sign": lambda hu: -hu.astype(np.int32),
    "of the other sign, about 1000": lambda hu: 1000 - hu.astype(np.int32),
}


@pytest.mark.parametrize("how", OFF)
def test_units_that_are_off_are_refused(how):
    with pytest.raises(InputError) as caught:
        checked_ct(replace(simple_ct(), hu=OFF[how](simple_ct().hu)))
    assert caught.value.code in ("not_hounsfield", "not_ct")


@pytest.mark.parametrize("how", OFF)
@pytest.mark.parametrize("name", CTS)
def test_public_ct_in_units_that_are_off_are_recognised(shared_data, name, how):
    hu = read_ct(shared_data / "ct" / name).hu
    assert scale_of(hu) is Scale.HOUNSFIELD
    assert scale_of(OFF[how](hu)) in (Scale.UNKNOWN, Scale.MAGNETIC_RESONANCE)


def padded(hu: np.ndarray, value: float) -> np.ndarray:
    result = hu.copy()
    result[:, :3], result[:, -3:] = value, value
    return result


@pytest.mark.parametrize("padding", [-1, -300, -1000, -1024])
def test_shifted_data_are_converted_whatever_they_were_padded_with(padding):
    ct = simple_ct()
    stored = padded(ct.hu + 1024, padding)
    checked = checked_ct(replace(ct, hu=stored))
    assert len(checked.warnings) == 1 and "1024 was subtracted" in checked.warnings[0]
    np.testing.assert_array_equal(checked.hu[:, 3:-3], ct.hu[:, 3:-3])
    assert np.all(checked.hu[:, :3] == -1024)


def test_shifted_data_with_the_ringing_of_splines_are_converted():
    ct = simple_ct(shape_zyx=(24, 160, 176))
    stored = np.maximum(ct.hu.astype(np.float32) + 1024, 0)
    image = to_sitk(replace(ct, hu=stored))
    moved = sitk.Resample(
        image, sitk.TranslationTransform(3, (0.7, 0.9, 0.4)), sitk.sitkBSpline, 0.0
    )
    assert sitk.GetArrayFromImage(moved).min() < -5
    assert "1024 was subtracted" in checked_ct(from_sitk(moved)).warnings[0]


@pytest.mark.parametrize("name", CTS)
@pytest.mark.parametrize("padding", [-1, -1000])
def test_public_ct_that_were_shifted_and_padded_are_recognised(shared_data, name, padding):
    hu = read_ct(shared_data / "ct" / name).hu
    assert scale_of(padded(hu + 1024, padding)) is Scale.UNSIGNED_SHIFTED


def with_metal(hu: np.ndarray) -> np.ndarray:
    """Two rods through the volume, saturated, with dark streaks between them."""
    result = hu.astype(np.int32)
    z, y, x = (n // 2 for n in hu.shape)
    result[:, y - 4 : y + 4, x - 20 : x + 20] -= 1500
    for side in (-12, 12):
        result[:, y - 4 : y + 4, x + side - 4 : x + side + 4] = 3071
    return np.maximum(result, -3000)


def with_padding_lossily_compressed(hu: np.ndarray) -> np.ndarray:
    result = padded(hu, -2000)
    edge = result[:, 3:6]
    edge[...] = -2000 + np.random.default_rng(0).normal(0, 40, edge.shape).astype(np.int16)
    return result


STILL_GOOD: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "metal": with_metal,
    "metal at the end of an extended scale": lambda hu: np.where(
        with_metal(hu) == 3071, 30000, with_metal(hu)
    ),
    "contrast medium": lambda hu: np.where((hu > 20) & (hu < 80), hu + 180, hu),
    "a wide window": lambda hu: np.clip(hu, -450, 1050),
    "a bone window": lambda hu: np.clip(hu, -250, 1250),
    "padding that was compressed with loss": with_padding_lossily_compressed,
    "noise": lambda hu: hu + np.random.default_rng(0).normal(0, 80, hu.shape).astype(np.int16),
}


@pytest.mark.parametrize("what", STILL_GOOD)
@pytest.mark.parametrize("name", CTS)
def test_public_ct_with_what_patients_and_scanners_add_are_still_hounsfield(
    shared_data, name, what
):
    assert scale_of(STILL_GOOD[what](read_ct(shared_data / "ct" / name).hu)) is Scale.HOUNSFIELD


def test_a_ct_without_its_density_scale_is_not_called_mr_alone():
    shifted = (simple_ct().hu.astype(np.int32) + 32768).astype(np.uint16)
    with pytest.raises(InputError, match="MR, or a CT without its density scale") as caught:
        checked_ct(replace(simple_ct(), hu=shifted))
    assert caught.value.code == "not_ct"
