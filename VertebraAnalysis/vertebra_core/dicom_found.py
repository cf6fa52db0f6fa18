"""What the DICOM files of a folder hold, and what of them could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vertebra_core.counting import counted
from vertebra_core.dicom_choice import best_first
from vertebra_core.dicom_files import find_dicom_files, series_of_lost_slices
from vertebra_core.dicom_header import read_slice_headers
from vertebra_core.dicom_stack import DicomSeries, stacks
from vertebra_core.errors import InputError


@dataclass(frozen=True)
class Found:
    """What the DICOM files of a folder hold.

    Attributes
    ----------
    series : tuple of DicomSeries
        Best for analysis first.
    unreadable : tuple of Path
        DICOM files without an image that can be read.
    n_closed, n_closed_folders : int
        Files (empty, or without permission) and folders that could not be opened.
    """

    series: tuple[DicomSeries, ...]
    unreadable: tuple[Path, ...]
    n_closed: int
    n_closed_folders: int

    def others(self, chosen: DicomSeries) -> list[DicomSeries]:
        """All series but the chosen one."""
        return [s for s in self.series if s is not chosen]


def scan_folder(folder: Path, subfolders: bool = True) -> Found:
    """Read the headers of all DICOM files in a folder and sort them into series."""
    files = find_dicom_files(folder, subfolders)
    headers, unreadable = [], []
    for path in files.paths:
        slices = read_slice_headers(path)
        headers.extend(slices)
        if not slices:
            unreadable.append(path)
    return Found(
        best_first(stacks(headers)),
        tuple(unreadable),
        len(files.closed),
        files.n_closed_folders,
    )


def losses(series: DicomSeries, found: Found) -> tuple[str, ...]:
    """Say what could not be read and may have been part of the series."""
    uids = series_of_lost_slices(found.unreadable)
    damaged = uids.count(series.uid) if series.uid else 0
    unknown = uids.count("") + found.n_closed
    warnings = ()
    if damaged:
        warnings += (
            f"{counted(damaged, 'file')} of the series {'is' if damaged == 1 else 'are'} damaged "
            f"and {'was' if damaged == 1 else 'were'} left out.",
        )
    if unknown:
        warnings += (
            f"{counted(unknown, 'file')} could not be read (empty, damaged or without "
            "permission); slices may be missing.",
        )
    if found.n_closed_folders:
        warnings += (
            f"{counted(found.n_closed_folders, 'folder')} could not be opened (no permission); "
            "slices may be missing.",
        )
    return warnings


def nothing_in(folder: Path, found: Found) -> InputError:
    """The refusal of a folder without any series."""
    lost = len(series_of_lost_slices(found.unreadable)) + found.n_closed
    if not lost and not found.n_closed_folders:
        return InputError(
            "no_dicom",
            f"The folder {folder} holds no DICOM image.",
            "Give a DICOM folder, or the NIfTI, NRRD or MHA file itself.",
        )
    what = counted(lost, "file") if lost else counted(found.n_closed_folders, "folder")
    return InputError(
        "no_dicom",
        f"The folder {folder} holds no DICOM image that can be read; {what} in it could not be "
        "read (empty, damaged or without permission).",
        "Copy or export the series again, and check that you may read it.",
    )
