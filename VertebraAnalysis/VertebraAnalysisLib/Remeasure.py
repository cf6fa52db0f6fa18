"""Measures vertebrae again after their segments were edited."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertebra_core.analysis import Vertebra

from .CoreCommand import CoreCommand
from .MeasuringRun import NEIGHBOURS, MeasuringRun
from .MovedVertebra import movedVertebra
from .ProgressLine import ProgressLine
from .RunOptions import RunOptions
from .SegmentationExport import SegmentLabels
from .SegmentShape import SegmentShape
from .UserError import UserError

if TYPE_CHECKING:
    from .ResultSet import ResultSet
    from .Review import Review


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


class Remeasure(MeasuringRun):
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

    again = "Re-measure again."

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
        callbacks = onProgress, onFinished, onFailed, onCancelled, onLog
        super().__init__(resultSet, review, options, *callbacks, core)
        self._keys = tuple(keys)

    def _check(self) -> None:
        super()._check()
        for key in self._keys:
            if key not in self._levels:
                raise UserError("What is no vertebra is not measured.", "Restore it first.")
            if not self._resultSet.segmentIdOfKey(key):
                raise UserError(
                    f"{self._levels[key]} has no mask to measure.",
                    "If it was deleted, undo that; else analyze again.",
                )

    def _command(self, folder: Path) -> list[str]:
        ct, segmentation = self._export(folder, self._near())
        return self._core.grade(ct, segmentation, folder / "results", self._options)

    def _read(self, resultFolder: Path) -> dict[str, Measured]:
        measured = {vertebra.level: vertebra for vertebra in self._analysis(resultFolder).vertebrae}
        for key in self._keys:
            if self._levels[key] not in measured:
                raise UserError(
                    f"The segment of {self._levels[key]} is too small to be measured.",
                    "Undo the last edit, or paint the vertebra again.",
                )
        shapes, node = {}, self._resultSet.bodiesNode
        if node is not None:
            levels = [self._levels[key] for key in self._keys]
            shapes = self._shapes(resultFolder / "bodies.nii.gz", levels, node)
        # The core measures in the world, the review keeps the coordinates of the analysis.
        back = self._fromWorld()
        return {
            key: Measured(movedVertebra(measured[level], back), shapes.get(level))
            for key, level in ((key, self._levels[key]) for key in self._keys)
        }

    def _near(self) -> set[str]:
        """Keys of the vertebrae asked for and of those near them."""
        keys = list(self._levels)
        return {
            keys[i]
            for key in self._keys
            for i in range(len(keys))
            if abs(i - keys.index(key)) <= NEIGHBOURS
        }

    def _numbers(self, labels: SegmentLabels) -> dict[int, str]:
        """Numbers of the vertebrae asked for and of those near them, with their levels."""
        return self._numbersOf(labels, self._near())
