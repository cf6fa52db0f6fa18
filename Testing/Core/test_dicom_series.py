"""Reading DICOM folders: which series, in which order, and what is said about odd ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from simple_ct import (
    FEET_FIRST,
    OBLIQUE,
    SAGITTAL,
    ball,
    shape_of_ball,
    simple_ct,
    write_dicom_series,
)
from vertebra_core.dicom_found import scan_folder
from vertebra_core.errors import InputError
from vertebra_core.reading import read_ct
from vertebra_core.volume import same_grid
from vertebra_core.volume_source import VolumeSource


@pytest.mark.parametrize("tilt_mm_per_slice", [0.4, -0.4])
def test_a_tilted_gantry_is_straightened_and_said_so(tmp_path, tilt_mm_per_slice):
    # The slices of an upright ball, each cut where the tilted gantry cuts it.
    upright, _ = ball((40, 90, 60), (1.0, 1.0, 2.0), 20.0)
    z, y, x = np.indices(upright.hu.shape)
    shifted = np.rint(y + tilt_mm_per_slice * z).astype(int)
    sampled = upright.hu[z, np.clip(shifted, 3, 89), x]
    sampled[:, :3] = -1000
    write_dicom_series(tmp_path, replace(upright, hu=sampled), shear_mm_per_slice=tilt_mm_per_slice)
    straight = read_ct(tmp_path)
    assert len(straight.warnings) == 1
    assert "tilted by 11.3 degrees" in straight.warnings[0]
    expected_centre, expected_spread = shape_of_ball(upright)
    centre, spread = shape_of_ball(straight)
    np.testing.assert_allclose(centre, expected_centre, atol=0.3)
    np.testing.assert_allclose(spread, expected_spread, atol=2.5)
    assert straight.spacing_xyz_mm[2] == pytest.approx(2.0)


@pytest.mark.parametrize("direction", [OBLIQUE, FEET_FIRST, SAGITTAL])
def test_a_dicom_series_is_sorted_by_position(tmp_path, direction):
    ct = simple_ct(spacing_xyz_mm=(0.9, 1.1, 2.5), direction=direction)
    write_dicom_series(tmp_path, ct)
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, ct.hu)
    assert same_grid(again, ct, 0.001)
    assert again.warnings == ()


def test_series_and_name_of_what_was_given_are_told_but_no_path(tmp_path, monkeypatch):
    folder = tmp_path / "patient" / "CT 1"
    uid = write_dicom_series(folder, simple_ct())
    assert read_ct(folder).source == VolumeSource("CT 1", uid)
    assert read_ct(folder, uid).source == VolumeSource("CT 1", uid)
    file = next(folder.glob("*.dcm"))
    assert read_ct(file).source == VolumeSource(file.name, uid)
    monkeypatch.chdir(folder)
    assert read_ct(".").source == VolumeSource("CT 1", uid)


def test_dicom_without_the_rescale_intercept_is_recognised_as_shifted(tmp_path):
    ct = simple_ct()
    stored = replace(ct, hu=(ct.hu + 1024).astype(np.int16))
    write_dicom_series(tmp_path, stored, intercept=0)
    again = read_ct(tmp_path)
    assert "1024 was subtracted" in again.warnings[0]
    np.testing.assert_array_equal(again.hu, ct.hu)


def test_one_file_stands_for_its_series(tmp_path):
    ct = simple_ct()
    write_dicom_series(tmp_path, ct)
    write_dicom_series(tmp_path, simple_ct(seed=2), prefix="other")
    again = read_ct(sorted(tmp_path.glob("image*.dcm"))[3])
    np.testing.assert_array_equal(again.hu, ct.hu)
    assert "one of 24 files" in again.warnings[0]


def test_a_lone_dicom_slice_is_refused(tmp_path):
    write_dicom_series(tmp_path, replace(simple_ct(), hu=simple_ct().hu[:1]))
    with pytest.raises(InputError) as caught:
        read_ct(next(tmp_path.glob("*.dcm")))
    assert caught.value.code == "one_slice"


def several_series(folder: Path) -> dict[str, str]:
    """A localizer, an MR, thick and thin axial series, a short one; in nested folders."""
    thick = simple_ct(shape_zyx=(13, 40, 44), spacing_xyz_mm=(2.0, 2.0, 5.0))
    thin = simple_ct(shape_zyx=(31, 40, 44), spacing_xyz_mm=(2.0, 2.0, 2.0))
    short = simple_ct(shape_zyx=(15, 40, 44), spacing_xyz_mm=(2.0, 2.0, 1.0))
    coronal = simple_ct(
        shape_zyx=(40, 44, 44),
        spacing_xyz_mm=(2.0, 2.0, 1.0),
        direction=(1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0),
    )
    scout = replace(coronal, hu=coronal.hu[:1])
    uids = {}
    for name, ct in [
        ("thick", thick),
        ("short", short),
        ("scout", scout),
        ("coronal", coronal),
        ("thin", thin),
    ]:
        where = folder / "PAT" / "STUDY" / name
        uids[name] = write_dicom_series(where, ct, description=name)
    uids["mr"] = write_dicom_series(folder / "MR", thin, description="mr", modality="MR")
    (folder / "DICOMDIR").write_bytes(b"\0" * 200)
    (folder / "report.txt").write_text("text")
    return uids


def test_of_several_series_the_thinnest_that_covers_the_most_is_taken_and_others_named(tmp_path):
    several_series(tmp_path)
    ct = read_ct(tmp_path)
    assert ct.size_xyz == (44, 40, 31)
    assert len(ct.warnings) == 1
    assert "4 CT series" in ct.warnings[0]
    assert all(f"'{name}'" in ct.warnings[0] for name in ("thin", "thick", "short", "coronal"))
    names = [series.description for series in scan_folder(tmp_path).series]
    assert names[:2] == ["thin", "thick"]
    assert set(names) == {"thin", "thick", "short", "coronal", "scout", "mr"}


def test_a_series_is_chosen_by_its_uid(tmp_path):
    uids = several_series(tmp_path)
    ct = read_ct(tmp_path, uids["thick"])
    assert ct.size_xyz == (44, 40, 13)
    with pytest.raises(InputError) as caught:
        read_ct(tmp_path, "1.2.3.4.5")
    assert caught.value.code == "unknown_series"
    assert uids["thin"] in caught.value.hint
    with pytest.raises(InputError) as caught:
        read_ct(tmp_path, uids["mr"])
    assert caught.value.code == "not_ct"


def test_a_dicom_folder_with_mr_alone_is_refused_by_its_modality(tmp_path):
    write_dicom_series(tmp_path, simple_ct(), modality="MR", description="T2 sag")
    with pytest.raises(InputError, match="MR, not CT.*T2 sag") as caught:
        read_ct(tmp_path)
    assert caught.value.code == "not_ct"


def test_a_missing_slice_is_interpolated_and_said_so(tmp_path):
    z = np.arange(20)
    ramp = replace(
        simple_ct((20, 40, 44)), hu=simple_ct((20, 40, 44)).hu // 4 + 10 * z[:, None, None]
    )
    ramp = replace(ramp, spacing_xyz_mm=(2.0, 2.0, 2.0), hu=ramp.hu.astype(np.int16))
    kept = np.delete(z, 9)
    write_dicom_series(
        tmp_path, replace(ramp, hu=ramp.hu[kept]), positions_mm=2.0 * kept.astype(float)
    )
    ct = read_ct(tmp_path)
    assert ct.size_xyz == (44, 40, 20)
    assert ct.spacing_xyz_mm[2] == pytest.approx(2.0)
    assert "varies from 2.00 to 4.00 mm" in ct.warnings[0]
    np.testing.assert_array_equal(ct.hu[kept], ramp.hu[kept])
    mean = (ramp.hu[8].astype(float) + ramp.hu[10]) / 2
    np.testing.assert_allclose(ct.hu[9], mean, atol=0.51)


def test_a_wide_gap_between_slices_is_refused(tmp_path):
    ct = simple_ct((20, 40, 44), spacing_xyz_mm=(2.0, 2.0, 2.0))
    kept = np.delete(np.arange(20), slice(8, 12))
    write_dicom_series(tmp_path, replace(ct, hu=ct.hu[kept]), positions_mm=2.0 * kept)
    with pytest.raises(InputError, match="10.0 mm") as caught:
        read_ct(tmp_path)
    assert caught.value.code == "missing_slices"


def test_doubled_positions_are_read_once_and_said_so(tmp_path):
    uid = write_dicom_series(tmp_path, simple_ct())
    write_dicom_series(tmp_path, simple_ct(), series_uid=uid, prefix="phase2_")
    ct = read_ct(tmp_path)
    np.testing.assert_array_equal(ct.hu, simple_ct().hu)
    assert "24 images" in ct.warnings[0]


def test_a_damaged_dicom_slice_is_replaced_by_its_neighbours_and_said_so(tmp_path):
    write_dicom_series(tmp_path, simple_ct())
    path = tmp_path / "image011_5.dcm"
    path.write_bytes(path.read_bytes()[:-2000])
    ct = read_ct(tmp_path)
    assert ct.size_xyz == simple_ct().size_xyz
    np.testing.assert_array_equal(ct.hu[6], simple_ct().hu[6])
    assert "slices were interpolated" in ct.warnings[0]
    assert "1 file of the series is damaged" in ct.warnings[1]


def test_a_damaged_slice_at_the_end_is_told_though_no_gap_shows(tmp_path, capfd):
    write_dicom_series(tmp_path, simple_ct())
    path = tmp_path / "image000_0.dcm"
    assert path.exists()
    path.write_bytes(path.read_bytes()[:-2000])
    ct = read_ct(tmp_path)
    assert ct.size_xyz[2] == simple_ct().size_xyz[2] - 1
    assert ct.warnings == ("1 file of the series is damaged and was left out.",)
    assert capfd.readouterr() == ("", "")


def test_a_file_of_another_series_than_asked_for_yields_to_the_uid(tmp_path):
    write_dicom_series(tmp_path, simple_ct())
    uid = write_dicom_series(tmp_path, simple_ct(seed=2), prefix="other")
    asked = read_ct(sorted(tmp_path.glob("image*.dcm"))[3], uid)
    np.testing.assert_array_equal(asked.hu, simple_ct(seed=2).hu)
    with pytest.raises(InputError) as caught:
        read_ct(sorted(tmp_path.glob("image*.dcm"))[3], "1.2.3")
    assert caught.value.code == "unknown_series"


def test_a_missing_slice_makes_no_noise_on_the_terminal(tmp_path, capfd):
    write_dicom_series(tmp_path, simple_ct())
    (tmp_path / "image011_5.dcm").unlink()
    read_ct(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_the_public_dicom_series_reads_as_its_slices_say(shared_data):
    folder = shared_data / "dicom_series"
    ct = read_ct(folder)
    assert ct.size_xyz == (512, 512, 20)
    assert ct.spacing_xyz_mm == pytest.approx((0.9765625, 0.9765625, 2.0))
    assert ct.warnings == ()
    for path in sorted(folder.glob("*.dcm"))[::6]:
        single = sitk.ReadImage(str(path))
        index = ct.lps_to_index(np.array(single.GetOrigin()))
        np.testing.assert_allclose(index[1:], 0, atol=1e-6)
        k = round(float(index[0]))
        np.testing.assert_array_equal(
            ct.hu[k], np.maximum(sitk.GetArrayFromImage(single)[0], -1024)
        )
