"""MetaImage and NRRD files that are read wrongly by the library, and names no library can open."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from refusals import refusal
from simple_ct import FEET_FIRST, simple_ct
from vertebra_core.reading import read_ct, read_label_map
from vertebra_core.volume import same_grid, to_sitk

CT = simple_ct(direction=FEET_FIRST)
LABELS = simple_ct(direction=FEET_FIRST)
LABELS.hu[...] = np.where(LABELS.hu > 110, 20, 0)
NO_ORIENTATION = "does not state its orientation"


def written(path: Path, compressed: bool = False, image: sitk.Image | None = None) -> Path:
    sitk.WriteImage(image or to_sitk(CT), str(path), useCompression=compressed)
    return path


def with_header(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    return path


def without_line(path: Path, key: bytes) -> Path:
    head, colon, rest = path.read_bytes().partition(key)
    assert colon
    path.write_bytes(head + rest.partition(b"\n")[2])
    return path


@pytest.mark.parametrize("name", ["ct.mha", "ct.mhd"])
@pytest.mark.parametrize("at", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("read", [read_ct, read_label_map])
def test_a_damaged_compressed_metaimage_is_refused(tmp_path, name, at, read):
    path = written(tmp_path / name, True, to_sitk(CT if read is read_ct else LABELS))
    read(path)
    voxels = path if path.suffix == ".mha" else path.with_suffix(".zraw")
    data = bytearray(voxels.read_bytes())
    start = data.find(b"LOCAL\n") + 6 if path.suffix == ".mha" else 0
    data[start + int((len(data) - start) * at)] ^= 0xFF
    voxels.write_bytes(data)
    assert refusal(path, read).code == "truncated"


def test_a_compressed_metaimage_that_holds_too_few_voxels_is_refused(tmp_path):
    path = with_header(
        written(tmp_path / "ct.mha", True), b"DimSize = 44 40 24", b"DimSize = 44 40 25"
    )
    assert refusal(path).code == "truncated"


def test_a_compressed_metaimage_is_taken_to_end_where_it_says(tmp_path):
    path = written(tmp_path / "ct.mha", True)
    path.write_bytes(path.read_bytes() + b"\0" * 100)
    np.testing.assert_array_equal(read_ct(path).hu, CT.hu)


@pytest.mark.parametrize(
    ("name", "key"), [("ct.mha", b"ElementSpacing"), ("ct.nrrd", b"space directions")]
)
def test_a_file_that_does_not_tell_the_voxel_size_is_refused(tmp_path, name, key):
    error = refusal(without_line(written(tmp_path / name), key))
    assert error.code == "bad_spacing" and "does not tell the voxel size" in error.message


def test_a_nrrd_in_other_units_than_mm_is_refused(tmp_path):
    line = b'space units: "cm" "cm" "cm"\n'
    path = with_header(written(tmp_path / "ct.nrrd"), b"encoding:", line + b"encoding:")
    error = refusal(path)
    assert error.code == "bad_spacing" and "cm" in error.message
    path = without_space(written(tmp_path / "ct.nrrd"), b"units: m m m\n")
    assert refusal(path).code == "bad_spacing"


@pytest.mark.parametrize("unit", [b"mm", b""])
def test_a_nrrd_in_mm_passes(tmp_path, unit):
    line = b'space units: "mm" "mm" "mm"\n'.replace(b"mm", unit)
    path = with_header(written(tmp_path / "ct.nrrd"), b"encoding:", line + b"encoding:")
    assert read_ct(path).warnings == ()


def without_space(path: Path, further: bytes = b"") -> Path:
    """Rewrite the header of a NRRD as one that knows spacings alone."""
    directions = b"space directions: (-3,0,0) (0,3,0) (0,0,-3)\n"
    with_header(path, directions, b"spacings: 3 3 3\n" + further)
    return without_line(without_line(path, b"space: "), b"space origin")


def test_a_file_that_does_not_state_its_orientation_is_read_with_a_warning(tmp_path):
    without_line(written(tmp_path / "ct.mha"), b"TransformMatrix")
    without_space(written(tmp_path / "ct.nrrd"))
    for name in ("ct.mha", "ct.nrrd"):
        assert [NO_ORIENTATION in w for w in read_ct(tmp_path / name).warnings] == [True]


@pytest.mark.parametrize(("name", "voxels"), [("ct.mhd", "ct.raw"), ("ct.nhdr", "ct.raw.gz")])
def test_a_header_without_its_voxels_names_the_file_that_is_missing(tmp_path, name, voxels):
    path = written(tmp_path / name)
    next(p for p in tmp_path.iterdir() if p != path).unlink()
    error = refusal(path)
    assert error.code == "truncated"
    assert f"{Path(voxels).stem}" in error.message and "beside" in error.message


@pytest.mark.skipif(sys.platform != "linux", reason="Other systems' names are always text")
@pytest.mark.parametrize("name", ["ct.mhd", "ct.nhdr"])
def test_voxels_in_a_file_whose_name_is_no_text_are_read(tmp_path, name):
    header = written(tmp_path / name)
    voxels = next(p for p in tmp_path.iterdir() if p != header)
    with_header(header, voxels.name.encode(), b"\xe4" + voxels.name.encode())
    voxels.rename(tmp_path / os.fsdecode(b"\xe4" + voxels.name.encode()))
    np.testing.assert_array_equal(read_ct(header).hu, CT.hu)


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.mha", "ct.nii.gz"])
def test_a_series_of_one_time_point_is_a_volume(tmp_path, name):
    ct = read_ct(written(tmp_path / name, image=sitk.JoinSeries([to_sitk(CT)])))
    np.testing.assert_array_equal(ct.hu, CT.hu)
    assert same_grid(ct, CT, 0.001)


@pytest.mark.parametrize("name", ["ct.tif", "ct.vtk", "ct.gipl", "slice.png"])
def test_formats_that_lose_orientation_or_voxel_size_are_refused(tmp_path, name):
    image = to_sitk(CT)
    if name.endswith("png"):
        image = sitk.Cast(image[:, :, 5] + 1024, sitk.sitkUInt16)
    error = refusal(written(tmp_path / name, image=image))
    assert error.code == "other_format" and name in error.message


@pytest.mark.skipif(sys.platform != "linux", reason="Other systems' names are always text")
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
@pytest.mark.parametrize("folder", [b"plain", b"M\xfcller"])
def test_a_name_that_is_no_text_is_read_all_the_same(tmp_path, suffix, folder):
    place = tmp_path / os.fsdecode(folder)
    place.mkdir()
    path = place / os.fsdecode(b"Wirbels\xe4ule" + suffix.encode())
    os.rename(written(tmp_path / f"ct{suffix}"), path)
    ct = read_ct(path)
    np.testing.assert_array_equal(ct.hu, CT.hu)
    assert ct.source.name == f"Wirbels?ule{suffix}"


@pytest.mark.skipif(sys.platform != "linux", reason="Other systems' names are always text")
def test_a_pair_of_files_in_a_folder_whose_name_is_no_text_is_read(tmp_path):
    place = tmp_path / os.fsdecode(b"M\xfcller")
    place.mkdir()
    written(tmp_path / "ct.mhd")
    for name in ("ct.mhd", "ct.raw"):
        os.rename(tmp_path / name, place / name)
    np.testing.assert_array_equal(read_ct(place / "ct.mhd").hu, CT.hu)
    os.rename(place / "ct.mhd", place / os.fsdecode(b"\xe4.mhd"))
    assert "Rename" in refusal(place / os.fsdecode(b"\xe4.mhd")).hint


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs a file that cannot be opened")
@pytest.mark.parametrize("name", ["ct.nii.gz", "ct.nrrd", "ct.dcm"])
@pytest.mark.parametrize("read", [read_ct, read_label_map])
def test_a_file_that_cannot_be_opened_is_told_as_such(tmp_path, monkeypatch, name, read):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        error = refusal(tmp_path / name, read)
    assert error.code == "not_readable" and "cannot be opened" in error.message


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="other systems have no such permissions")
@pytest.mark.parametrize("read", [read_ct, read_label_map])
@pytest.mark.parametrize("locked", ["file", "folder"])
def test_missing_permission_is_a_matter_of_the_input(tmp_path, read, locked):
    path = written(tmp_path / "ct.nii.gz")
    (path if locked == "file" else tmp_path).chmod(0)
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    try:
        error = refusal(path, read)
    finally:
        os.seteuid(mine)
        tmp_path.chmod(0o700)
    assert error.code == "not_readable" and "Permission denied" in error.message
