"""DICOM folders: find the series in them, choose one, read it as a volume."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from vertebra_core.dicom_header import (
    SliceHeader,
    is_damaged_slice,
    is_dicom_file,
    read_slice_header,
)
from vertebra_core.errors import InputError
from vertebra_core.regular_grid import evened_slices, straightened
from vertebra_core.volume import CtVolume, from_sitk
from vertebra_core.volume_checks import check_grid
from vertebra_core.volume_source import VolumeSource

__all__ = [
    "DicomSeries",
    "is_dicom_file",
    "list_series",
    "read_dicom_file",
    "read_dicom_folder",
]

# Series that cover nearly as much as the longest one compete by slice thickness.
_SAME_COVERAGE = 0.9
_AXIAL_COSINE = 0.7
_LISTED = 6

# The toolkit would print on uneven slices; they are told as warnings of the volume.
sitk.ProcessObject.SetGlobalWarningDisplay(False)


@dataclass(frozen=True)
class DicomSeries:
    """One stack of slices with the same series UID, size and orientation.

    Attributes
    ----------
    uid, description, modality, kernel : str
        As in the files; may be empty.
    headers : tuple of SliceHeader
        Sorted along the slices' normal, one per position.
    n_dropped : int
        Files at a position that another file takes already (further phases or copies).
    """

    uid: str
    description: str
    modality: str
    kernel: str
    headers: tuple[SliceHeader, ...]
    n_dropped: int

    @property
    def n_slices(self) -> int:
        """Number of slices."""
        return sum(h.size_xyz[2] for h in self.headers)

    @property
    def coverage_mm(self) -> float:
        """Distance from the first slice to the last, mm."""
        if len(self.headers) == 1:
            return (self.n_slices - 1) * self.headers[0].spacing_xyz_mm[2]
        return float(np.ptp([h.position_mm for h in self.headers]))

    @property
    def slice_distance_mm(self) -> float:
        """Mean distance between slices, mm; 0 for a single one."""
        return self.coverage_mm / (self.n_slices - 1) if self.n_slices > 1 else 0.0

    @property
    def is_axial(self) -> bool:
        """True when the slices' normal points along the patient."""
        return abs(self.headers[0].normal[2]) > _AXIAL_COSINE

    @property
    def is_ct(self) -> bool:
        """True for CT, and where no modality is given."""
        return self.modality in ("CT", "")

    def summary(self) -> str:
        """One line for a list of series."""
        name = self.description or "no description"
        return (
            f"'{name}' ({self.modality or 'no modality'}, {self.n_slices} slices of "
            f"{self.slice_distance_mm:.2g} mm, UID {self.uid or 'none'})"
        )


def list_series(folder: Path) -> tuple[DicomSeries, ...]:
    """Find all image series in a folder and its subfolders, best for analysis first.

    The order: CT before other modalities, stacks before single pictures, axial before reformatted;
    then, of those that cover nearly as much of the body as the longest, the thinnest slices.
    """
    return _scan(folder)[0]


def _scan(folder: Path) -> tuple[tuple[DicomSeries, ...], list[Path]]:
    """The series of a folder, and its DICOM files without an image that can be read."""
    groups: dict[tuple, list[SliceHeader]] = defaultdict(list)
    unreadable = []
    for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
        if not is_dicom_file(path):
            continue
        header = read_slice_header(path)
        if header is None:
            unreadable.append(path)
        else:
            groups[header.group].append(header)
    found = [_series(headers) for headers in groups.values()]
    longest = max((s.coverage_mm for s in found if s.is_ct and s.is_axial), default=0.0)

    def rank(series: DicomSeries) -> tuple:
        short = series.coverage_mm < _SAME_COVERAGE * longest
        return (
            not series.is_ct,
            series.n_slices < 2,
            not series.is_axial,
            short,
            -series.coverage_mm if short else 0.0,
            round(series.slice_distance_mm, 2),
            -series.n_slices,
            series.uid,
        )

    return tuple(sorted(found, key=rank)), unreadable


def read_dicom_folder(folder: Path, series_uid: str | None = None) -> CtVolume:
    """Read one CT series of a DICOM folder.

    Parameters
    ----------
    folder : Path
    series_uid : str, optional
        By default the first that `list_series` gives.

    Returns
    -------
    CtVolume
        Values as stored after the rescale slope and intercept, on a right-angled grid.

    Raises
    ------
    InputError
        ``no_dicom``, ``unknown_series``, ``not_ct``, ``missing_slices``, ``unreadable`` and the
        codes of `volume_checks.check_grid`.
    """
    found, unreadable = _scan(folder)
    if not found:
        raise InputError(
            "no_dicom",
            f"The folder {folder} holds no DICOM image.",
            "Give a DICOM folder, or the NIfTI, NRRD or MHA file itself.",
        )
    if series_uid is not None:
        chosen = next((s for s in found if s.uid == series_uid), None)
        if chosen is None:
            raise InputError(
                "unknown_series",
                f"The folder holds no series with the UID {series_uid}.",
                f"It holds: {_listing(found)}.",
            )
        return _read(chosen, unreadable=unreadable)
    candidates = [s for s in found if s.is_ct and s.n_slices > 1]
    if len(candidates) < 2:
        return _read(found[0], unreadable=unreadable)
    warning = (
        f"The folder holds {len(candidates)} CT series; {candidates[0].summary()} was used. "
        f"Others: {_listing(candidates[1:])}."
    )
    return _read(candidates[0], (warning,), unreadable)


