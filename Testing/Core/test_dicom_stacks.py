"""Which DICOM slices form one volume: those of one scan that agree about where they lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from simple_ct import simple_ct, write_dicom_series
from vertebra_core.errors import InputError
from vertebra_core.reading import read_ct
from vertebra_core.volume import same_grid

CT, OTHER = simple_ct(), simple_ct(seed=2)
N_SLICES = CT.hu.shape[0]
HALF_WAY_MM = (np.arange(N_SLICES) + 0.5) * CT.spacing_xyz_mm[2]


def acquisition(number, **elements):
    def edit(data, _):
        data.AcquisitionNumber = number
        for keyword, value in elements.items():
            setattr(data, keyword, value)

    return edit


def test_acquisitions_that_lie_between_each_other_are_not_mixed(tmp_path):
    uid = write_dicom_series(tmp_path, CT, edit=acquisition(1))
    write_dicom_series(
        tmp_path,
        OTHER,
        series_uid=uid,
        prefix="later",
        positions_mm=HALF_WAY_MM,
        edit=acquisition(2),
    )
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, CT.hu)
    assert len(again.warnings) == 1
    assert again.warnings[0].startswith("24 images show places")


@pytest.mark.parametrize("first_number", [1, 101])
def test_scans_between_each_other_are_told_apart_by_their_numbers_alone(tmp_path, first_number):
    def later(data, k):
        data.InstanceNumber = first_number + k

    uid = write_dicom_series(tmp_path, CT)
    write_dicom_series(
        tmp_path, OTHER, series_uid=uid, prefix="later", positions_mm=HALF_WAY_MM, edit=later
    )
    np.testing.assert_array_equal(read_ct(tmp_path).hu, CT.hu)


def test_slices_numbered_at_random_are_one_scan(tmp_path):
    numbers = np.random.default_rng(1).permutation(N_SLICES)

    def edit(data, k):
        data.InstanceNumber = int(numbers[k])

    write_dicom_series(tmp_path, CT, edit=edit)
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, CT.hu)
    assert again.warnings == ()


@pytest.mark.parametrize("upper_first", [False, True])
def test_halves_numbered_one_after_the_other_are_one_scan(tmp_path, upper_first):
    def edit(data, k):
        data.InstanceNumber = (k + 12) % N_SLICES if upper_first else -k

    write_dicom_series(tmp_path, CT, edit=edit)
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, CT.hu)
    assert again.warnings == ()


def test_of_acquisitions_at_the_same_places_the_longer_is_read_though_it_is_later(tmp_path):
    short = replace(OTHER, hu=OTHER.hu[:20])
    uid = write_dicom_series(tmp_path, short, edit=acquisition(1))
    write_dicom_series(tmp_path, CT, series_uid=uid, prefix="later", edit=acquisition(2))
    np.testing.assert_array_equal(read_ct(tmp_path).hu, CT.hu)


def test_acquisitions_one_above_the_other_are_joined_without_mixing_where_they_overlap(tmp_path):
    places = np.arange(N_SLICES) * CT.spacing_xyz_mm[2]
    uid = write_dicom_series(tmp_path, replace(CT, hu=CT.hu[:15]), edit=acquisition(1))
    write_dicom_series(
        tmp_path,
        replace(OTHER, hu=OTHER.hu[12:]),
        series_uid=uid,
        prefix="upper",
        positions_mm=places[12:],
        edit=acquisition(2),
    )
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, np.concatenate([CT.hu[:15], OTHER.hu[15:]]))
    assert again.warnings[0].startswith("3 images show places")


def test_an_acquisition_for_each_slice_makes_one_volume(tmp_path):
    def edit(data, k):
        data.AcquisitionNumber = k + 1

    write_dicom_series(tmp_path, CT, edit=edit)
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, CT.hu)
    assert again.warnings == ()


def test_phases_with_the_same_numbers_are_told_apart_by_their_time(tmp_path):
    # Names alternate, so that neither phase comes first by name.
    uid = write_dicom_series(tmp_path, CT, edit=acquisition(1, AcquisitionTime="115900"))
    write_dicom_series(
        tmp_path, OTHER, series_uid=uid, prefix="k", edit=acquisition(1, AcquisitionTime="120000")
    )
    for path in sorted(tmp_path.glob("k*.dcm"))[::2]:
        path.rename(path.with_name(f"a{path.name}"))
    np.testing.assert_array_equal(read_ct(tmp_path).hu, CT.hu)


def test_doubled_places_are_recognised_though_their_last_digits_differ(tmp_path):
    places = np.arange(N_SLICES) * CT.spacing_xyz_mm[2] + 0.005
    uid = write_dicom_series(tmp_path, CT, positions_mm=places - 1e-5)
    write_dicom_series(tmp_path, OTHER, series_uid=uid, prefix="later", positions_mm=places + 1e-5)
    np.testing.assert_array_equal(read_ct(tmp_path).hu, CT.hu)


@pytest.mark.parametrize(
    "of_another_person",
    [
        {"PatientID": "B"},
        {"StudyInstanceUID": "9.9"},
        {"FrameOfReferenceUID": "9.9.1"},
    ],
)
@pytest.mark.parametrize("by_uid", [False, True])
def test_scans_of_two_patients_under_one_series_uid_are_not_mixed(
    tmp_path, of_another_person, by_uid
):
    uid = write_dicom_series(tmp_path, CT, edit=acquisition(1, PatientID="A"))
    other = acquisition(1, **{"PatientID": "A", **of_another_person})
    short = replace(OTHER, hu=OTHER.hu[:20])
    write_dicom_series(
        tmp_path, short, series_uid=uid, prefix="b", positions_mm=HALF_WAY_MM[:20], edit=other
    )
    again = read_ct(tmp_path, uid if by_uid else None)
    np.testing.assert_array_equal(again.hu, CT.hu)
    assert any(w.startswith("20 more images bear the UID of the series") for w in again.warnings)
    assert "PatientID" not in repr(again)


def test_slices_without_a_series_uid_are_not_mixed_across_folders(tmp_path):
    def edit(data, _):
        del data.SeriesInstanceUID, data.StudyInstanceUID, data.FrameOfReferenceUID

    write_dicom_series(tmp_path / "a", CT, edit=edit)
    write_dicom_series(tmp_path / "b", OTHER, positions_mm=HALF_WAY_MM, edit=edit)
    again = read_ct(tmp_path)
    assert again.hu.shape == CT.hu.shape
    assert "2 CT series" in again.warnings[0]


def test_slices_with_another_pixel_size_are_left_out_and_said_so(tmp_path):
    def edit(data, k):
        if k >= 16:
            data.PixelSpacing = [1.5, 1.5]

    write_dicom_series(tmp_path, CT, edit=edit)
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, CT.hu[:16])
    assert any(w.startswith("8 more images bear the UID of the series") for w in again.warnings)


@pytest.mark.parametrize("moved", [slice(12, 24), slice(8, 16)])
def test_slices_that_are_shifted_sideways_are_refused(tmp_path, moved):
    def edit(data, k):
        if k in range(*moved.indices(N_SLICES)):
            data.ImagePositionPatient[0] += 24

    write_dicom_series(tmp_path, CT, edit=edit)
    with pytest.raises(InputError, match="shifted sideways") as caught:
        read_ct(tmp_path)
    assert caught.value.code == "shifted_slices"


def test_a_series_is_not_torn_apart_where_its_orientation_is_rounded_differently(tmp_path):
    def edit(data, k):
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0.00047 + (k % 2) * 6e-5]

    write_dicom_series(tmp_path, CT, edit=edit)
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, CT.hu)
    assert again.warnings == ()
    assert same_grid(again, CT, 0.1)


def test_a_localizer_in_the_series_is_left_out_and_said_so(tmp_path):
    uid = write_dicom_series(tmp_path, CT)

    def upright(data, _):
        data.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    write_dicom_series(
        tmp_path, replace(CT, hu=CT.hu[:1]), series_uid=uid, prefix="scout", edit=upright
    )
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, CT.hu)
    assert again.warnings[0].startswith("1 more image bears the UID of the series")


def test_a_single_slice_without_a_place_is_interpolated_and_said_so(tmp_path):
    def edit(data, k):
        if k == 9:
            del data.ImagePositionPatient

    write_dicom_series(tmp_path, CT, edit=edit)
    again = read_ct(tmp_path)
    assert again.size_xyz == CT.size_xyz
    assert again.warnings[0].startswith("1 more image bears the UID of the series")


def test_slices_without_a_density_scale_are_not_mixed_with_those_that_have_one(tmp_path):
    def edit(data, k):
        if k >= 16:
            del data.RescaleSlope, data.RescaleIntercept

    write_dicom_series(tmp_path, CT, edit=edit)
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, CT.hu[:16])
    assert any(w.startswith("8 more images bear the UID of the series") for w in again.warnings)


def test_a_file_of_a_further_phase_stands_for_its_series(tmp_path):
    uid = write_dicom_series(tmp_path, CT, edit=acquisition(1))
    write_dicom_series(tmp_path, OTHER, series_uid=uid, prefix="later", edit=acquisition(2))
    again = read_ct(next(tmp_path.glob("later*.dcm")))
    np.testing.assert_array_equal(again.hu, CT.hu)
    assert "one of 48 files of its series" in again.warnings[0]
    assert again.warnings[1].startswith("24 images show places")


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient"])
def test_slices_that_do_not_tell_where_they_lie_are_refused(tmp_path, keyword):
    write_dicom_series(tmp_path, CT, edit=lambda data, k: delattr(data, keyword))
    with pytest.raises(InputError, match="do not tell where") as caught:
        read_ct(tmp_path)
    assert caught.value.code == "no_position"


@pytest.mark.parametrize("orientation", [[0, 0, 0, 0, 0, 0], [1, 0, 0, 0.5, 0.8, 0]])
def test_a_broken_orientation_is_refused(tmp_path, orientation):
    def edit(data, _):
        data.ImageOrientationPatient = orientation

    write_dicom_series(tmp_path, CT, edit=edit)
    with pytest.raises(InputError) as caught:
        read_ct(tmp_path)
    assert caught.value.code == "no_position"


@pytest.mark.parametrize("detector_size", [False, True])
@pytest.mark.parametrize("told", [None, "", [0, 0]])
def test_a_pixel_size_that_the_files_do_not_tell_is_not_invented(tmp_path, detector_size, told):
    def edit(data, _):
        data.PixelSpacing = told
        if told is None:
            del data.PixelSpacing
        if detector_size:
            data.ImagerPixelSpacing = [3.0, 3.0]

    write_dicom_series(tmp_path, CT, edit=edit)
    with pytest.raises(InputError, match="do not tell the pixel size") as caught:
        read_ct(tmp_path)
    assert caught.value.code == "bad_spacing"


def test_one_file_of_a_series_spread_over_folders_is_refused_with_advice(tmp_path):
    write_dicom_series(tmp_path, CT)
    for k, path in enumerate(sorted(tmp_path.glob("*.dcm"))):
        folder = tmp_path / f"DIR{k % 5}"
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
    with pytest.raises(InputError, match="the folder above"):
        read_ct(next((tmp_path / "DIR0").glob("*.dcm")))
    np.testing.assert_array_equal(read_ct(tmp_path).hu, CT.hu)
