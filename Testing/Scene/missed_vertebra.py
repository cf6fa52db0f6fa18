"""Results of the example that lack one vertebra, and that vertebra as adding it gives it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from result_folder import writeFolder

from example_analysis import LEVELS, example  # isort: skip - found by way of result_folder
from vertebra_core.output.label_map import write_label_map


def lackingFolder(folder: Path, *levels: str, flags: dict[str, Any] | None = None) -> Path:
    """Write the example as an analysis leaves it that missed some levels.

    Parameters
    ----------
    folder : Path
    levels : str
        What was missed.
    flags : dict, optional
        Level -> flags that it has instead of its own.
    """
    _, grid, bodies, analysis = example()
    gone = [LEVELS[level][0] for level in levels]
    kept = tuple(
        replace(v, flags=(flags or {}).get(v.level, v.flags))
        for v in analysis.vertebrae
        if v.level not in levels
    )
    labels = np.where(np.isin(grid.labels, gone), 0, grid.labels)
    writeFolder(folder, replace(analysis, vertebrae=kept), labels=labels)
    write_label_map(folder / "bodies.nii.gz", np.where(np.isin(bodies, gone), 0, bodies), grid)
    return folder


def measuredVertebra(level: str, name: str | None = None) -> Any:
    """Return a vertebra of the example as the core measures it under a name that is given."""
    vertebra = next(v for v in example()[3].vertebrae if v.level == level)
    return replace(
        vertebra,
        level=name or level,
        level_probability=None,
        runner_up_level=None,
        runner_up_probability=None,
    )


def missedVertebra(resultSet: Any, level: str, name: str | None = None) -> Any:
    """Return a vertebra of the example with its shapes, for results that lack it."""
    from VertebraAnalysisLib.AddVertebra import MissedVertebra
    from VertebraAnalysisLib.Coordinates import ijkToWorldOfVolume
    from VertebraAnalysisLib.LabelMapFile import LabelMapFile
    from VertebraAnalysisLib.SegmentShape import SegmentShape

    _, grid, bodies, _ = example()
    place = ijkToWorldOfVolume(resultSet.inputNode)
    shapes = [
        SegmentShape.fromLabelMap(LabelMapFile(array, (0, 0, 0), place), LEVELS[level][0], node)
        for array, node in (
            (grid.labels, resultSet.segmentationNode),
            (bodies, resultSet.bodiesNode or resultSet.segmentationNode),
        )
    ]
    return MissedVertebra(measuredVertebra(level, name), *shapes)
