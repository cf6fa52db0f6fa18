"""Find the DICOM files of a folder, and judge those that cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vertebra_core.dicom_elements import read_elements, starts_like_dicom, text_of
from vertebra_core.folder_walk import walk

ENHANCED_CT_CLASSES = {"1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"}
"""Enhanced CT and legacy converted enhanced CT (DICOM PS3.4, B.5)."""

_CT_CLASSES = {"1.2.840.10008.5.1.4.1.1.2", *ENHANCED_CT_CLASSES}

_SUFFIXES = {".dcm", ".ima", ".dicom"}
_HEAD_BYTES = 132
_META_CLASS, _CLASS, _SERIES = 0x00020002, 0x00080016, 0x0020000E
# macOS leaves such companions of files on sticks and shares.
_COMPANION = "._"
_DIRECTORY = "DICOMDIR"


@dataclass(frozen=True)
class DicomFiles:
    """What a folder holds.

    Attributes
    ----------
    paths : tuple of Path
        DICOM files by their mark or name, sorted.
    closed : tuple of Path
        Files named like DICOM that cannot be opened, or are empty.
    n_closed_folders : int
        Folders that cannot be listed.
    """

    paths: tuple[Path, ...]
    closed: tuple[Path, ...]
    n_closed_folders: int


def is_dicom_file(path: Path) -> bool:
    """Tell by the file's mark, or failing that its name, whether it is DICOM."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return False
    return starts_like_dicom(head) or path.suffix.lower() in _SUFFIXES


def find_dicom_files(folder: Path, subfolders: bool = True) -> DicomFiles:
    """Find the DICOM files in a folder, by default also those in its subfolders."""
    paths, closed, refused = [], [], []
    for path in _files(Path(folder), subfolders, refused):
        if path.name.startswith(_COMPANION) or path.name.upper() == _DIRECTORY:
            continue
        if is_dicom_file(path) and path.stat().st_size:
            paths.append(path)
        elif _is_named_like_dicom(path) and not _holds_something(path):
            closed.append(path)
    return DicomFiles(tuple(sorted(paths)), tuple(sorted(closed)), len(refused))


def series_of_lost_slices(unreadable: Sequence[Path]) -> list[str]:
    """Series UIDs of the files without a readable image that may have been CT slices.

    Reports, presentation states and directories cannot be read as images either, and may name the
    series: they say that they are something else.

    Returns
    -------
    list of str
        One for each file; empty where the file does not tell.
    """
    uids = []
    for path in unreadable:
        try:
            elements = read_elements(path)
        except OSError:
            elements = {}
        kind = text_of(elements, _CLASS) or text_of(elements, _META_CLASS)
        if not kind or kind in _CT_CLASSES:
            uids.append(text_of(elements, _SERIES))
    return uids


def _files(folder: Path, subfolders: bool, refused: list[OSError]) -> Iterator[Path]:
    """Files in a folder; `refused` gets the errors of folders that cannot be listed."""
    for place, names in walk(folder, hidden=True, on_closed=refused.append):
        for path in (place / name for name in names):
            # What cannot be reached may have been a slice: it is no reason to look away.
            if os.path.isfile(path) or not os.path.exists(path):
                yield path
        if not subfolders:
            return


def _is_named_like_dicom(path: Path) -> bool:
    """Suffixes of DICOM, none, or the last number of a UID."""
    suffix = path.suffix.lower()
    if path.name.startswith("."):
        return False
    return not suffix or suffix in _SUFFIXES or suffix[1:].isdigit()


def _holds_something(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return bool(stream.read(1))
    except OSError:
        return False
