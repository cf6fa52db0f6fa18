"""DICOM folders: find the series in them, choose one, read it as a volume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vertebra_core.counting import counted
from vertebra_core.dicom_choice import candidates, listing
from vertebra_core.dicom_found import Found, losses, nothing_in, scan_folder
from vertebra_core.dicom_header import Flaw
from vertebra_core.dicom_marks import altered_by
from vertebra_core.dicom_pixels import read_pixels
from vertebra_core.dicom_stack import DicomSeries
from vertebra_core.errors import InputError
from vertebra_core.regular_grid import evened_slices, straightened
from vertebra_core.volume import IDENTITY_DIRECTION, CtVolume
from vertebra_core.volume_checks import check_grid, checked_ct
from vertebra_core.volume_source import VolumeSource, name_of

# A slice further from the line through the others would bend every vertebra it cuts.
_MAX_SHIFT_MM = 0.5
_FLAWS = {
    Flaw.NO_POSITION: (
        "no_position",
        "The DICOM files do not tell where their slices lie in the patient.",
        "Export the original series again from the scanner or archive.",
    ),
    Flaw.NO_PIXEL_SIZE: (
        "bad_spacing",
        "The DICOM files do not tell the pixel size.",
        "Export the original series again: without it nothing can be measured.",
    ),
    Flaw.FRAMES_WITHOUT_PLACE: (
        "multi_frame",
        "The DICOM file holds many pictures and does not tell the place and density scale of each.",
        "Export the series as one file per slice.",
    ),
}
# Codes of refusals that a part of a series may meet.
_OF_A_PART = {"bad_spacing", "missing_slices", "one_slice", "too_small"}
_SPREAD = "If the series is spread over several folders, give the folder above them."


def read_dicom_folder(folder: Path, series_uid: str | None = None) -> CtVolume:
    """Read one CT series of a DICOM folder and check it.

    Parameters
    ----------
    folder : Path
    series_uid : str, optional
        By default the first in the order of `dicom_choice.best_first`.

    Returns
    -------
    CtVolume
        As `volume_checks.checked_ct` gives it, on a right-angled grid.

    Raises
    ------
    InputError
        ``no_dicom``, ``unknown_series``, ``not_ct``, ``no_position``, ``multi_frame``,
        ``shifted_slices``, ``missing_slices``, ``unreadable`` and the codes of
        `volume_checks.checked_ct`.
    """
    found = scan_folder(folder)
    if not found.series:
        raise nothing_in(folder, found)
    chosen, warnings = found.series[0], ()
    if series_uid is not None:
        chosen = next((s for s in found.series if s.uid == series_uid), None)
        if chosen is None:
            raise InputError(
                "unknown_series",
                f"The folder holds no series with the UID {series_uid}.",
                f"It holds: {listing(found.series)}.",
            )
    elif len(choice := candidates(found.series)) > 1:
        chosen = choice[0]
        warnings = (
            f"The folder holds {len(choice)} CT series; {chosen.summary()} was used. "
            f"Others: {listing(choice[1:])}.",
        )
    others = found.others(chosen)
    try:
        return _read(chosen, found, warnings)
    except InputError as error:
        advice = (f"The folder also holds: {listing(others)}.",) if others else ()
        raise _advised(error, *losses(chosen, found), *advice) from error


def read_dicom_file(path: Path) -> CtVolume:
    """Read the series that a DICOM file belongs to, from the files beside it, and check it.

    Raises
    ------
    InputError
        As `read_dicom_folder`.
    """
    found = scan_folder(path.parent, subfolders=False)
    own = next((s for s in found.series if path.name in _names(s)), None)
    if own is None:
        raise InputError(
            "unreadable",
            f"{name_of(path)} is a DICOM file without an image that can be read.",
            "Give the folder with the CT series.",
        )
    n_files = len(_names(own))
    warnings = ()
    if n_files > 1:
        name = name_of(path)
        warnings = (f"{name} is one of {n_files} files of its series; the series was read.",)
    try:
        return _read(own, found, warnings)
    except InputError as error:
        advice = (_SPREAD,) if error.code in _OF_A_PART else ()
        raise _advised(error, *losses(own, found), *advice) from error


def _names(series: DicomSeries) -> set[str]:
    return {h.path.name for h in (*series.headers, *series.dropped)}


def _advised(error: InputError, *advice: str) -> InputError:
    """Add to the hint of a refusal what explains it, or what else the user might give."""
    return InputError(error.code, error.message, " ".join([error.hint, *advice]).strip())


def _read(series: DicomSeries, found: Found, warnings: tuple[str, ...]) -> CtVolume:
    _refuse(series)
    volume, unevenness = _volume(series)
    warnings += _oddities(series, found) + unevenness + losses(series, found)
    source = VolumeSource(series_uid=series.uid or None)
    return checked_ct(straightened(replace(volume, warnings=warnings, source=source)))


def _refuse(series: DicomSeries) -> None:
    """Refuse what the headers tell is no CT volume."""
    if not series.is_ct:
        raise InputError(
            "not_ct",
            f"The DICOM series is {series.first.modality}, not CT: {series.summary()}.",
            "Give a CT series.",
        )
    if series.first.components != 1:
        check_grid((2, 2, 2), (1.0,) * 3, IDENTITY_DIRECTION, series.first.components)
    if series.flaw is not None:
        raise InputError(*_FLAWS[series.flaw])


def _volume(series: DicomSeries) -> tuple[CtVolume, tuple[str, ...]]:
    """Read the slices onto an even grid, and say what was uneven."""
    first, last = (h.place for h in (series.first, series.headers[-1]))
    positions = series.positions_mm
    median = float(np.median(np.diff(positions))) if len(positions) > 1 else 0.0
    spacing = (*first.spacing_xy_mm, median)
    check_grid((*series.first.size_xy, series.n_slices), spacing, first.direction)
    _refuse_shifted(series)
    try:
        stored = read_pixels(series.headers)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            "unreadable",
            f"The DICOM series {series.summary()} cannot be decoded; a file is damaged or "
            "compressed in an unknown way.",
            "Export the series again, uncompressed.",
        ) from error
    hu, distance_mm, warning = evened_slices(stored, positions)
    step = np.subtract(last.origin_lps_mm, first.origin_lps_mm)
    axes = np.reshape(first.direction, (3, 3)).copy()
    axes[:, 2] = step / np.linalg.norm(step)
    # Tilted slices lie further apart along the step than along their normal.
    distance_mm *= float(np.linalg.norm(step)) / (positions[-1] - positions[0])
    spacing = (*first.spacing_xy_mm, float(distance_mm))
    direction = tuple(axes.ravel().tolist())
    check_grid(hu.shape[::-1], spacing, direction)
    volume = CtVolume(hu, spacing, first.origin_lps_mm, direction)
    return volume, () if warning is None else (warning,)


def _refuse_shifted(series: DicomSeries) -> None:
    origins = np.array([h.place.origin_lps_mm for h in series.headers])
    along = series.positions_mm - series.positions_mm[0]
    line = origins[0] + np.outer(along / along[-1], origins[-1] - origins[0])
    beside_mm = np.linalg.norm(origins - line, axis=1)
    worst = int(np.argmax(beside_mm))
    if beside_mm[worst] > _MAX_SHIFT_MM:
        raise InputError(
            "shifted_slices",
            f"Slices are shifted sideways against each other: slice {worst + 1} lies "
            f"{beside_mm[worst]:.1f} mm beside the line from the first slice to the last.",
            "Export the series again with one centre of reconstruction for all slices.",
        )


def _oddities(series: DicomSeries, found: Found) -> tuple[str, ...]:
    """Say what the series is not, and what of it was left out."""
    warnings = ()
    mark = altered_by(series.first)
    if mark:
        warnings += (
            f"The series is marked {mark}: it was computed from a scan, and its values are not "
            "the densities of its slices. Give the series that the scanner made.",
        )
    if series.dropped:
        one = len(series.dropped) == 1
        warnings += (
            f"{counted(len(series.dropped), 'image')} {'shows a place' if one else 'show places'} "
            "that other images of the series show too (further phases or copies); "
            f"{'it was' if one else 'they were'} left out.",
        )
    rest = sum(s.n_slices + len(s.dropped) for s in found.others(series) if s.uid == series.uid)
    if rest and series.uid:
        words = counted(rest, "more image bears", "more images bear")
        warnings += (
            f"{words} the UID of the series but {'does' if rest == 1 else 'do'} not fit to "
            "it (place, size, orientation, density scale, study or patient), and "
            f"{'was' if rest == 1 else 'were'} left out.",
        )
    return warnings
