"""Which series of a DICOM folder is taken, and what is said where none will do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from simple_ct import simple_ct, write_dicom_series
from vertebra_core.errors import InputError
from vertebra_core.reading import read_ct

CT = simple_ct()
FINE = simple_ct((48, 40, 44), (3.0, 3.0, 1.5), seed=2)
MIP = ("DERIVED", "SECONDARY", "AXIAL", "MIP")
IODINE = ("DERIVED", "PRIMARY", "AXIAL", "IODINE")
REFORMATTED = ("DERIVED", "SECONDARY", "AXIAL")


def colour(data, k):
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.PixelData = bytes([k]) * (3 * data.Rows * data.Columns)
    del data.RescaleSlope, data.RescaleIntercept


@pytest.mark.parametrize("image_type", [MIP, IODINE, REFORMATTED])
def test_what_was_computed_from_a_scan_yields_to_the_scan(tmp_path, image_type):
    write_dicom_series(tmp_path / "computed", FINE, image_type=image_type)
    write_dicom_series(tmp_path / "scan", CT)
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, CT.hu)
    assert "2 CT series" in again.warnings[0]


@pytest.mark.parametrize("image_type", [MIP, IODINE])
def test_a_projection_or_map_yields_even_to_a_shorter_scan(tmp_path, image_type):
    write_dicom_series(tmp_path / "computed", CT, image_type=image_type)
    short = replace(CT, hu=CT.hu[:12])
    write_dicom_series(tmp_path / "scan", short)
    np.testing.assert_array_equal(read_ct(tmp_path).hu, short.hu)


def test_values_in_another_unit_yield_to_hounsfield_units(tmp_path):
    def edit(data, _):
        data.RescaleType = "MGML"

    write_dicom_series(tmp_path / "map", FINE, edit=edit)
    write_dicom_series(tmp_path / "scan", CT)
    np.testing.assert_array_equal(read_ct(tmp_path).hu, CT.hu)


@pytest.mark.parametrize("image_type", [MIP, IODINE])
def test_a_projection_or_map_alone_is_read_with_a_warning(tmp_path, image_type):
    write_dicom_series(tmp_path, CT, image_type=image_type)
    (warning,) = read_ct(tmp_path).warnings
    assert f"marked {image_type[-1]}" in warning


def test_colour_pictures_of_the_same_place_yield_to_the_scan(tmp_path):
    write_dicom_series(tmp_path / "a", FINE, edit=colour)
    write_dicom_series(tmp_path / "b", CT)
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, CT.hu)
    assert again.warnings == ()


def test_a_refused_series_names_the_others_of_the_folder(tmp_path):
    empty = replace(FINE, hu=np.full_like(FINE.hu, -1000))
    write_dicom_series(tmp_path / "a", empty)
    uid = write_dicom_series(tmp_path / "b", CT, description="Spine")
    with pytest.raises(InputError) as caught:
        read_ct(tmp_path)
    assert caught.value.code == "empty"
    assert "'Spine'" in caught.value.hint
    assert uid in caught.value.hint


def test_maps_within_the_series_of_the_scan_are_left_out_and_said_so(tmp_path):
    uid = write_dicom_series(tmp_path, FINE, image_type=IODINE)
    write_dicom_series(tmp_path, CT, series_uid=uid, prefix="scan")
    again = read_ct(tmp_path, uid)
    np.testing.assert_array_equal(again.hu, CT.hu)
    assert again.warnings[0].startswith("48 more images bear the UID of the series")
