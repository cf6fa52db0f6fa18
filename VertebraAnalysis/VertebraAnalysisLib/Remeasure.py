"""Measures vertebrae again after their segments were edited."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from vertebra_core.analysis import Vertebra
from vertebra_core.analysis_json import read_analysis
from vertebra_core.errors import InputError
from vertebra_core.levels import level_named

from .Coordinates import ijkToWorldOfVolume
from .CoreCommand import CoreCommand
from .CoreRun import CoreRun
from .InputChecks import inputProblem
from .InputPlace import requireInputInPlace, resultsToWorld
from .LabelMapFile import LabelMapFile
from .MovedVertebra import movedVertebra
from .ProgressLine import ProgressLine
from .RunOptions import RunOptions
from .SegmentationExport import SegmentationExport, SegmentLabels
from .SegmentShape import SegmentShape
from .UserError import UserError
from .VolumeExport import VolumeExport

if TYPE_CHECKING:
    from .ResultSet import ResultSet
    from .Review import Review

_NEIGHBOURS = 3
"""Vertebrae on each side that are measured too: heights are compared with those nearby."""

_MARGIN_MM = 20.0
"""CT around the segments, so that nothing looks cut by the field of view."""


@dataclass(frozen=True)
class Measured:
    """What measuring a segment again gave.

    Attributes
    ----------
    vertebra : Vertebra
    body : SegmentShape or None
        What was measured, for the body's segment; None if the body could not be told apart in
        the vertebra, or there is no segmentation of bodies.
    """

    vertebra: Vertebra
    body: SegmentShape | None


class Remeasure(CoreRun):
    """Measures edited segments of a result set; see `CoreRun` for `start`, `poll` and `cancel`.

    Heights, density and volume come from the segments as they are now; `onFinished` gets a
    `Measured` for every key asked for. The scene is not changed.

    Parameters
    ----------
    resultSet : ResultSet
    review : Review
        Gives the levels as they are now.
    keys : iterable of str
        Vertebrae to measure.
    options : RunOptions
        Device and threads.
    onProgress, onFinished, onFailed, onCancelled, onLog, core
        As in `CoreRun`.
    """

    def __init__(
        self,
        resultSet: ResultSet,
        review: Review,
        keys: Iterable[str],
        options: RunOptions,
        onProgress: Callable[[ProgressLine], Any],
        onFinished: Callable[[dict[str, Measured]], Any],
        onFailed: Callable[[str, str], Any],
        onCancelled: Callable[[], Any],
        onLog: Callable[[str], Any],
        core: CoreCommand | None = None,
    ) -> None:
        inputNode = resultSet.inputNode
        super().__init__(inputNode, onProgress, onFinished, onFailed, onCancelled, onLog, core)
        self._resultSet, self._options = resultSet, options
        self._levels = {v.key: v.level for v in review.accepted}
        self._keys = tuple(keys)

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
        for key in self._keys:
            if key not in self._levels:
                raise UserError("What is no vertebra is not measured.", "Restore it first.")
            if not self._resultSet.segmentIdOfKey(key):
                raise UserError(
                    f"The segment of {self._levels[key]} was deleted.",
                    "Undo that, or analyze the CT again.",
                )

    def _command(self, folder: Path) -> list[str]:
        self._places = self._placesNow()
        ct, segmentation = folder / "ct.nrrd", folder / "segmentation.seg.nrrd"
        labels = SegmentationExport.labels(self._resultSet.segmentationNode)
        part = labels.part(self._numbers(labels))
        corners = part.cornersRas()
        low, high = corners.min(0) - _MARGIN_MM, corners.max(0) + _MARGIN_MM
        VolumeExport.writePart(self._inputNode, ct, np.array([low, high])[_CORNERS, [0, 1, 2]])
        part.framed().write(segmentation)
        return self._core.grade(ct, segmentation, folder / "results", self._options)

    def _read(self, resultFolder: Path) -> dict[str, Measured]:
        if not np.array_equal(self._placesNow(), self._places):
            raise UserError(
                "The CT or its results were moved while they were measured.", "Re-measure again."
            )
        try:
            analysis = read_analysis(resultFolder / "analysis.json")
        except InputError as error:
            raise UserError(error.message, error.hint) from error
        measured = {vertebra.level: vertebra for vertebra in analysis.vertebrae}
        for key in self._keys:
            if self._levels[key] not in measured:
                raise UserError(
                    f"The segment of {self._levels[key]} is too small to be measured.",
                    "Undo the last edit, or paint the vertebra again.",
                )
        shapes = self._bodies(resultFolder)
        # The core measures in the world, the review keeps the coordinates of the analysis.
        back = np.linalg.inv(resultsToWorld(self._resultSet))
        return {
            key: Measured(movedVertebra(measured[self._levels[key]], back), shapes.get(key))
            for key in self._keys
        }

    def _placesNow(self) -> np.ndarray:
        """Matrices to the world of CT and results, shape (2, 4, 4)."""
        return np.array([ijkToWorldOfVolume(self._inputNode), resultsToWorld(self._resultSet)])

    def _bodies(self, resultFolder: Path) -> dict[str, SegmentShape | None]:
        node = self._resultSet.bodiesNode
        if node is None:
            return {}
        grid = ijkToWorldOfVolume(self._inputNode)
        bodies = LabelMapFile.read(resultFolder / "bodies.nii.gz", grid)
        numbers = {key: level_named(self._levels[key]).number for key in self._keys}
        return {key: SegmentShape.fromLabelMap(bodies, n, node) for key, n in numbers.items()}

    def _numbers(self, labels: SegmentLabels) -> dict[int, str]:
        """Numbers of the vertebrae asked for and of those near them, with their levels."""
        keys = list(self._levels)
        near = {
            keys[i]
            for key in self._keys
            for i in range(len(keys))
            if abs(i - keys.index(key)) <= _NEIGHBOURS
        }
        keyOfSegment = {self._resultSet.segmentIdOfKey(key): key for key in near}
        keyOfSegment.pop("", None)
        return {
            number: self._levels[keyOfSegment[segmentId]]
            for number, segmentId in labels.ids.items()
            if segmentId in keyOfSegment
        }


_CORNERS = np.array(list(np.ndindex(2, 2, 2)))
