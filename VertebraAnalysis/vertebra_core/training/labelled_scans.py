"""Labelled scans on a working grid: CT and label map folders, or a VerSe download as it comes.

Every scan is brought to the network's working grid once and kept in a cache folder, from which
blocks are then read directly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..evaluation.case_files import CaseFiles, find_cases
from ..evaluation.case_loading import load_case
from ..levels import level_named
from ..volume import LabelVolume, resample_labels, resample_to_working_grid

HELD_ASIDE_EVERY = 10
"""One scan in this many (in the order of names) validates and is never trained on."""


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
    """

    hu: np.ndarray
    labels: np.ndarray
    bodies: np.ndarray | None
    numbers: np.ndarray
    centers_zyx: np.ndarray


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
        Only the scans kept for validation, instead of only the others.
    """

    def __init__(
        self, folders: Sequence[Path], cache: Path, spacing_mm: float, validation: bool
    ) -> None:
        self._cache = Path(cache)
        self.spacing_mm = spacing_mm
        self._files: dict[str, CaseFiles] = {}
        for number, folder in enumerate(folders):
            found = [c for c in find_cases(Path(folder)) if c.labels is not None]
            for index, case in enumerate(found):
                if (index % HELD_ASIDE_EVERY == HELD_ASIDE_EVERY - 1) == validation:
                    self._files[f"{number}:{case.name}"] = case

    def names(self) -> list[str]:
        """Return the names of the scans."""
        return sorted(self._files)

    def load(self, name: str) -> LabelledScan:
        """Return a scan, from the cache if it is there."""
        files = self._files[name]
        key = hashlib.sha256(f"{files.ct.resolve()} {self.spacing_mm}".encode()).hexdigest()[:16]
        path = self._cache / f"{key}.npy"
        if not path.exists():
            _store(files, path, self.spacing_mm)
        return _read(path)


def _store(files: CaseFiles, path: Path, spacing_mm: float) -> None:
    ct, truth = load_case(files)
    grid = resample_to_working_grid(ct, spacing_mm)

    def on_grid(labels: np.ndarray) -> np.ndarray:
        volume = LabelVolume(labels, ct.spacing_xyz_mm, ct.origin_lps_mm, ct.direction)
        return resample_labels(volume, grid).labels.astype(np.int16)

    layers = [np.clip(np.rint(grid.hu), -32768, 32767).astype(np.int16), on_grid(truth.labels)]
    if truth.bodies is not None:
        layers.append(on_grid(truth.bodies))
    centers = {
        str(level_named(v.level).number): grid.lps_to_index(np.array(v.center_lps_mm)).tolist()
        for v in truth.vertebrae
        if v.in_view
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(centers))
    temporary = path.with_suffix(".tmp.npy")
    np.save(temporary, np.stack(layers))
    temporary.replace(path)


@lru_cache(maxsize=32)
def _read(path: Path) -> LabelledScan:
    layers = np.load(path, mmap_mode="r", allow_pickle=False)
    centers = json.loads(path.with_suffix(".json").read_text())
    return LabelledScan(
        layers[0],
        layers[1],
        layers[2] if len(layers) > 2 else None,
        np.array([int(k) for k in centers], int),
        np.array(list(centers.values()), float).reshape(-1, 3),
    )
