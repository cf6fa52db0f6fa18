"""Text in DICOM files, in the character sets that they name."""

from __future__ import annotations

import pytest
from vertebra_core.dicom_text import plain_text


@pytest.mark.parametrize(
    ("character_set", "value", "text"),
    [
        ("", b"Spine 3.0 ", "Spine 3.0"),
        ("ISO_IR 100", "Wirbelsäule".encode("latin-1"), "Wirbelsäule"),
        ("ISO_IR 192", "Wirbelsäule".encode(), "Wirbelsäule"),
        ("ISO_IR 144", "Позвоночник".encode("iso8859-5"), "Позвоночник"),
        ("GB18030", "脊柱".encode("gb18030"), "脊柱"),
        ("\\ISO 2022 IR 87", "脊椎".encode("iso2022_jp"), "脊椎"),
        ("ISO 2022 IR 6\\ISO 2022 IR 100", "Wirbelsäule".encode("latin-1"), "Wirbelsäule"),
        # What was never told, or told wrongly, is readable as far as it goes.
        ("", "Wirbelsäule".encode("latin-1"), "Wirbels\ufffdule"),
        ("", "Wirbelsäule".encode(), "Wirbelsäule"),
        ("nonsense", "Wirbelsäule".encode("latin-1"), "Wirbels\ufffdule"),
    ],
)
def test_text_is_decoded_by_its_character_set(character_set, value, text):
    assert plain_text(value, character_set) == text


def test_no_line_break_or_other_control_character_gets_through():
    assert plain_text(b"Spine\r\n<b>\x1b[31m\0", "ISO_IR 100") == "Spine <b> [31m"
