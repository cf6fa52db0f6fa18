"""A CT in the scene, and the folder that an analysis of it leaves, by the core's own writers."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

CORE_TESTS = Path(__file__).resolve().parents[1] / "Core"
if str(CORE_TESTS) not in sys.path:
    sys.path.append(str(CORE_TESTS))

from example_analysis import example  # noqa: E402
from vertebra_core.analysis import SpineAnalysis  # noqa: E402
from vertebra_core.analysis_json import analysis_to_json  # noqa: E402
from vertebra_core.output.label_map import write_label_map  # noqa: E402
from vertebra_core.volume import CtVolume, LabelVolume  # noqa: E402
from VertebraAnalysisLib.Coordinates import LpsGeometry, ijkToRas, matrixFromArray  # noqa: E402

FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


def exampleCt(slicer: Any, name: str = "CT spine") -> Any:
    """Put the CT of the example, oblique and left-handed, into the scene."""
    ct, _, _, _ = example()
    return volumeNode(slicer, ct, name)


def volumeNode(slicer: Any, ct: CtVolume, name: str) -> Any:
    """Put a CT into the scene."""
    matrix = ijkToRas(LpsGeometry(ct.spacing_xyz_mm, ct.origin_lps_mm, ct.direction))
    return slicer.util.addVolumeFromArray(ct.hu, ijkToRAS=matrixFromArray(matrix), name=name)


def writeFolder(
    folder: Path,
    analysis: SpineAnalysis | None = None,
    move: Any = None,
    labels: np.ndarray | None = None,
) -> Path:
    """Write the example as `analyze` does.

    Parameters
    ----------
    folder : Path
    analysis : SpineAnalysis, optional
        Instead of the example's.
    move : callable, optional
        Maps LPS points (n, 3) to where the CT stands in the world, if it stands elsewhere.
    labels : ndarray, optional
        Instead of the example's.
    """
    _, own, bodies, shown = example()
    analysis = analysis or shown
    labels = own.labels if labels is None else labels
    grid = LabelVolume(labels, own.spacing_xyz_mm, own.origin_lps_mm, own.direction)
    if move is not None:
        grid = moved(grid, move)
        analysis = replace(
            analysis,
            vertebrae=tuple(movedVertebra(v, move) for v in analysis.vertebrae),
            manifest=replace(
                analysis.manifest,
                input_origin_lps_mm=grid.origin_lps_mm,
                input_direction=grid.direction,
            ),
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "analysis.json").write_text(analysis_to_json(analysis), "utf-8")
    write_label_map(folder / "labels.nii.gz", labels, grid)
    write_label_map(folder / "bodies.nii.gz", bodies, grid)
    return folder


def lpsMove(ras: np.ndarray) -> Any:
    """Return what `writeFolder` takes as `move`: a matrix, shape (4, 4), of RAS mm, on LPS."""
    matrix = FLIP @ ras @ FLIP
    return lambda points: np.asarray(points, float) @ matrix[:3, :3].T + matrix[:3, 3]


def moved(grid: LabelVolume, move: Any) -> LabelVolume:
    """Return a label map whose grid was moved rigidly."""
    origin = np.array(grid.origin_lps_mm)
    axes = np.array(grid.direction).reshape(3, 3)
    ends = move(np.vstack([origin, *(origin + axes[:, i] for i in range(3))]))
    turned = (ends[1:] - ends[0]).T
    return replace(
        grid,
        origin_lps_mm=tuple(ends[0].tolist()),
        direction=tuple(turned.ravel().tolist()),
    )


def movedVertebra(vertebra: Any, move: Any) -> Any:
    """Return a vertebra whose points were moved."""

    def at(point):
        return tuple(move(np.array([point]))[0].tolist())

    lines = {
        name: replace(line, top_lps_mm=at(line.top_lps_mm), bottom_lps_mm=at(line.bottom_lps_mm))
        for name, line in vertebra.height_lines.items()
    }
    return replace(vertebra, center_lps_mm=at(vertebra.center_lps_mm), height_lines=lines)


def reopen(slicer: Any, path: Path) -> None:
    """Save the scene as .mrb, close it, and open what was saved."""
    assert slicer.mrmlScene.WriteToMRB(str(path))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(path))


def segmentVoxelsRas(node: Any, segmentId: str) -> np.ndarray:
    """Return the world positions, RAS mm, shape (n, 3), of a segment's voxels."""
    import vtk
    from VertebraAnalysisLib.Coordinates import arrayFromMatrix
    from vtk.util.numpy_support import vtk_to_numpy

    segment = node.GetSegmentation().GetSegment(segmentId)
    image = segment.GetRepresentation("Binary labelmap")
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    extent = image.GetExtent()
    shape = image.GetDimensions()[::-1]
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape)
    ijk = np.argwhere(voxels == segment.GetLabelValue())[:, ::-1] + [
        extent[0],
        extent[2],
        extent[4],
    ]
    return ijk @ arrayFromMatrix(matrix)[:3, :3].T + arrayFromMatrix(matrix)[:3, 3]


def tag(segment: Any, name: str) -> str:
    """Return a segment's tag, empty if it has none."""
    import vtk

    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else ""
