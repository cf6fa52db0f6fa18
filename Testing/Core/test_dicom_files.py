"""Finding DICOM files: what cannot be read is told, and no name or text of a file is a stumble."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from pydicom.uid import generate_uid
from simple_ct import simple_ct, write_dicom_series
from vertebra_core.errors import InputError
from vertebra_core.reading import read_ct

CT = simple_ct()
NOT_TEXT = os.fsdecode(b"Sch\xe4del")


def last_slices(folder, n=6):
    """Files of the uppermost slices, where their loss leaves no gap."""
    return sorted(folder.glob("*.dcm"), key=lambda p: int(p.stem.split("_")[1]))[-n:]


def emptied(path):
    path.write_bytes(b"")


def cut_in_its_header(path):
    path.write_bytes(path.read_bytes()[:200])


def made_closed(path):
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")


@pytest.mark.parametrize("spoil", [emptied, cut_in_its_header, made_closed])
def test_slices_lost_at_the_end_of_a_series_are_told(tmp_path, spoil):
    write_dicom_series(tmp_path, CT)
    for path in last_slices(tmp_path):
        spoil(path)
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, CT.hu[:-6])
    assert again.warnings == (
        "6 files could not be read (empty, damaged or without permission); slices may be missing.",
    )
    one = read_ct(sorted(tmp_path.glob("*_0.dcm"))[0])
    assert again.warnings[0] in one.warnings


def test_a_folder_that_cannot_be_opened_is_told(tmp_path, monkeypatch):
    write_dicom_series(tmp_path, CT)
    closed = tmp_path / "closed"
    closed.mkdir()
    real = os.scandir

    def scandir(path):
        if os.fspath(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(closed))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert read_ct(tmp_path).warnings == (
        "1 folder could not be opened (no permission); slices may be missing.",
    )


def test_a_folder_of_damaged_files_alone_is_refused_by_their_number(tmp_path):
    write_dicom_series(tmp_path, CT)
    for path in tmp_path.glob("*.dcm"):
        path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match="24 files in it could not be read") as caught:
        read_ct(tmp_path)
    assert caught.value.code == "no_dicom"


def test_missing_slices_are_explained_by_damaged_files(tmp_path):
    write_dicom_series(tmp_path, CT)
    for path in last_slices(tmp_path, 6)[:2]:
        path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError) as caught:
        read_ct(tmp_path)
    assert caught.value.code == "missing_slices"
    assert "2 files of the series are damaged" in caught.value.hint


def test_what_is_no_image_or_of_another_series_needs_no_word(tmp_path):
    write_dicom_series(tmp_path, CT)

    def report(data, _):
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.67"
        del data.PixelData, data.Rows, data.Columns

    write_dicom_series(tmp_path, CT, prefix="sr", edit=report)
    write_dicom_series(tmp_path / "other", CT, series_uid=generate_uid())
    for path in last_slices(tmp_path / "other", 24):
        path.write_bytes(path.read_bytes()[:-2000])
    (tmp_path / "._image000_0.dcm").write_bytes(b"\0\5\x16\7" + b"\0" * 200)
    (tmp_path / "Thumbs.db").write_bytes(b"")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM" + b"x" * 300)
    assert read_ct(tmp_path).warnings == ()


def test_files_without_preamble_and_suffix_are_recognised(tmp_path):
    write_dicom_series(tmp_path, CT)
    for path in list(tmp_path.glob("*.dcm")):
        path.with_suffix("").write_bytes(path.read_bytes()[132:])
        path.unlink()
    again = read_ct(tmp_path)
    np.testing.assert_array_equal(again.hu, CT.hu)
    assert again.warnings == ()


def test_a_linked_subfolder_is_followed_but_not_round_and_round(tmp_path):
    write_dicom_series(tmp_path / "archive", CT)
    given = tmp_path / "given"
    given.mkdir()
    (given / "link").symlink_to(tmp_path / "archive", target_is_directory=True)
    (tmp_path / "archive" / "back").symlink_to(given, target_is_directory=True)
    again = read_ct(given)
    np.testing.assert_array_equal(again.hu, CT.hu)
    assert again.warnings == ()


def test_a_folder_that_a_link_shows_twice_is_read_once(tmp_path):
    write_dicom_series(tmp_path / "scan", CT)
    (tmp_path / "again").symlink_to(tmp_path / "scan", target_is_directory=True)
    assert read_ct(tmp_path).warnings == ()


@pytest.mark.parametrize("where", ["files", "folder"])
def test_names_that_are_no_text_are_read(tmp_path, where):
    # In a process of its own: the toolkit aborts on such a name.
    folder = tmp_path / (NOT_TEXT if where == "folder" else "CT")
    try:
        write_dicom_series(folder, CT, prefix=NOT_TEXT if where == "files" else "image")
    except OSError:
        pytest.skip("this file system takes text alone")
    script = (
        "import sys; from pathlib import Path; from vertebra_core.reading import read_ct;"
        "ct = read_ct(Path(sys.argv[1])); one = read_ct(next(Path(sys.argv[1]).iterdir()));"
        "print(ct.hu.sum(), one.hu.sum(), ascii(one.warnings).count('udc'))"
    )
    done = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, check=False)
    assert done.stdout.split() == [str(CT.hu.sum()).encode()] * 2 + [b"0"], done.stderr


@pytest.mark.parametrize(
    ("character_set", "encoding"), [("ISO_IR 100", "latin-1"), ("ISO_IR 192", "utf-8")]
)
def test_descriptions_are_decoded_as_their_character_set_says(tmp_path, character_set, encoding):
    def edit(data, _):
        data.SpecificCharacterSet = character_set
        data.SeriesDescription = "Wirbelsäule 3.0"

    write_dicom_series(tmp_path / "a", CT, edit=edit)
    write_dicom_series(tmp_path / "b", simple_ct(seed=2), edit=edit)
    (warning,) = read_ct(tmp_path).warnings
    assert warning.count("'Wirbelsäule 3.0'") == 2