def read_dicom_file(path: Path) -> CtVolume:
    """Read the series that a DICOM file belongs to, from the files beside it.

    Raises
    ------
    InputError
        As `read_dicom_folder`.
    """
    own = read_slice_header(path)
    if own is None:
        raise InputError(
            "unreadable",
            f"{path.name} is a DICOM file without an image that can be read.",
            "Give the folder with the CT series.",
        )
    siblings = sorted(p for p in path.parent.iterdir() if p.is_file() and p != path)
    headers = {p: read_slice_header(p) for p in siblings if is_dicom_file(p)}
    stack = [own, *(h for h in headers.values() if h is not None and h.group == own.group)]
    warnings = ()
    if len(stack) > 1:
        warnings = (f"{path.name} is one of {len(stack)} files of its series; all were read.",)
    return _read(_series(stack), warnings, [p for p, h in headers.items() if h is None])


def _series(headers: list[SliceHeader]) -> DicomSeries:
    first = headers[0]
    by_position: dict[int, SliceHeader] = {}
    for header in sorted(headers, key=lambda h: (h.acquisition, h.instance, str(h.path))):
        by_position.setdefault(round(header.position_mm * 100), header)
    stack = tuple(sorted(by_position.values(), key=lambda h: h.position_mm))
    return DicomSeries(
        first.series_uid,
        first.description,
        first.modality,
        first.kernel,
        stack,
        len(headers) - len(stack),
    )


def _listing(series: list[DicomSeries] | tuple[DicomSeries, ...]) -> str:
    text = "; ".join(s.summary() for s in series[:_LISTED])
    return text if len(series) <= _LISTED else f"{text}; and {len(series) - _LISTED} more"


def _read(
    series: DicomSeries, warnings: tuple[str, ...] = (), unreadable: Sequence[Path] = ()
) -> CtVolume:
    if not series.is_ct:
        raise InputError(
            "not_ct",
            f"The DICOM series is {series.modality}, not CT: {series.summary()}.",
            "Give a CT series.",
        )
    first, last = series.headers[0], series.headers[-1]
    if series.n_dropped:
        warnings += (
            f"{series.n_dropped} files show places that other files of the series show too "
            "(further phases or copies); the first of each was used.",
        )
    if len(series.headers) == 1:
        check_grid(
            first.size_xyz, first.spacing_xyz_mm, first.direction, components=first.components
        )
    volume = _read_pixels(series)
    source = VolumeSource(series_uid=series.uid or None)
    if len(series.headers) == 1:
        return replace(volume, warnings=warnings, source=source)
    positions = np.array([h.position_mm for h in series.headers])
    hu, distance_mm, warning = evened_slices(volume.hu, positions)
    if warning is not None:
        warnings += (warning,)
    damaged = sum(is_damaged_slice(p, series.uid) for p in unreadable)
    if damaged:
        words = "1 file of the series is" if damaged == 1 else f"{damaged} files of the series are"
        warnings += (f"{words} damaged and {'was' if damaged == 1 else 'were'} left out.",)
    step = np.subtract(last.origin_lps_mm, first.origin_lps_mm)
    axes = np.asarray(first.direction).reshape(3, 3).copy()
    axes[:, 2] = step / np.linalg.norm(step)
    # Tilted slices lie further apart along the step than along their normal.
    distance_mm *= float(np.linalg.norm(step)) / (positions[-1] - positions[0])
    spacing = (*first.spacing_xyz_mm[:2], float(distance_mm))
    direction = tuple(axes.ravel().tolist())
    check_grid(hu.shape[::-1], spacing, direction)
    return straightened(CtVolume(hu, spacing, first.origin_lps_mm, direction, warnings, source))


def _read_pixels(series: DicomSeries) -> CtVolume:
    if series.headers[0].components != 1:
        check_grid((2, 2, 2), (1.0,) * 3, (1.0, 0, 0, 0, 1, 0, 0, 0, 1), 3)
    names = [str(h.path) for h in series.headers]
    try:
        image = sitk.ReadImage(names if len(names) > 1 else names[0], imageIO="GDCMImageIO")
    except RuntimeError as error:
        raise InputError(
            "unreadable",
            f"The DICOM series {series.summary()} cannot be decoded; a file is damaged or "
            "compressed in an unknown way.",
            "Export the series again, uncompressed.",
        ) from error
    return from_sitk(image)
