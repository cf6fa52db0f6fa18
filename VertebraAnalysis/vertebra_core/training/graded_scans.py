"""Samples for the grade head from labelled scans whose fractures a reader has graded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..evaluation.grade_table import grades_of
from ..grading.network import CROP_SHAPE_ZYX, CROP_SHIFT_Y_MM, SHAPE_NAMES
from ..levels import level_numbered
from ..segmentation.crops import WORKING_SPACING_MM
from .bank import random_matrix
from .grading_samples import (
    UNKNOWN,
    as_segmented,
    choose_index,
    empty_sample,
    pack_grading,
)
from .labelled_scans import LabelledScans
from .scan_bodies import ScanBody
from .scan_sampling import sample_grid, sample_hu, sample_mask
from .sources import Sample

LOSS_SD = 0.02
"""Measured losses vary by this much more than on the labels of one reader: about half a millimetre
of a body's height."""

SHAPE_LOSS = 0.10
"""Losses below this are within what readers differ by, and name no shape."""


class LabelledGradingSource:
    """Bodies of labelled scans in their own frame; samples as `PhantomGradingSource` has them.

    Scans without any grade are left out. Where no reader has named the shape of a fracture, it is
    that of its largest measured loss, or unknown if that is below `SHAPE_LOSS`.

    Parameters
    ----------
    folders : sequence of Path
    cache : Path
    grades : mapping
        Scan -> level name -> Genant grade (`evaluation.grade_table.read_grades`); grades in a
        scan's truth file count where the table has none.
    validation : bool
    """

    def __init__(
        self,
        folders: Sequence[Path],
        cache: Path,
        grades: Mapping[str, Mapping[str, int]],
        validation: bool = False,
    ) -> None:
        self._scans = LabelledScans(folders, cache, WORKING_SPACING_MM, validation, True)
        self._grades = {k: dict(v) for k, v in grades.items()}

    def names(self) -> list[str]:
        """Return the names of the scans with grades."""
        return [n for n in self._scans.names() if self._scans.files(n).truth or self._table(n)]

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a body from the scan `name`."""
        scan, table = self._scans.load(name), self._table(name)
        known = [(b, g) for b in scan.measured if (g := _grade(b, table)) is not None]
        if not known:
            return empty_sample()
        body, grade = known[choose_index([grade for _, grade in known], rng)]
        matrix = np.asarray(body.axes_zyx).T @ random_matrix(rng, 4.0, (0.88, 1.12), 0.03)
        shift = np.array([0.0, CROP_SHIFT_Y_MM, 0.0]) + rng.normal(0, 1.2, 3)
        middle = np.asarray(body.center_zyx) + matrix @ shift / WORKING_SPACING_MM
        grid = sample_grid(middle, matrix, CROP_SHAPE_ZYX, WORKING_SPACING_MM, rng, 0.0)
        hu, _ = sample_hu(scan, grid)
        whole = sample_mask(scan.labels, body.number, grid)
        whole, own = as_segmented(whole, sample_mask(scan.bodies, body.number, grid), rng)
        losses = np.asarray(body.losses) + rng.normal(0, LOSS_SD, 3)
        return pack_grading(hu, own, whole, losses, grade, _shape(body, grade))

    def _table(self, name: str) -> dict[str, int]:
        return grades_of(self._scans.files(name).name, self._grades)


def _grade(body: ScanBody, table: Mapping[str, int]) -> int | None:
    return table.get(level_numbered(body.number).name, body.grade)


def _shape(body: ScanBody, grade: int) -> int:
    if grade == 0:
        return SHAPE_NAMES.index("normal")
    # A reader's "normal" in the truth file cannot be the shape of what the table calls a fracture.
    if body.shape in SHAPE_NAMES[1:]:
        return SHAPE_NAMES.index(body.shape)
    largest = int(np.argmax(body.losses))
    return 1 + largest if body.losses[largest] >= SHAPE_LOSS else UNKNOWN
