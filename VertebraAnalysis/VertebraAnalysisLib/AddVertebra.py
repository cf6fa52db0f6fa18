"""Segments and measures a vertebra that the analysis missed, where a reader points at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from vertebra_core.analysis import Vertebra

from .AddedPlace import placeAmong
from .Coordinates import rasToLps
from .CoreCommand import CoreCommand
from .InputPlace import pointFromWorld
from .MeasuringRun import NEIGHBOURS, MeasuringRun
from .MovedVertebra import movedVertebra
from .ProgressLine import ProgressLine
from .RunOptions import RunOptions
from .SegmentShape import SegmentShape
from .UserError import UserError

if TYPE_CHECKING:
    from .ResultSet import ResultSet
    from .Review import Review

_REACH_MM = np.array([70.0, 100.0, 70.0])
"""CT around the point along the patient's axes: more than any vertebra and what it is told by."""


@dataclass(frozen=True)
class MissedVertebra:
    """A vertebra to be added to a review.

    Attributes
    ----------
    vertebra : Vertebra
        Named and measured, in the coordinates of the analysis.
    shape : SegmentShape
        For the segmentation of the vertebrae.
    body : SegmentShape or None
        For that of the bodies; None if there is none of both.
    """

    vertebra: Vertebra
    shape: SegmentShape
    body: SegmentShape | None


class AddVertebra(MeasuringRun):
    """Looks for a vertebra at a point; see `CoreRun` for `start`, `poll` and `cancel`.

    `onFinished` gets a `MissedVertebra`. Neither the scene nor the review is changed.

    Parameters
    ----------
    resultSet : ResultSet
    review : Review
        Gives the vertebrae that there are.
    pointRas : sequence of float
        In the body of the vertebra, world RAS mm.
    level : str
        What it is to be called.
    options : RunOptions
        Device and threads.
    onProgress, onFinished, onFailed, onCancelled, onLog, core
        As in `CoreRun`.
    """

    again = "Add the vertebra again."

    def __init__(
        self,
        resultSet: ResultSet,
        review: Review,
        pointRas: Sequence[float],
        level: str,
        options: RunOptions,
        onProgress: Callable[[ProgressLine], Any],
        onFinished: Callable[[MissedVertebra], Any],
        onFailed: Callable[[str, str], Any],
        onCancelled: Callable[[], Any],
        onLog: Callable[[str], Any],
        core: CoreCommand | None = None,
    ) -> None:
        callbacks = onProgress, onFinished, onFailed, onCancelled, onLog
        super().__init__(resultSet, review, options, *callbacks, core)
        self._heights = [v.ai.center_lps_mm[2] for v in review.accepted]
        self._pointRas, self._level = np.array(pointRas, float), level

    def _command(self, folder: Path) -> list[str]:
        around = np.array([self._pointRas - _REACH_MM, self._pointRas + _REACH_MM])
        ct, segmentation = self._export(folder, self._near(), around)
        add = rasToLps(self._pointRas), self._level
        return self._core.grade(ct, segmentation, folder / "results", self._options, add)

    def _read(self, resultFolder: Path) -> MissedVertebra:
        found = [v for v in self._analysis(resultFolder).vertebrae if v.level == self._level]
        files = {"labels": self._resultSet.segmentationNode, "bodies": self._resultSet.bodiesNode}
        shapes = {
            name: self._shapes(resultFolder / f"{name}.nii.gz", [self._level], node)[self._level]
            for name, node in files.items()
            if node is not None
        }
        if not found or shapes.get("labels") is None:
            raise UserError(
                "No vertebra was found at this point.", "Choose a point in the middle of its body."
            )
        vertebra = movedVertebra(found[0], self._fromWorld())
        return MissedVertebra(vertebra, shapes["labels"], shapes.get("bodies"))

    def _near(self) -> list[str]:
        """Keys of the vertebrae near the point."""
        height = pointFromWorld(self._resultSet, self._pointRas)[2]
        place = placeAmong(height, self._heights)
        return list(self._levels)[max(place - NEIGHBOURS, 0) : place + NEIGHBOURS]
