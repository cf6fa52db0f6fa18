"""Text in DICOM files, made fit to be shown."""

from __future__ import annotations

import re

# Defined terms of Specific Character Set, DICOM PS3.3, C.12.1.1.2, without their prefix.
_ENCODINGS = {
    "100": "iso8859-1",
    "101": "iso8859-2",
    "109": "iso8859-3",
    "110": "iso8859-4",
    "144": "iso8859-5",
    "127": "iso8859-6",
    "126": "iso8859-7",
    "138": "iso8859-8",
    "148": "iso8859-9",
    "203": "iso8859-15",
    "13": "shift_jis",
    "166": "tis-620",
    "87": "iso2022_jp",
    "159": "iso2022_jp_2",
    "149": "euc_kr",
    "58": "gb2312",
    "192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
# Announces Korean and Chinese, whose bytes tell themselves apart.
_ANNOUNCEMENT = re.compile(rb"\x1b\$\)[CA]")


def plain_text(value: bytes, character_set: str = "") -> str:
    """Decode the value of an element, without control characters.

    Parameters
    ----------
    value : bytes
    character_set : str
        The file's Specific Character Set (0008,0005), with all its values; UTF-8, and so ASCII,
        if it is empty or unknown.

    Returns
    -------
    str
        What cannot be decoded is shown as U+FFFD.
    """
    encoding = "utf-8"
    for term in character_set.split("\\"):
        encoding = _ENCODINGS.get(term.strip().rpartition(" ")[2], encoding)
    if not encoding.startswith("iso2022"):
        value = _ANNOUNCEMENT.sub(b"", value)
    text = value.decode(encoding, "replace")
    shown = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(shown.split())
