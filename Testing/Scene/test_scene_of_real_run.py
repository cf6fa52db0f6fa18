"""Results of the real ``grade`` command on a phantom, written where the CT stands in the world."""

from __future__ import annotations

import time

import numpy as np
import pytest
from result_folder import reopen, segmentVoxelsRas
from small_phantom import smallPhantom  # noqa: F401 - a fixture
from vertebra_core.levels import level_named
from vertebra_core.reading import read_label_map
from VertebraAnalysisLib.AnalysisRun import AnalysisRun
from VertebraAnalysisLib.Coordinates import arrayFromMatrix, lpsToRas
from VertebraAnalysisLib.HeightEditing import HEIGHT_NAMES
from VertebraAnalysisLib.HeightLinesWriter import needsHeightLines
from VertebraAnalysisLib.InputPlace import requireInputInPlace
from VertebraAnalysisLib.LabelMapExport import LabelMapExport
from VertebraAnalysisLib.ResultSet import ResultSet
from VertebraAnalysisLib.RunOptions import RunOptions
from VertebraAnalysisLib.SceneWriter import SceneWriter

pytestmark = pytest.mark.slow

TIMEOUT_S = 400


@pytest.fixture
def placed(slicer, smallPhantom):  # noqa: F811
    """The CT and its true segmentation under a turned and shifted transform."""
    import vtk

    ct, segmentation = smallPhantom.addCtTo(slicer), smallPhantom.addSegmentationTo(slicer)
    transform = vtk.vtkTransform()
    transform.Translate(40, -25, 310)
    transform.RotateWXYZ(12, 1, 0.5, 2)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Pose")
    node.SetMatrixTransformToParent(transform.GetMatrix())
    for moved in (ct, segmentation):
        moved.SetAndObserveTransformNodeID(node.GetID())
    return ct, segmentation, arrayFromMatrix(transform.GetMatrix())


def gradeAndWrite(ct, options):
    written, problems = [], []
    run = AnalysisRun(
        ct,
        options,
        lambda progress: None,
        lambda folder: written.append(SceneWriter().write(folder, ct)),
        lambda message, hint: problems.append(f"{message} {hint}"),
        lambda: problems.append("cancelled"),
        lambda line: None,
    )
    run.start()
    deadline = time.monotonic() + TIMEOUT_S
    while not written and not problems and time.monotonic() < deadline:
        run.poll()
        time.sleep(0.05)
    assert not problems
    return written[0]


def trueVoxelsRas(phantom, number, world):
    truth = read_label_map(phantom.folder / "labels.nii.gz")
    points = truth.index_to_lps(np.argwhere(truth.labels == number)) * [-1.0, -1.0, 1.0]
    return points @ world[:3, :3].T + world[:3, 3]


def test_a_graded_ct_under_a_transform(slicer, smallPhantom, placed, tmp_path):  # noqa: F811
    ct, segmentation, world = placed
    options = RunOptions(device="cpu", threads=1, segmentationNode=segmentation)
    found = gradeAndWrite(ct, options)
    requireInputInPlace(found)
    review = found.loadReview()
    assert sum(v.heights_mm is not None for v in review.vertebrae) >= 3
    for vertebra in review.vertebrae:
        number = level_named(vertebra.level).number
        voxels = segmentVoxelsRas(found.segmentationNode, found.segmentIdOfKey(vertebra.key))
        truth = trueVoxelsRas(smallPhantom, number, world)
        assert len(voxels) == len(truth)
        assert np.abs(np.sort(voxels, 0) - np.sort(truth, 0)).max() < 1e-3
        centre = found.centersNode.GetNthControlPointPositionWorld(found.pointOfKey(vertebra.key))
        assert list(centre) == pytest.approx(lpsToRas(vertebra.center_lps_mm), abs=1e-4)
        body = segmentVoxelsRas(found.bodiesNode, found.segmentIdOfKey(vertebra.key, bodies=True))
        if not len(body):
            assert vertebra.heights_mm is None, "only an arch is in view"
            continue
        assert np.linalg.norm(body.mean(0) - np.array(centre)) < 6
        lines = [found.heightLineNodes.get((vertebra.key, name)) for name in HEIGHT_NAMES]
        assert all(lines) == (needsHeightLines(vertebra) and bool(vertebra.height_lines))
        for line in filter(None, lines):
            middle = np.mean([line.GetNthControlPointPositionWorld(i) for i in (0, 1)], 0)
            assert np.linalg.norm(body - middle, axis=1).min() < 4
    before = review.toJson()
    reopen(slicer, tmp_path / "graded.mrb")
    (again,) = ResultSet.findAll(slicer.mrmlScene)
    assert again.loadReview().toJson() == before
    exported = read_label_map(LabelMapExport.write(again, tmp_path / "labels.nii.gz"))
    truth = read_label_map(smallPhantom.folder / "labels.nii.gz")
    assert (exported.labels > 0).sum() == pytest.approx((truth.labels > 0).sum(), rel=0.001)


def test_a_region_of_interest_leaves_results_in_place(slicer, smallPhantom, placed):  # noqa: F811
    ct, segmentation, world = placed
    bounds = [0.0] * 6
    ct.GetRASBounds(bounds)
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    centre = [(bounds[2 * i] + bounds[2 * i + 1]) / 2 for i in range(3)]
    size = [bounds[2 * i + 1] - bounds[2 * i] for i in range(3)]
    roi.SetCenter(centre[0], centre[1], centre[2] + size[2] * 0.05)
    roi.SetSize(size[0], size[1], size[2] * 0.7)
    options = RunOptions(device="cpu", threads=1, segmentationNode=segmentation, roiNode=roi)
    found = gradeAndWrite(ct, options)
    requireInputInPlace(found)
    whole = 0
    for vertebra in found.loadReview().vertebrae:
        number = level_named(vertebra.level).number
        voxels = segmentVoxelsRas(found.segmentationNode, found.segmentIdOfKey(vertebra.key))
        truth = trueVoxelsRas(smallPhantom, number, world)
        gaps = np.array([np.abs(truth - p).max(1).min() for p in voxels[:: len(voxels) // 40 + 1]])
        assert gaps.max() < 1e-3
        whole += len(voxels) == len(truth)
    assert whole >= 2
