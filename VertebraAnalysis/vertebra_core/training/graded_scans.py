"""Samples for the grade head from labelled scans whose fractures a reader has graded."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..evaluation.case_files import CaseFiles
from ..evaluation.case_loading import named_errors
from ..evaluation.grade_matching import grades_by_case, names_without_case
from ..evaluation.grade_table import read_grades
from ..evaluation.truth_files import read_truth_file
from ..grading.network import CROP_SHAPE_ZYX, CROP_SHIFT_Y_MM
from ..grading.shape_names import FRACTURE_SHAPES, SHAPE_NAMES
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
from .label_arguments import LabelledData
from .labelled_scans import LabelledScans
from .scan_bodies import ScanBody
from .scan_sampling import sample_grid, sample_hu, sample_mask
from .sources import Sample

_log = logging.getLogger(__name__)

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
        everyone = self._scans.everyone()
        # Matched with all scans: a name that could also mean one held aside is no name.
        case_names = [files.name for files in everyone.values()]
        by_case = grades_by_case(case_names, grades)
        self._tables = dict(zip(everyone, by_case, strict=True))
        names = self._scans.names()
        self._names = [n for n in names if self._tables[n] or _is_graded(self._scans.files(n))]
        if not validation:
            _log.info("%d of %d scans to train on have grades", len(self._names), len(names))
            left = names_without_case(case_names, grades)
            if left:
                _log.info("table of grades: %s", left)

    def names(self) -> list[str]:
        """Return the names of the scans with grades."""
        return list(self._names)

    def no_case(self) -> InputError:
        """Return the error that tells that there is no scan with grades."""
        if not self._scans.names():
            return self._scans.no_case()
        return InputError(
            "no_graded_scan",
            "None of the labelled scans to train on has a grade.",
            'Give a table by --grades, or "grade" for each vertebra in NAME_truth.json.',
        )

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a body from the scan `name`."""
        scan, table = self._scans.load(name), self._tables[name]
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


def graded_scans(
    labels: LabelledData, out: Path, table: Path | None, validation: bool = False
) -> LabelledGradingSource | None:
    """Return the graded scans of a training that writes to `out`; None without labelled scans.

    Raises
    ------
    InputError
        If the table of grades cannot be read, is of none of the scans, or there are no scans.
    """
    if labels.folders:
        grades = read_grades(table) if table else {}
        return LabelledGradingSource(labels.folders, labels.cache_in(out), grades, validation)
    if table:
        raise InputError(
            "grades_without_scans",
            f"The grades in {table} are of no scans: none are given.",
            "Name the folders of the labelled scans by --labels.",
        )
    return None


def _is_graded(files: CaseFiles) -> bool:
    """Tell whether a scan's truth file holds a grade."""
    if files.truth is None:
        return False
    with named_errors(files):
        _, facts = read_truth_file(files.truth)
    return any(fact.grade is not None for fact in facts.values())


def _grade(body: ScanBody, table: Mapping[str, int]) -> int | None:
    return table.get(level_numbered(body.number).name, body.grade)


def _shape(body: ScanBody, grade: int) -> int:
    if grade == 0:
        return SHAPE_NAMES.index("normal")
    # A reader's "normal" in the truth file cannot be the shape of what the table calls a fracture.
    if body.shape in FRACTURE_SHAPES:
        return SHAPE_NAMES.index(body.shape)
    largest = int(np.argmax(body.losses))
    return 1 + largest if body.losses[largest] >= SHAPE_LOSS else UNKNOWN
