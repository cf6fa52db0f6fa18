"""A run of the core on some vertebrae of a result set, as they are in the scene now."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from vertebra_core.analysis import SpineAnalysis
from vertebra_core.analysis_json import read_analysis
from vertebra_core.errors import InputError
from vertebra_core.levels import level_named

from .Coordinates import ijkToWorldOfVolume
from .CoreCommand import CoreCommand
from .CoreRun import CoreRun
from .InputChecks import inputProblem
from .InputPlace import requireInputInPlace, resultsToWorld
from .LabelMapFile import LabelMapFile
from .ProgressLine import ProgressLine
from .RunOptions import RunOptions
from .SegmentationExport import SegmentationExport, SegmentLabels
from .SegmentShape import SegmentShape
from .UserError import UserError
from .VolumeExport import VolumeExport

if TYPE_CHECKING:
    from .ResultSet import ResultSet
    from .Review import Review

NEIGHBOURS = 3
"""Vertebrae on each side that are measured too: heights are compared with those nearby."""

_MARGIN_MM = 20.0
"""CT around the segments, so that nothing looks cut by the field of view."""


class MeasuringRun(CoreRun):
    """Base of `Remeasure` and `AddVertebra`: hands segments and the CT around them to ``grade``.

    Parameters
    ----------
    resultSet : ResultSet
    review : Review
        Gives the levels as they are now.
    options : RunOptions
        Device and threads.
    onProgress, onFinished, onFailed, onCancelled, onLog, core
        As in `CoreRun`.
    """

    again = ""
    """What a user does to try once more, as a sentence; see the subclass."""

    def __init__(
        self,
        resultSet: ResultSet,
        review: Review,
        options: RunOptions,
        onProgress: Callable[[ProgressLine], Any],
        onFinished: Callable[[Any], Any],
        onFailed: Callable[[str, str], Any],
        onCancelled: Callable[[], Any],
        onLog: Callable[[str], Any],
        core: CoreCommand | None = None,
    ) -> None:
        inputNode = resultSet.inputNode
        super().__init__(inputNode, onProgress, onFinished, onFailed, onCancelled, onLog, core)
        self._resultSet, self._options = resultSet, options
        self._levels = {v.key: v.level for v in review.accepted}

    def _check(self) -> None:
        if self._inputNode is None:
            raise UserError(
                "The CT of these results is no longer in the scene.", "Load it and analyze again."
            )
        problem = inputProblem(self._inputNode)
        if problem:
            raise UserError(problem)
        requireInputInPlace(self._resultSet)
        if self._resultSet.segmentationNode is None:
            raise UserError(
                "The segmentation of these results was deleted.", "Analyze the CT again."
            )

    def _export(
        self, folder: Path, keys: Collection[str], around: np.ndarray | None = None
    ) -> tuple[Path, Path]:
        """Write the segments of some vertebrae, and the CT around them.

        Parameters
        ----------
        folder : Path
        keys : collection of str
        around : ndarray, optional
            Points (n, 3), world RAS mm, that the CT is to reach too, as far as it goes.

        Returns
        -------
        ct, segmentation : Path
        """
        self._places = self._placesNow()
        ct, segmentation = folder / "ct.nrrd", folder / "segmentation.seg.nrrd"
        labels = SegmentationExport.labels(self._resultSet.segmentationNode)
        part = labels.part(self._numbersOf(labels, keys))
        corners = part.cornersRas()
        ends = [corners.min(0) - _MARGIN_MM, corners.max(0) + _MARGIN_MM]
        ends += [] if around is None else list(around)
        box = np.array([np.min(ends, 0), np.max(ends, 0)])
        VolumeExport.writePart(self._inputNode, ct, box[_CORNERS, [0, 1, 2]])
        part.framed().write(segmentation)
        return ct, segmentation

    def _analysis(self, resultFolder: Path) -> SpineAnalysis:
        """Return what ``grade`` found, in the world; refused if CT or results were moved since."""
        if not np.array_equal(self._placesNow(), self._places):
            raise UserError(
                "The CT or its results were moved while they were measured.", self.again
            )
        try:
            return read_analysis(resultFolder / "analysis.json")
        except InputError as error:
            raise UserError(error.message, error.hint) from error

    def _shapes(self, path: Path, levels: Collection[str], node: Any) -> dict[str, Any]:
        """Return level -> its `SegmentShape` in a label map for `node`, None where it has none."""
        labelMap = LabelMapFile.read(path, ijkToWorldOfVolume(self._inputNode))
        return {
            level: SegmentShape.fromLabelMap(labelMap, level_named(level).number, node)
            for level in levels
        }

    def _fromWorld(self) -> np.ndarray:
        """Matrix (4, 4) from the world to the coordinates of the analysis, RAS mm."""
        return np.linalg.inv(resultsToWorld(self._resultSet))

    def _placesNow(self) -> np.ndarray:
        """Matrices to the world of CT and results, shape (2, 4, 4)."""
        return np.array([ijkToWorldOfVolume(self._inputNode), resultsToWorld(self._resultSet)])

    def _numbersOf(self, labels: SegmentLabels, keys: Collection[str]) -> dict[int, str]:
        """Numbers of some vertebrae, as far as they have segments, with their levels."""
        keyOfSegment = {self._resultSet.segmentIdOfKey(key): key for key in keys}
        keyOfSegment.pop("", None)
        return {
            number: self._levels[keyOfSegment[segmentId]]
            for number, segmentId in labels.ids.items()
            if segmentId in keyOfSegment
        }


_CORNERS = np.array(list(np.ndindex(2, 2, 2)))
