"""Every input that cannot be analysed is refused with one sentence; odd ones are named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from simple_ct import simple_ct, simple_mr
from vertebra_core.errors import InputError
from vertebra_core.intensity import Scale, sample_intensities
from vertebra_core.reading import read_ct
from vertebra_core.volume import CtVolume, to_sitk
from vertebra_core.volume_checks import check_grid, checked_ct


def write(image: sitk.Image, path: Path) -> Path:
    sitk.WriteImage(image, str(path))
    return path


def image(change: Callable[[np.ndarray], np.ndarray] | None = None) -> sitk.Image:
    ct = simple_ct()
    return to_sitk(ct if change is None else replace(ct, hu=change(ct.hu)))


def spaced(spacing_xyz_mm: tuple[float, float, float]) -> sitk.Image:
    result = image()
    result.SetSpacing(spacing_xyz_mm)
    return result


def cut_short(path: Path, share: float = 0.6) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def flipped_byte(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    return path


def bytes_file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def with_nan(hu: np.ndarray) -> np.ndarray:
    result = hu.astype(np.float32)
    result[3, 4, 5] = np.nan
    return result


def with_infinity(hu: np.ndarray) -> np.ndarray:
    result = hu.astype(np.float32)
    result[3, 4, 5] = -np.inf
    return result


def as_labels(hu: np.ndarray) -> np.ndarray:
    return np.select([hu > 400, hu > 110], [20, 21], 0).astype(np.uint8)


def many_labels(hu: np.ndarray) -> np.ndarray:
    z, y, x = np.indices(hu.shape)
    return ((z // 4) * 16 + (y // 10) * 4 + x // 11).astype(np.uint8)


def windowed_to_8_bit(hu: np.ndarray) -> np.ndarray:
    return np.clip((hu + 160) * 255.0 / 400, 0, 255).astype(np.uint8)


def noise(hu: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, hu.shape).astype(np.float32)


BAD_INPUTS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "missing": ("not_found", lambda d: d / "no.nii.gz"),
    "empty file": ("empty_file", lambda d: bytes_file(d / "ct.nii.gz", b"")),
    "empty nrrd": ("empty_file", lambda d: bytes_file(d / "ct.nrrd", b"")),
    "text named nii": ("unreadable", lambda d: bytes_file(d / "ct.nii", b"hello" * 200)),
    "text named nii.gz": ("unreadable", lambda d: bytes_file(d / "ct.nii.gz", b"hello" * 200)),
    "random mha": ("unreadable", lambda d: bytes_file(d / "ct.mha", bytes(range(256)) * 9)),
    "text named dcm": ("unreadable", lambda d: bytes_file(d / "ct.dcm", b"hello" * 200)),
    "text": ("unreadable", lambda d: bytes_file(d / "readme.txt", b"hello")),
    "folder without images": ("no_dicom", lambda d: d),
    "truncated nii": ("truncated", lambda d: cut_short(write(image(), d / "ct.nii"))),
    "truncated nii.gz": ("truncated", lambda d: cut_short(write(image(), d / "ct.nii.gz"))),
    "nii.gz without its end": (
        "truncated",
        lambda d: cut_short(write(image(), d / "ct.nii.gz"), 0.999),
    ),
    "truncated nrrd": ("unreadable", lambda d: cut_short(write(image(), d / "ct.nrrd"))),
    "truncated mha": ("unreadable", lambda d: cut_short(write(image(), d / "ct.mha"))),
    "damaged nii.gz": ("truncated", lambda d: flipped_byte(write(image(), d / "ct.nii.gz"))),
    "header only": ("truncated", lambda d: cut_short(write(image(), d / "ct.nii"), 0.005)),
    "MR": ("not_ct", lambda d: write(to_sitk(simple_mr()), d / "mr.nii.gz")),
    "MR as float": (
        "not_ct",
        lambda d: write(sitk.Cast(to_sitk(simple_mr()), sitk.sitkFloat32), d / "mr.nrrd"),
    ),
    "MR stretched to 12 bit": (
        "not_ct",
        lambda d: write(sitk.Cast(to_sitk(simple_mr()) * 2, sitk.sitkUInt16), d / "mr.mha"),
    ),
    "label map": ("label_map", lambda d: write(image(as_labels), d / "seg.nii.gz")),
    "label map as float": (
        "label_map",
        lambda d: write(image(lambda hu: as_labels(hu).astype(np.float64)), d / "seg.nii.gz"),
    ),
    "label map of many organs": (
        "label_map",
        lambda d: write(image(many_labels), d / "seg.nii.gz"),
    ),
    "RGB": ("not_scalar", lambda d: write(sitk.Compose([image(as_labels)] * 3), d / "c.nrrd")),
    "vector": ("not_scalar", lambda d: write(sitk.Compose([image()] * 2), d / "v.nii.gz")),
    "4D": ("four_dimensional", lambda d: write(sitk.JoinSeries([image()] * 2), d / "t.nii.gz")),
    "2D": ("two_dimensional", lambda d: write(image()[:, :, 5], d / "slice.nii.gz")),
    "picture": ("other_format", lambda d: write(image(as_labels)[:, :, 5], d / "slice.png")),
    "one slice": ("one_slice", lambda d: write(image()[:, :, 5:6], d / "slice.nii.gz")),
    "one sagittal slice": ("one_slice", lambda d: write(image()[5:6, :, :], d / "slice.nrrd")),
    "0.1 mm spacing": ("bad_spacing", lambda d: write(spaced((0.1, 0.1, 0.1)), d / "ct.nii.gz")),
    "0.1 mm in plane": ("bad_spacing", lambda d: write(spaced((0.1, 0.1, 1)), d / "ct.nii.gz")),
    "20 mm spacing": ("bad_spacing", lambda d: write(spaced((1, 1, 20)), d / "ct.nii.gz")),
    "metres": ("bad_spacing", lambda d: write(spaced((1e-3, 1e-3, 1e-3)), d / "ct.nrrd")),
    "a few voxels": ("too_small", lambda d: write(image()[:3, :, :], d / "ct.nii.gz")),
    "NaN": ("not_finite", lambda d: write(image(with_nan), d / "ct.nii.gz")),
    "infinite": ("not_finite", lambda d: write(image(with_infinity), d / "ct.nrrd")),
    "all zero": ("empty", lambda d: write(image(np.zeros_like), d / "ct.nii.gz")),
    "all -1024": ("empty", lambda d: write(image(lambda hu: hu * 0 - 1024), d / "ct.nii.gz")),
    "all air": (
        "all_air",
        lambda d: write(image(lambda hu: (hu % 30 - 1010).astype(np.int16)), d / "ct.nii.gz"),
    ),
    "8-bit": ("eight_bit", lambda d: write(image(windowed_to_8_bit), d / "ct.nii.gz")),
    "8-bit in 16": (
        "eight_bit",
        lambda d: write(image(lambda hu: windowed_to_8_bit(hu).astype(np.int16)), d / "ct.mha"),
    ),
    "normalised": (
        "not_hounsfield",
        lambda d: write(image(lambda hu: (hu / 1000).astype(np.float32)), d / "ct.nii.gz"),
    ),
    "0 to 1": (
        "not_hounsfield",
        lambda d: write(image(lambda hu: ((hu + 1050) / 3000).astype(np.float32)), d / "c.mha"),
    ),
    "noise": ("not_hounsfield", lambda d: write(image(noise), d / "ct.nii.gz")),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_input_is_refused_with_one_sentence_and_a_hint(case, tmp_path):
    code, make = BAD_INPUTS[case]
    path = make(tmp_path)
    with pytest.raises(InputError) as caught:
        read_ct(path)
    error = caught.value
    assert (error.code, error.exit_code) == (code, 2)
    assert error.message.endswith(".") and "\n" not in error.message and len(error.message) < 220
    assert error.hint.endswith(".") and "\n" not in error.hint


def test_a_good_ct_passes_without_warnings():
    ct = simple_ct()
    checked = checked_ct(ct)
    assert checked.hu is ct.hu
    assert checked.warnings == ()


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_values_become_int16_and_padding_becomes_air(dtype):
    hu = simple_ct().hu.astype(dtype)
    hu[:, :3] = -3024
    if np.issubdtype(dtype, np.floating):
        hu += 0.3
    checked = checked_ct(replace(simple_ct(), hu=hu))
    assert checked.hu.dtype == np.int16
    assert np.all(checked.hu[:, :3] == -1024)
    inside = simple_ct().hu[:, 3:]
    np.testing.assert_array_equal(checked.hu[:, 3:], np.maximum(inside, -1024))


def test_values_above_int16_are_held_at_its_end():
    hu = simple_ct().hu.astype(np.int32)
    hu[10, 10, 10] = 70000
    assert checked_ct(replace(simple_ct(), hu=hu)).hu[10, 10, 10] == 32767


@pytest.mark.parametrize(
    ("dtype", "padding"),
    [(np.uint16, 0), (np.int16, 0), (np.int16, -2000), (np.float32, -2000)],
)
def test_unsigned_shifted_data_are_converted_and_named(dtype, padding):
    ct = simple_ct()
    stored = np.maximum(ct.hu.astype(np.int32) + 1024, 0)
    stored[:, :2] = padding
    checked = checked_ct(replace(ct, hu=stored.astype(dtype)))
    assert len(checked.warnings) == 1
    assert "1024 was subtracted" in checked.warnings[0]
    np.testing.assert_array_equal(checked.hu[:, 2:], np.maximum(ct.hu, -1024)[:, 2:])
    assert np.all(checked.hu[:, :2] == -1024)
    again = checked_ct(checked)
    assert again.warnings == checked.warnings
    np.testing.assert_array_equal(again.hu, checked.hu)


def test_a_crop_without_air_or_lung_is_still_hounsfield():
    hu = simple_ct(shape_zyx=(60, 60, 60)).hu[15:45, 24:52, 20:40]
    assert hu.min() > -300
    assert sample_intensities(hu).scale() is Scale.HOUNSFIELD


@pytest.mark.parametrize(
    ("spacing", "accepted"), [(0.16, True), (0.14, False), (6, True), (6.1, False)]
)
def test_limits_of_spacing(spacing, accepted):
    def check():
        check_grid((100, 100, 100), (1.0, 1.0, spacing), (1, 0, 0, 0, 1, 0, 0, 0, 1))

    if accepted:
        check()
        return
    with pytest.raises(InputError, match="voxel size"):
        check()


def test_thick_slices_are_accepted_with_a_warning():
    checked = checked_ct(replace(simple_ct(), spacing_xyz_mm=(1.0, 1.0, 5.0)))
    assert len(checked.warnings) == 1
    assert "uncertain above 3 mm" in checked.warnings[0]


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("ceiling_hu", [300, 500])
def test_high_values_that_were_cut_off_are_accepted_with_a_warning(ceiling_hu, dtype):
    hu = np.clip(simple_ct().hu, -200, ceiling_hu)
    checked = checked_ct(replace(simple_ct(), hu=hu.astype(dtype)))
    assert len(checked.warnings) == 1
    assert f"above {ceiling_hu} HU were cut off" in checked.warnings[0]
    assert checked_ct(checked).warnings == checked.warnings


def test_cut_off_values_are_told_in_hounsfield_units_where_they_were_stored_shifted():
    stored = (np.minimum(simple_ct().hu, 300).astype(np.int32) + 1024).astype(np.uint16)
    checked = checked_ct(replace(simple_ct(), hu=stored))
    assert len(checked.warnings) == 2 and "above 300 HU" in checked.warnings[1]
    assert checked_ct(checked).warnings == checked.warnings


def test_metal_at_the_end_of_a_scanner_s_scale_is_not_cut_off():
    hu = simple_ct().hu.copy()
    hu[8:16, 20:28, 20:26] = 3071
    assert checked_ct(replace(simple_ct(), hu=hu)).warnings == ()


@pytest.mark.parametrize("direction", [(1, 0, 0, 1, 0, 0, 0, 0, 1), (float("nan"),) * 9])
def test_axes_that_do_not_span_space_are_refused(direction):
    with pytest.raises(InputError) as caught:
        check_grid((50, 50, 50), (1.0, 1.0, 1.0), direction)
    assert caught.value.code == "bad_direction"


def test_too_many_voxels_are_refused_before_they_are_read():
    with pytest.raises(InputError) as caught:
        check_grid((2048, 2048, 2000), (0.5, 0.5, 0.5), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    assert caught.value.code == "too_large"


def test_arrays_with_other_dimensions_are_refused():
    with pytest.raises(InputError) as caught:
        checked_ct(CtVolume(np.zeros((2, 20, 20, 20), np.int16), (1.0,) * 3, (0.0,) * 3))
    assert caught.value.code == "four_dimensional"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("lidc2_chest_8bit.mha", "eight_bit"),
        ("ts_example_labels_totalseg.nii.gz", "label_map"),
        ("ts_example_vertebrae_body.nii.gz", "label_map"),
    ],
)
def test_public_files_that_are_no_ct_are_named(shared_data, name, code):
    with pytest.raises(InputError) as caught:
        read_ct(shared_data / "ct" / name)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["ts_example_ct.nii.gz", "ts_pulmonary_crop_ct.nii.gz"])
def test_public_ct_without_their_dense_bone_are_named(shared_data, name):
    ct = read_ct(shared_data / "ct" / name)
    for ceiling_hu in (300, 500):
        cut = checked_ct(replace(ct, hu=np.minimum(ct.hu, ceiling_hu)))
        assert f"above {ceiling_hu} HU" in cut.warnings[0]


@pytest.mark.parametrize("name", ["ts_example_ct.nii.gz", "ts_pulmonary_crop_ct.nii.gz"])
def test_public_ct_pass_and_are_recognised_when_shifted(shared_data, name):
    ct = read_ct(shared_data / "ct" / name)
    assert ct.warnings == ()
    shifted = checked_ct(replace(ct, hu=(ct.hu.astype(np.int32) + 1024).astype(np.uint16)))
    assert "1024 was subtracted" in shifted.warnings[0]
    np.testing.assert_array_equal(shifted.hu, ct.hu)


def test_crops_down_to_one_vertebra_of_a_public_ct_pass(shared_data):
    ct = read_ct(shared_data / "ct" / "ts_example_ct.nii.gz")
    bodies = sitk.ReadImage(str(shared_data / "ct" / "ts_example_vertebral_bodies_by_level.nii.gz"))
    bodies = sitk.GetArrayFromImage(bodies)
    for level in range(19, 25):
        middle = np.argwhere(bodies == level).mean(0).astype(int)
        crop = ct.hu[tuple(slice(max(0, m - 7), m + 8) for m in middle)]
        assert sample_intensities(crop).scale() is Scale.HOUNSFIELD, level
