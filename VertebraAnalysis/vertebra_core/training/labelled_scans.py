"""Labelled scans on a working grid: CT and label map folders, or a VerSe download as it comes.

Every scan is brought to the network's working grid once and kept in a cache folder, from which
blocks are then read directly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as array_format

from ..errors import InputError
from ..evaluation.case_files import CaseFiles, find_cases
from ..evaluation.case_loading import load_case
from ..levels import level_named
from ..output_errors import output_error
from ..volume import LabelVolume, resample_labels, resample_to_working_grid
from ..whole_file import whole_file, write_whole
from .patient_split import split_patients, tell_split
from .scan_bodies import ScanBody, bodies_of_scan

_FORMAT = 2
"""Of the files in the cache."""

_WHAT = "The scans of the label cache"


@dataclass(frozen=True)
class LabelledScan:
    """A scan on a working grid; index axes z (to the head), y (to the back), x (to the left).

    Attributes
    ----------
    hu : ndarray of int16, shape (z, y, x)
    labels : ndarray of uint8, shape (z, y, x)
        VerSe numbers.
    bodies : ndarray of uint8, shape (z, y, x), or None
    numbers : ndarray of int, shape (n,)
        VerSe numbers of the vertebrae in view, whose centres are known.
    centers_zyx : ndarray, shape (n, 3)
        Body centres in voxels.
    measured : tuple of ScanBody
        Bodies measured for grading; empty unless asked for.
    """

    hu: np.ndarray
    labels: np.ndarray
    bodies: np.ndarray | None
    numbers: np.ndarray
    centers_zyx: np.ndarray
    measured: tuple[ScanBody, ...] = ()


class LabelledScans:
    """The labelled scans below some folders, on a working grid.

    Parameters
    ----------
    folders : sequence of Path
        See `evaluation.case_files.find_cases` for the layouts; VerSe's is one of them.
    cache : Path
        Where scans are kept once they are on the working grid.
    spacing_mm : float
    validation : bool
        Only the scans of patients kept for validation, instead of only the others; see
        `patient_split`.
    split_bodies : bool
        Cut bodies out of the vertebrae where a scan has no map of them, and measure them for
        grading. Needs a grid of 1 mm.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        cache: Path,
        spacing_mm: float,
        validation: bool,
        split_bodies: bool = False,
    ) -> None:
        self._cache = Path(cache)
        self.spacing_mm = spacing_mm
        self._split_bodies = split_bodies
        found = [(Path(folder), _labelled(Path(folder))) for folder in folders]
        split = split_patients(found)
        self._everyone = {
            f"{n}:{case.name}": case for n, (_, cases) in enumerate(found) for case in cases
        }
        self._files = {
            name: case
            for name, case in self._everyone.items()
            if split.takes(case.name, validation)
        }
        if not validation:
            tell_split(found, split)

    def names(self) -> list[str]:
        """Return the names of the scans."""
        return sorted(self._files)

    def everyone(self) -> dict[str, CaseFiles]:
        """Return all labelled scans by name, those that are not for this use among them."""
        return dict(self._everyone)

    def no_case(self) -> InputError:
        """Return the error that tells that there is no scan."""
        return InputError(
            "no_scan_to_train_on",
            f"None of the {len(self._everyone)} labelled scans is to be trained on: their patients "
            "are in VerSe's parts for validation or test.",
            "Name VerSe's part for training too, or scans of your own.",
        )

    def files(self, name: str) -> CaseFiles:
        """Return the files of a scan."""
        return self._files[name]

    def load(self, name: str) -> LabelledScan:
        """Return a scan, from the cache if it is there and whole.

        Raises
        ------
        InputError
            If the scan or its labels cannot be used.
        OutputError
            ``disk_full`` or ``not_writable``.
        """
        files = self._files[name]
        path = self._cache / f"{self._key(files)}.npy"
        scan = _kept(path)
        if scan is None:
            _store(files, path, self.spacing_mm, self._split_bodies)
            scan = _read(path)
        return scan

    def _key(self, files: CaseFiles) -> str:
        """A name that changes when the scan or its labels do."""
        used = (files.ct, files.labels, files.bodies, files.truth, files.centroids)
        stats = [(str(p.resolve()), p.stat().st_mtime_ns) for p in used if p is not None]
        text = json.dumps([_FORMAT, stats, self.spacing_mm, self._split_bodies])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _labelled(folder: Path) -> list[CaseFiles]:
    """Return the cases in `folder` that have a label map."""
    cases = [case for case in find_cases(folder) if case.labels is not None]
    if not cases:
        raise InputError(
            "no_labels",
            f"No CT in {folder} has a label map.",
            "Name it NAME_labels.nii.gz beside NAME_ct.nii.gz, or use VerSe's layout.",
        )
    return cases


def _store(files: CaseFiles, path: Path, spacing_mm: float, split_bodies: bool) -> None:
    ct, truth = load_case(files)
    grid = resample_to_working_grid(ct, spacing_mm)

    def on_ct(labels: np.ndarray) -> LabelVolume:
        return LabelVolume(labels, ct.spacing_xyz_mm, ct.origin_lps_mm, ct.direction)

    def on_grid(labels: np.ndarray) -> np.ndarray:
        return resample_labels(on_ct(labels), grid).labels.astype(np.int16)

    layers = [np.clip(np.rint(grid.hu), -32768, 32767).astype(np.int16), on_grid(truth.labels)]
    drawn = None if truth.bodies is None else on_ct(truth.bodies)
    cut, measured = None, ()
    if split_bodies:
        cut, measured = bodies_of_scan(on_ct(truth.labels), drawn, grid, truth.vertebrae)
    if drawn is not None:
        layers.append(on_grid(drawn.labels))
    elif cut is not None:
        layers.append(np.where(cut == layers[1], cut, 0).astype(np.int16))
    centers = {
        str(level_named(v.level).number): grid.lps_to_index(np.array(v.center_lps_mm)).tolist()
        for v in truth.vertebrae
        if v.in_view
    }
    facts = {"centers": centers, "measured": [asdict(body) for body in measured]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, _WHAT, path.parent) from error
    write_whole(path.with_suffix(".json"), json.dumps(facts).encode(), _WHAT)
    with whole_file(path, _WHAT) as file:
        _write_array(file, np.stack(layers))


def _write_array(file: BinaryIO, array: np.ndarray) -> None:
    """Write as `np.save` does, which does not say so when a disk is full."""
    header = array_format.header_data_from_array_1_0(array)
    array_format.write_array_header_1_0(file, header)
    file.write(array.data)


def _kept(path: Path) -> LabelledScan | None:
    """Return a scan of the cache; None if it is not there, or spoilt by a power cut."""
    try:
        return _read(path)
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError):
        return None


@lru_cache(maxsize=32)
def _read(path: Path) -> LabelledScan:
    layers = np.load(path, mmap_mode="r", allow_pickle=False)
    facts = json.loads(path.with_suffix(".json").read_text())
    return LabelledScan(
        layers[0],
        layers[1],
        layers[2] if len(layers) > 2 else None,
        np.array([int(k) for k in facts["centers"]], int),
        np.array(list(facts["centers"].values()), float).reshape(-1, 3),
        tuple(ScanBody(**body) for body in facts["measured"]),
    )
