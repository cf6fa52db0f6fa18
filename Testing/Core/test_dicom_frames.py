"""Reading enhanced CT: many frames in one DICOM file, each with a place of its own."""

from __future__ import annotations

import numpy as np
import pytest
from enhanced_ct import write_enhanced_ct
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedCTImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)
from simple_ct import OBLIQUE, simple_ct, write_dicom_series
from vertebra_core.errors import InputError
from vertebra_core.reading import read_ct
from vertebra_core.volume import same_grid

N_SLICES = simple_ct().hu.shape[0]
HEAD_TO_FOOT = range(N_SLICES - 1, -1, -1)
SHUFFLED = np.random.default_rng(0).permutation(N_SLICES).tolist()


@pytest.mark.parametrize("slices", [None, HEAD_TO_FOOT, SHUFFLED])
def test_frames_are_sorted_by_their_places_whatever_their_order(tmp_path, slices):
    ct = simple_ct(spacing_xyz_mm=(0.9, 1.1, 2.5), direction=OBLIQUE)
    uid = write_enhanced_ct(tmp_path / "e.dcm", ct, slices=slices)
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, ct.hu)
    assert same_grid(again, ct, 0.001)
    assert again.warnings == ()
    assert again.source.series_uid == uid
    np.testing.assert_array_equal(read_ct(tmp_path / "e.dcm").hu, ct.hu)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_frames_are_placed_in_every_plain_transfer_syntax(tmp_path, syntax):
    ct = simple_ct()
    write_enhanced_ct(tmp_path / "e.dcm", ct, slices=SHUFFLED, transfer_syntax=syntax)
    np.testing.assert_array_equal(read_ct(tmp_path).hu, ct.hu)


def test_what_is_told_for_each_frame_instead_of_once_counts_as_well(tmp_path):
    def move(data):
        shared = data.SharedFunctionalGroupsSequence[0]
        for frame in data.PerFrameFunctionalGroupsSequence:
            frame.PixelMeasuresSequence = shared.PixelMeasuresSequence
            frame.PlaneOrientationSequence = shared.PlaneOrientationSequence
        del shared.PixelMeasuresSequence, shared.PlaneOrientationSequence

    ct = simple_ct(spacing_xyz_mm=(0.9, 1.1, 2.5))
    write_enhanced_ct(
        tmp_path / "e.dcm", ct, sop_class=LegacyConvertedEnhancedCTImageStorage, edit=move
    )
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, ct.hu)
    assert same_grid(again, ct, 0.001)


def test_each_frame_is_rescaled_by_its_own_intercept(tmp_path):
    ct = simple_ct()
    intercepts = [-1024.0 if k < 10 else -1100.0 for k in range(N_SLICES)]
    write_enhanced_ct(tmp_path / "e.dcm", ct, intercepts=intercepts)
    np.testing.assert_array_equal(read_ct(tmp_path).hu, ct.hu)


@pytest.mark.parametrize("interleaved", [False, True])
def test_of_two_phases_in_one_file_the_first_is_read_and_said_so(tmp_path, interleaved):
    ct, later = simple_ct(), simple_ct(seed=2)
    both = type(ct)(
        np.concatenate([ct.hu, later.hu]), ct.spacing_xyz_mm, ct.origin_lps_mm, ct.direction
    )
    order = list(range(2 * N_SLICES))
    if interleaved:
        order = [k + phase * N_SLICES for k in range(N_SLICES) for phase in (0, 1)]

    def second_phase_in_place(data):
        for frame, k in zip(data.PerFrameFunctionalGroupsSequence, order, strict=True):
            place = frame.PlanePositionSequence[0].ImagePositionPatient
            place[2] = ct.origin_lps_mm[2] + (k % N_SLICES) * ct.spacing_xyz_mm[2]

    write_enhanced_ct(tmp_path / "e.dcm", both, slices=order, edit=second_phase_in_place)
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, ct.hu)
    assert len(again.warnings) == 1
    assert again.warnings[0].startswith("24 images show places")


def test_a_phase_that_comes_first_in_time_is_read_though_its_frames_come_last(tmp_path):
    ct = simple_ct()
    order = [*range(N_SLICES), *range(N_SLICES)]

    def phases(data):
        for i, frame in enumerate(data.PerFrameFunctionalGroupsSequence):
            frame.FrameContentSequence[0].TemporalPositionIndex = 2 if i < N_SLICES else 1
        pixels = np.frombuffer(data.PixelData, np.uint16).reshape(2, *ct.hu.shape).copy()
        pixels[0] += 100
        data.PixelData = pixels.tobytes()

    write_enhanced_ct(tmp_path / "e.dcm", ct, slices=order, edit=phases)
    np.testing.assert_array_equal(read_ct(tmp_path).hu, ct.hu)


def test_missing_frames_are_refused_as_missing_slices(tmp_path):
    kept = [k for k in range(N_SLICES) if not 10 <= k < 14]
    write_enhanced_ct(tmp_path / "e.dcm", simple_ct(), slices=kept)
    with pytest.raises(InputError, match="15.0 mm") as caught:
        read_ct(tmp_path)
    assert caught.value.code == "missing_slices"


def test_frames_of_a_tilted_gantry_are_straightened_and_said_so(tmp_path):
    write_enhanced_ct(tmp_path / "e.dcm", simple_ct(), shear_mm_per_slice=0.6)
    assert "tilted by 11.3 degrees" in read_ct(tmp_path).warnings[0]


@pytest.mark.parametrize("given", ["folder", "file"])
def test_a_series_in_two_files_of_many_frames_is_read_whole(tmp_path, given):
    ct = simple_ct()
    uid = write_enhanced_ct(tmp_path / "a.dcm", ct, slices=range(10, N_SLICES))
    write_enhanced_ct(tmp_path / "b.dcm", ct, slices=range(10), series_uid=uid)
    again = read_ct(tmp_path if given == "folder" else tmp_path / "a.dcm")
    np.testing.assert_array_equal(again.hu, ct.hu)


def without_places(data):
    del data.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence


def without_frames(data):
    del data.SharedFunctionalGroupsSequence, data.PerFrameFunctionalGroupsSequence


def with_a_frame_less(data):
    data.PerFrameFunctionalGroupsSequence = data.PerFrameFunctionalGroupsSequence[:-1]


def with_one_rescale_missing(data):
    del data.PerFrameFunctionalGroupsSequence[3].PixelValueTransformationSequence


@pytest.mark.parametrize(
    "spoil", [without_places, without_frames, with_a_frame_less, with_one_rescale_missing]
)
def test_frames_without_a_place_or_density_scale_each_are_refused(tmp_path, spoil):
    intercepts = [-1024.0] * N_SLICES
    write_enhanced_ct(tmp_path / "e.dcm", simple_ct(), intercepts=intercepts, edit=spoil)
    with pytest.raises(InputError, match="one file per slice") as caught:
        read_ct(tmp_path)
    assert caught.value.code == "multi_frame"


def test_captured_pictures_without_places_are_refused_but_spoil_no_series_beside(tmp_path):
    write_enhanced_ct(
        tmp_path / "a.dcm",
        simple_ct(),
        sop_class=MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        edit=without_frames,
    )
    with pytest.raises(InputError) as caught:
        read_ct(tmp_path)
    assert caught.value.code == "multi_frame"
    write_dicom_series(tmp_path, simple_ct(seed=2))
    np.testing.assert_array_equal(read_ct(tmp_path).hu, simple_ct(seed=2).hu)
