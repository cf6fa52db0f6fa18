"""NIfTI headers that contradict themselves, leave things out, or lie in a file of their own."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from refusals import refusal
from simple_ct import OBLIQUE, simple_ct
from vertebra_core.reading import read_ct, read_label_map
from vertebra_core.volume import CtVolume, same_grid, to_sitk

CT = simple_ct(spacing_xyz_mm=(2.0, 2.5, 3.0), direction=OBLIQUE)
DATATYPE, BITPIX, PIXDIM, OFFSET, UNITS = 70, 72, 76, 108, 123
QFORM_CODE, SFORM_CODE, QOFFSET, SFORM, MAGIC = 252, 254, 268, 280, 344


def nifti(path: Path, **changes: tuple[str, object]) -> Path:
    """Write `CT`, then put values at places of the header: ``NAME=(format, value or values)``."""
    sitk.WriteImage(to_sitk(CT), str(path))
    return changed(path, **changes)


def changed(path: Path, **changes: tuple[str, object]) -> Path:
    data = bytearray(path.read_bytes())
    for name, (form, value) in changes.items():
        values = np.ravel(value).tolist() if form != "4s" else [value]
        struct.pack_into("<" + form, data, globals()[name], *values)
    path.write_bytes(data)
    return path


def sform_of(path: Path) -> np.ndarray:
    return np.reshape(struct.unpack_from("<12f", path.read_bytes(), SFORM), (3, 4))


def same(ct: CtVolume) -> bool:
    return np.array_equal(ct.hu, CT.hu) and same_grid(ct, CT, 0.01)


@pytest.mark.parametrize("name", ["ct.img", "ct.hdr", "ct.img.gz"])
def test_a_pair_of_header_and_voxels_is_read(tmp_path, name):
    path = nifti(tmp_path / name)
    ct = read_ct(path)
    assert same(ct) and ct.warnings == ()


@pytest.mark.parametrize("name", ["ct.img", "ct.hdr"])
def test_voxels_of_a_pair_that_were_cut_short_are_refused(tmp_path, name):
    nifti(tmp_path / "ct.hdr")
    voxels = tmp_path / "ct.img"
    voxels.write_bytes(voxels.read_bytes()[:40000])
    for read in (read_ct, read_label_map):
        assert refusal(tmp_path / name, read).code == "truncated"
    voxels.unlink()
    assert "ct.img" in refusal(tmp_path / "ct.hdr").message


def test_values_of_a_pair_that_are_no_numbers_are_refused(tmp_path):
    hu = CT.hu.astype(np.float32)
    hu[3, 4, 5] = np.nan
    image = sitk.GetImageFromArray(hu)
    image.CopyInformation(to_sitk(CT))
    sitk.WriteImage(image, str(tmp_path / "ct.hdr"))
    assert refusal(tmp_path / "ct.hdr").code == "not_finite"


@pytest.mark.parametrize("name", ["ct.hdr", "ct.nii"])
def test_an_analyze_file_is_refused_as_it_has_no_orientation(tmp_path, name):
    path = nifti(tmp_path / name, MAGIC=("4s", b"\0\0\0\0"))
    error = refusal(path)
    assert error.code == "other_format" and "orientation" in error.message


def test_a_nifti_that_states_no_orientation_is_read_with_a_warning(tmp_path):
    path = nifti(tmp_path / "ct.nii", QFORM_CODE=("2h", (0, 0)))
    (warning,) = read_ct(path).warnings
    assert "does not state its orientation" in warning


def turned(degrees: float, mirrored: bool = False) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.diag([-1 if mirrored else 1, 1, 1])


@pytest.mark.parametrize(("degrees", "mirrored"), [(180, False), (20, False), (0, True)])
def test_two_orientations_that_differ_are_told(tmp_path, degrees, mirrored):
    path = nifti(tmp_path / "ct.nii")
    sform = turned(degrees, mirrored) @ sform_of(path)
    ct = read_ct(changed(path, SFORM=("12f", sform)))
    (warning,) = ct.warnings
    assert "sform was used" in warning
    last = np.asarray(CT.size_xyz) - 1
    expected = (sform[:, :3] @ last + sform[:, 3]) * [-1, -1, 1]
    np.testing.assert_allclose(ct.index_to_lps(last[::-1]), expected, atol=0.01)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (1, 1), (1, 2)])
def test_an_orientation_that_is_stated_once_or_twice_alike_is_taken_as_it_is(
    tmp_path, codes, mirrored
):
    axes = np.reshape(OBLIQUE, (3, 3)) @ np.diag([-1 if mirrored else 1, 1, 1])
    image = to_sitk(CT)
    image.SetDirection(axes.ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / "ct.nii"))
    ct = read_ct(changed(tmp_path / "ct.nii", QFORM_CODE=("2h", codes)))
    assert ct.warnings == ()
    np.testing.assert_allclose(ct.direction, axes.ravel(), atol=1e-5)


@pytest.mark.parametrize(("code", "mm"), [(1, 1000.0), (3, 0.001)])
def test_a_nifti_in_metres_or_micrometres_is_read(tmp_path, code, mm):
    path = nifti(tmp_path / "ct.nii", UNITS=("B", code))
    head = path.read_bytes()
    scaled = {}
    for name, at, count in (("SFORM", SFORM, 12), ("QOFFSET", QOFFSET, 3)):
        scaled[name] = (f"{count}f", np.divide(struct.unpack_from(f"<{count}f", head, at), mm))
    pixdim = np.array(struct.unpack_from("<8f", head, PIXDIM))
    pixdim[1:4] /= mm
    ct = read_ct(changed(path, PIXDIM=("8f", pixdim), **scaled))
    assert same(ct) and ct.warnings == ()


@pytest.mark.parametrize("offset", [np.nan, np.inf, -np.inf])
def test_an_offset_that_is_no_number_is_refused(tmp_path, offset):
    assert refusal(nifti(tmp_path / "ct.nii", OFFSET=("f", offset))).code == "unreadable"


@pytest.mark.parametrize("codes", [(1, 0), (1, 1)])
@pytest.mark.parametrize("spacing_mm", [0.0, np.nan])
def test_a_nifti_that_does_not_tell_the_voxel_size_is_refused(tmp_path, codes, spacing_mm):
    pixdim = (1, 3.0, 3.0, spacing_mm, 0, 0, 0, 0)
    path = nifti(tmp_path / "ct.nii", PIXDIM=("8f", pixdim), QFORM_CODE=("2h", codes))
    error = refusal(path)
    assert error.code == "bad_spacing" and "does not tell the voxel size" in error.message


def test_missing_voxels_are_found_also_where_the_header_tells_their_bits_wrongly(tmp_path):
    path = nifti(tmp_path / "ct.nii", BITPIX=("h", 8))
    path.write_bytes(path.read_bytes()[:60000])
    assert refusal(path).code == "truncated"


def test_a_compressed_nifti_under_another_name_is_told_as_such(tmp_path):
    path = nifti(tmp_path / "ct.nii")
    path.write_bytes(gzip.compress(path.read_bytes()))
    error = refusal(path)
    assert error.code == "bad_name" and "ct.nii.gz" in error.hint
    path.rename(tmp_path / "ct.nii.gz")
    assert same(read_ct(tmp_path / "ct.nii.gz"))


def test_voxels_of_an_unknown_kind_are_named(tmp_path):
    error = refusal(nifti(tmp_path / "ct.nii", DATATYPE=("h", 99)))
    assert error.code == "unreadable" and "99" in error.message
