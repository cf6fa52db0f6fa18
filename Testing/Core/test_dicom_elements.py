"""Reading the data elements of DICOM files, whole, cut and damaged."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from enhanced_ct import write_enhanced_ct
from pydicom import dcmread
from simple_ct import simple_ct
from vertebra_core.dicom_elements import (
    items_of,
    read_elements,
    starts_like_dicom,
    text_of,
)
from vertebra_core.dicom_frames import read_frames

SMALL = simple_ct((5, 8, 8))
SERIES_UID, FRAMES = 0x0020000E, 0x52009230


@pytest.fixture
def enhanced(tmp_path):
    path = tmp_path / "e.dcm"
    uid = write_enhanced_ct(path, SMALL, intercepts=[-1024.0] * 5)
    return path, uid


def test_elements_are_read_up_to_the_pixels_and_into_sequences(enhanced):
    path, uid = enhanced
    elements = read_elements(path)
    assert text_of(elements, SERIES_UID) == uid
    assert len(items_of(elements, FRAMES)) == 5
    assert 0x7FE00010 not in elements


def test_sequences_of_unknown_type_and_of_open_length_are_entered(enhanced):
    path, _ = enhanced
    data = dcmread(path)
    data["PerFrameFunctionalGroupsSequence"].is_undefined_length = True
    for item in data.PerFrameFunctionalGroupsSequence:
        item.is_undefined_length_sequence_item = True
    data.save_as(path)
    assert len(read_frames(path)) == 5


def element(order, vr, group, number, value):
    length = struct.pack(order + "H", len(value)) if vr else struct.pack(order + "I", len(value))
    return struct.pack(order + "HH", group, number) + vr + length + value


@pytest.mark.parametrize(
    ("syntax", "order", "vr"),
    [
        ("1.2.840.10008.1.2.1", "<", b"UI"),
        ("1.2.840.10008.1.2", "<", b""),
        ("1.2.840.10008.1.2.2", ">", b"UI"),
        ("", "<", b"UI"),
        ("", "<", b""),
    ],
)
def test_every_encoding_is_understood_and_guessed_where_it_is_not_told(tmp_path, syntax, order, vr):
    meta = element("<", b"UI", 0x0002, 0x0010, syntax.encode().ljust(20, b"\0"))
    path = tmp_path / "a.dcm"
    data = element(order, vr, 0x0020, 0x000E, b"1.2.3\0") + element(order, vr, 0x7FE0, 0x10, b"")
    path.write_bytes((b"\0" * 128 + b"DICM" + meta if syntax else b"") + data)
    assert text_of(read_elements(path), SERIES_UID) == "1.2.3"


def test_a_file_cut_anywhere_gives_what_stands_before_the_cut(enhanced, tmp_path):
    path, uid = enhanced
    whole = path.read_bytes()
    cut = tmp_path / "cut.dcm"
    n_frames = 0
    for length in range(0, len(whole), 7):
        cut.write_bytes(whole[:length])
        elements = read_elements(cut)
        assert text_of(elements, SERIES_UID) in ("", uid)
        assert len(items_of(elements, FRAMES)) >= n_frames
        n_frames = len(items_of(elements, FRAMES))
    assert n_frames == 5


def test_damaged_bytes_cause_no_error(enhanced, tmp_path):
    path, _ = enhanced
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(1)
    spoiled = tmp_path / "spoiled.dcm"
    for _ in range(300):
        data = whole.copy()
        data[rng.integers(132, len(data), 20)] = rng.integers(0, 256, 20)
        spoiled.write_bytes(data.tobytes())
        read_elements(spoiled)
        read_frames(spoiled)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\0" * 128 + b"DICM", True),
        (b"\x08\0\x05\0CS\x0a\0ISO_IR 100" + b" " * 120, True),
        (b"\x08\0\x05\0\x0a\0\0\0ISO_IR 100" + b" " * 120, True),
        (b"NRRD0004" + b"\n" * 128, False),
        (b"\x5c\x01\0\0" + b"\0" * 128, False),
        (b"\0" * 132, False),
        (b"\x08\0" * 80, False),
        (b"", False),
    ],
)
def test_dicom_is_recognised_by_its_first_bytes(head, expected):
    assert starts_like_dicom(head) is expected
