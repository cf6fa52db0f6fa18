"""Reading CT from files: the voxels, their place, and what is said about them."""

from __future__ import annotations

import gzip
import os
import struct
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from simple_ct import FEET_FIRST, OBLIQUE, SAGITTAL, ball, shape_of_ball, simple_ct
from vertebra_core.errors import InputError
from vertebra_core.nifti_header import check_nifti
from vertebra_core.reading import read_ct
from vertebra_core.volume import CtVolume, same_grid, to_sitk
from vertebra_core.volume_source import NAME_FIELD, VolumeSource, name_of

MIRRORED = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("direction", [OBLIQUE, FEET_FIRST, MIRRORED, SAGITTAL])
def test_formats_keep_voxels_and_geometry(tmp_path, suffix, direction):
    ct = simple_ct(spacing_xyz_mm=(0.9, 1.1, 2.5), direction=direction)
    folder = tmp_path / "mit Leerzeichen und Umlaut ä"
    folder.mkdir()
    path = folder / f"wirbelsäule{suffix}"
    sitk.WriteImage(to_sitk(ct), str(path))
    again = read_ct(path)
    np.testing.assert_array_equal(again.hu, ct.hu)
    assert same_grid(again, ct, 0.001)
    assert again.warnings == ()


@pytest.mark.parametrize("name", ["wirbelsäule 1.nii.gz", "ct.nrrd"])
def test_the_name_of_the_file_is_told_without_its_path(tmp_path, name):
    sitk.WriteImage(to_sitk(simple_ct()), str(tmp_path / name))
    assert read_ct(tmp_path / name).source == VolumeSource(name)


@pytest.mark.skipif(sys.platform != "linux", reason="Other systems' names are always text")
def test_a_name_that_is_no_text_can_be_written_all_the_same(tmp_path):
    assert name_of(tmp_path / os.fsdecode(b"m\xfcller.nii")) == "m?ller.nii"
    assert name_of(Path("/")) is None


def test_a_passing_copy_tells_the_name_of_what_it_is_a_copy_of(tmp_path):
    image = to_sitk(simple_ct())
    image.SetMetaData(NAME_FIELD, "Chest 1.0")
    sitk.WriteImage(image, str(tmp_path / "copy.nrrd"))
    assert read_ct(tmp_path / "copy.nrrd").source == VolumeSource("Chest 1.0")


def test_a_gzip_file_of_two_members_with_zeros_behind_is_whole(tmp_path):
    sitk.WriteImage(to_sitk(simple_ct()), str(tmp_path / "ct.nii"))
    data = (tmp_path / "ct.nii").read_bytes()
    parts = gzip.compress(data[:5000]) + gzip.compress(data[5000:])
    whole = tmp_path / "ct.nii.gz"
    whole.write_bytes(parts + bytes(700))
    assert check_nifti(whole).n_bytes == len(data)
    whole.write_bytes(parts[:-9])
    with pytest.raises(InputError) as refused:
        check_nifti(whole)
    assert refused.value.code == "truncated"


def test_values_that_are_no_numbers_are_counted_wherever_they_stand(tmp_path):
    ct = simple_ct()
    path = tmp_path / "ct.nii.gz"
    for index in (0, -1):
        hu = ct.hu.astype(np.float64)
        hu.flat[index] = np.nan
        image = to_sitk(replace(ct, hu=hu))
        sitk.WriteImage(image, str(path))
        with pytest.raises(InputError) as refused:
            check_nifti(path)
        assert refused.value.code == "not_finite"


def with_slanted_sform(path: Path, ct: CtVolume, qform_code: int) -> None:
    """Write `ct` with each slice 0.3 mm further back than the one below."""
    sitk.WriteImage(to_sitk(ct), str(path))
    data = bytearray(path.read_bytes())
    rows = np.array(struct.unpack_from("<12f", data, 280)).reshape(3, 4)
    rows[1, 2] -= 0.3
    struct.pack_into("<12f", data, 280, *rows.ravel())
    struct.pack_into("<f", data, 88, np.linalg.norm(rows[:, 2]))
    struct.pack_into("<2h", data, 252, qform_code, 1)
    path.write_bytes(data)


def test_a_slanted_nifti_is_straightened_and_said_so(tmp_path):
    ct, _ = ball((50, 60, 56), (1.0, 1.0, 1.5), 18.0)
    with_slanted_sform(tmp_path / "tilted.nii", ct, qform_code=1)
    straight = read_ct(tmp_path / "tilted.nii")
    assert len(straight.warnings) == 1
    assert "tilted by 11.3 degrees" in straight.warnings[0]
    axes = np.asarray(straight.direction).reshape(3, 3)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-6)
    _, spread = shape_of_ball(straight)
    _, upright = shape_of_ball(ct)
    sheared = np.array([[1, 0, 0], [0, 1, 0.2], [0, 0, 1]])
    np.testing.assert_allclose(spread, sheared @ upright @ sheared.T, atol=1.0)


def test_a_slanted_nifti_without_other_axes_is_refused_by_name(tmp_path):
    ct, _ = ball((50, 60, 56), (1.0, 1.0, 1.5), 18.0)
    with_slanted_sform(tmp_path / "tilted.nii", ct, qform_code=0)
    with pytest.raises(InputError, match="slanted by 11.3 degrees") as caught:
        read_ct(tmp_path / "tilted.nii")
    assert caught.value.code == "bad_direction"
    assert "DICOM" in caught.value.hint


def test_a_nifti_whose_header_contradicts_itself_is_refused(tmp_path):
    path = tmp_path / "ct.nii"
    sitk.WriteImage(to_sitk(simple_ct()), str(path))
    data = bytearray(path.read_bytes())
    struct.pack_into("<4f", data, 312, 0, 0, 9.0, 0)
    struct.pack_into("<2h", data, 252, 0, 1)
    path.write_bytes(data)
    with pytest.raises(InputError, match="contradicts itself"):
        read_ct(path)


@pytest.mark.parametrize(
    ("name", "size_xyz", "spacing_mm"),
    [
        ("ts_example_ct.nii.gz", (122, 101, 112), 3.0),
        ("ts_pulmonary_crop_ct.nii.gz", (122, 102, 112), 1.5),
        ("lidc_0314_ct.nii.gz", (265, 280, 275), 1.0),
    ],
)
def test_public_ct_are_read_without_warnings(shared_data, name, size_xyz, spacing_mm):
    ct = read_ct(shared_data / "ct" / name)
    assert (ct.size_xyz, ct.warnings, ct.hu.dtype) == (size_xyz, (), np.int16)
    assert ct.spacing_xyz_mm == pytest.approx((spacing_mm,) * 3)
    assert ct.hu.min() >= -1024
