"""Reading label maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from simple_ct import simple_ct
from vertebra_core.errors import InputError
from vertebra_core.reading import read_ct, read_label_map
from vertebra_core.volume import same_grid, to_sitk


def labels(dtype: type = np.uint8, scale: int = 1) -> sitk.Image:
    ct = simple_ct()
    array = np.select([ct.hu > 400, ct.hu > 110], [20, 21], 0) * scale
    return to_sitk(replace(ct, hu=array.astype(dtype)))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_label_maps_of_any_type_are_read(tmp_path, dtype, suffix):
    sitk.WriteImage(labels(dtype), str(tmp_path / f"seg{suffix}"))
    result = read_label_map(tmp_path / f"seg{suffix}")
    assert result.labels.dtype == np.uint8
    np.testing.assert_array_equal(result.labels, sitk.GetArrayFromImage(labels()))
    assert same_grid(result, simple_ct(), 0.001)


def test_labels_above_255_stay_apart(tmp_path):
    sitk.WriteImage(labels(np.uint16, 100), str(tmp_path / "seg.nrrd"))
    result = read_label_map(tmp_path / "seg.nrrd")
    assert result.labels.dtype == np.uint16
    assert set(np.unique(result.labels)) == {0, 2000, 2100}


def test_segment_names_come_with_a_slicer_segmentation(tmp_path):
    image = labels()
    for i, (value, name) in enumerate([(20, "L1"), (21, "vertebrae_L2")]):
        image.SetMetaData(f"Segment{i}_LabelValue", str(value))
        image.SetMetaData(f"Segment{i}_Name", name)
    sitk.WriteImage(image, str(tmp_path / "spine.seg.nrrd"))
    assert read_label_map(tmp_path / "spine.seg.nrrd").names == {20: "L1", 21: "vertebrae_L2"}


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: to_sitk(simple_ct()), "not_label_map"),
        (lambda: labels() * 0, "empty_label_map"),
        (lambda: sitk.Cast(labels(), sitk.sitkFloat32) * 0.1, "not_label_map"),
        (lambda: sitk.Compose([labels()] * 2), "not_scalar"),
        (lambda: sitk.JoinSeries([labels()] * 2), "four_dimensional"),
    ],
)
def test_what_is_no_label_map_is_refused(tmp_path, make, code):
    sitk.WriteImage(make(), str(tmp_path / "seg.nrrd"))
    with pytest.raises(InputError) as caught:
        read_label_map(tmp_path / "seg.nrrd")
    assert caught.value.code == code


def test_a_folder_is_told_from_a_path_that_is_not_there(tmp_path):
    with pytest.raises(InputError) as refused:
        read_label_map(tmp_path)
    assert refused.value.code == "not_a_file" and "is a folder" in refused.value.message
    with pytest.raises(InputError) as refused:
        read_label_map(tmp_path / "nothing.nii.gz")
    assert refused.value.code == "not_found"


def with_nan() -> sitk.Image:
    array = sitk.GetArrayFromImage(labels(np.float32))
    array[3, 4, 5] = np.nan
    return to_sitk(replace(simple_ct(), hu=array))


def coarse() -> sitk.Image:
    image = labels()
    image.SetSpacing((1.0, 1.0, 20.0))
    return image


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
@pytest.mark.parametrize(
    ("make", "code"),
    [
        (with_nan, "not_finite"),
        (lambda: labels()[:, :, 5:6], "one_slice"),
        (lambda: labels()[:, :, 5], "two_dimensional"),
        (lambda: labels()[:3, :, :], "too_small"),
        (coarse, "bad_spacing"),
        (lambda: sitk.JoinSeries([labels()] * 2), "four_dimensional"),
        (lambda: b"no image" * 99, "unreadable"),
    ],
)
def test_hints_are_about_the_label_map_not_about_a_ct(tmp_path, suffix, make, code):
    path, content = tmp_path / f"seg{suffix}", make()
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        sitk.WriteImage(content, str(path))
    with pytest.raises(InputError) as caught:
        read_label_map(path)
    assert caught.value.code == code
    assert "xport the segmentation" in caught.value.hint
    assert not any(word in caught.value.hint for word in ("1024", "DICOM", "series", "air"))


def test_a_label_map_tells_its_name(tmp_path):
    sitk.WriteImage(labels(), str(tmp_path / "spine.seg.nrrd"))
    assert read_label_map(tmp_path / "spine.seg.nrrd").source.name == "spine.seg.nrrd"


def test_public_label_maps_are_read(shared_data):
    masks = shared_data / "masks"
    verse = read_label_map(masks / "sub-verse004_seg-vert_msk.nii.gz")
    assert set(np.unique(verse.labels)) == {0, *range(16, 25)}
    total = read_label_map(shared_data / "ct" / "ts_example_labels_totalseg.nii.gz")
    assert same_grid(total, read_ct(shared_data / "ct" / "ts_example_ct.nii.gz"))


@pytest.mark.parametrize("value", ["abc", "1.5", "-3", ""])
def test_a_segment_whose_label_value_is_no_number_is_refused(tmp_path, value):
    image = sitk.GetImageFromArray(np.eye(20, dtype=np.uint8).repeat(20, 0).reshape(20, 20, 20))
    path = tmp_path / "spine.seg.nrrd"
    image.SetMetaData("Segment0_Name", "L1")
    image.SetMetaData("Segment0_LabelValue", value or " ")
    sitk.WriteImage(image, str(path))
    with pytest.raises(InputError) as refused:
        read_label_map(path)
    assert refused.value.code == "unreadable"
