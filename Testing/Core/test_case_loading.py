"""What cannot be the truth of a CT is refused, and the sentence names the case."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from labelled_folder import CENTERS_LPS, painted_ct, write_plain_case
from vertebra_core.errors import InputError
from vertebra_core.evaluation.case_files import find_cases
from vertebra_core.evaluation.case_loading import load_case


@pytest.fixture
def case(tmp_path) -> Path:
    write_plain_case(tmp_path, "ward7")
    (tmp_path / "ward7_bodies.nii.gz").unlink()
    return tmp_path


def change(path: Path, how) -> None:
    image = how(sitk.ReadImage(str(path)))
    sitk.WriteImage(image, str(path))


def moved(image: sitk.Image) -> sitk.Image:
    image.SetOrigin(tuple(np.add(image.GetOrigin(), (1000.0, 0.0, 0.0))))
    return image


def refused(folder: Path) -> InputError:
    with pytest.raises(InputError) as error:
        load_case(find_cases(folder)[0])
    assert error.value.message.startswith("Case ward7: ") and error.value.hint
    return error.value


def test_a_label_map_that_lies_beside_the_ct_is_refused(case):
    change(case / "ward7_labels.nii.gz", moved)
    assert refused(case).code == "no_overlap"


def test_a_map_of_bodies_that_lies_beside_the_ct_is_refused(case):
    write_plain_case(case, "ward7")
    change(case / "ward7_bodies.nii.gz", moved)
    assert refused(case).code == "no_overlap"


@pytest.mark.parametrize("numbers", [{20: 1, 21: 1, 22: 1}, {20: 20, 21: 20, 22: 26}])
def test_a_map_that_gives_several_vertebrae_one_label_is_refused(numbers, case):
    change(case / "ward7_labels.nii.gz", lambda image: sitk.ChangeLabel(image, numbers))
    assert refused(case).code == "several_bodies"


@pytest.mark.parametrize("number", [26, 100])
def test_a_map_without_any_vertebra_is_refused(number, case):
    numbers = dict.fromkeys(CENTERS_LPS, number)
    change(case / "ward7_labels.nii.gz", lambda image: sitk.ChangeLabel(image, numbers))
    assert refused(case).code == "no_vertebra_labels"


def test_a_ct_that_cannot_be_read_is_told_with_its_case(case):
    whole = (case / "ward7_ct.nii.gz").read_bytes()
    (case / "ward7_ct.nii.gz").write_bytes(whole[: len(whole) // 2])
    assert refused(case).code == "truncated"


def test_cases_are_read_without_the_library_of_the_networks():
    code = "import sys, vertebra_core.evaluation.case_loading; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_expert_masks_are_taken_for_vertebrae_apart(shared_data, tmp_path):
    """Deformed vertebrae of real patients, each under a label of its own."""
    mask = sitk.ReadImage(str(shared_data / "masks" / "sub-verse004_seg-vert_msk.nii.gz"))
    sitk.WriteImage(painted_ct(mask), str(tmp_path / "ward7_ct.nii.gz"))
    sitk.WriteImage(mask, str(tmp_path / "ward7_labels.nii.gz"))
    assert len(load_case(find_cases(tmp_path)[0])[1].vertebrae) >= 8
    change(tmp_path / "ward7_labels.nii.gz", lambda image: sitk.Cast(image > 0, sitk.sitkUInt8))
    assert refused(tmp_path).code == "several_bodies"


@pytest.mark.parametrize("with_labels", [True, False])
def test_a_truth_file_of_another_scan_is_refused(with_labels, case):
    if not with_labels:
        (case / "ward7_labels.nii.gz").unlink()
    x, y, z = CENTERS_LPS[20]
    for away_mm, fits in ((0.0, True), (1000.0, False)):
        entry = {"level": "L1", "center_lps_mm": [x + away_mm, y, z]}
        (case / "ward7_truth.json").write_text(json.dumps({"vertebrae": [entry]}))
        if fits:
            assert load_case(find_cases(case)[0])[1].vertebrae
        else:
            assert "ward7_truth.json: L1 lies outside the scan" in refused(case).message
