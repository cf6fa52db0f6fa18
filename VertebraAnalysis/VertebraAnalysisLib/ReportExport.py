"""The report of results as they were reviewed: one HTML page with pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .CheckedVolume import checkedVolume
from .InputPlace import requireInputInPlace, resultsToWorld
from .LabelMapExport import LabelMapExport
from .MovedVertebra import movedVertebra
from .ResultSet import hasSegments
from .WholeFile import writeWhole

if TYPE_CHECKING:
    from vertebra_core.output.report_review import Reading
    from vertebra_core.volume import LabelVolume

    from .ResultSet import ResultSet
    from .Review import Review


def writeReport(resultSet: ResultSet, path: Path | str) -> None:
    """Write the report, whole or not at all; the scene is only read.

    Without the CT the pictures show outlines, without the segmentation there are none.

    Parameters
    ----------
    resultSet : ResultSet
    path : Path or str

    Raises
    ------
    UserError
        If the CT was moved since the analysis, or the file cannot be written.
    """
    from vertebra_core.output.report_html import report_html

    requireInputInPlace(resultSet)
    review = resultSet.loadReview()
    movement = resultsToWorld(resultSet)
    shown = tuple(movedVertebra(v.current, movement) for v in review.accepted)
    labels, bodies = _labels(resultSet) if shown else (None, None)
    page = report_html(
        replace(review.analysis, vertebrae=shown),
        checkedVolume(resultSet.inputNode) if labels is not None else None,
        labels,
        bodies.labels if bodies is not None else None,
        reading=readingOf(review),
    )
    writeWhole(path, page.encode("utf-8"))


def readingOf(review: Review) -> Reading:
    """Return what the report says about a review."""
    from vertebra_core.output.report_review import Correction, Reading

    standing = review.standingChanges
    done = {v.key for v in review.accepted if v.reviewed}
    # Whoever ticked it last stands for it.
    marks = {c.key: c.reader for c in standing if c.action == "reviewed" and c.key in done}
    return Reading(
        vertebrae=len(review.accepted),
        reviewed=len(done),
        readers=tuple(dict.fromkeys(marks.values())),
        corrections=tuple(
            Correction(review.vertebra(c.key).level, c.before, c.after, c.reader, c.time, c.reason)
            for c in standing
            if c.action != "reviewed"
        ),
        rejected=tuple(v.level for v in review.vertebrae if v.rejected),
        added=tuple(v.level for v in review.accepted if v.added),
    )


def _labels(resultSet: ResultSet) -> tuple[LabelVolume | None, LabelVolume | None]:
    """Vertebrae, and bodies on the same grid; None where there are none."""
    if not hasSegments(resultSet.segmentationNode):
        return None, None
    labels = LabelMapExport.labels(resultSet)
    if not hasSegments(resultSet.bodiesNode):
        return labels, replace(labels, labels=labels.labels * 0)
    return labels, LabelMapExport.labels(resultSet, bodies=True, grid=labels)
