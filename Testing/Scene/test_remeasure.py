"""An edited segment is measured again by the real core."""

from __future__ import annotations

import subprocess
import time

import numpy as np
import pytest
from small_phantom import smallPhantom  # noqa: F401 - a fixture
from VertebraAnalysisLib.Coordinates import matrixFromArray
from VertebraAnalysisLib.CoreCommand import CoreCommand
from VertebraAnalysisLib.CoreRun import CoreRun
from VertebraAnalysisLib.Remeasure import Remeasure
from VertebraAnalysisLib.ReviewSession import ReviewSession
from VertebraAnalysisLib.RunOptions import RunOptions
from VertebraAnalysisLib.SceneWriter import SceneWriter
from VertebraAnalysisLib.SegmentationExport import SegmentationExport
from VertebraAnalysisLib.UserError import UserError

OPTIONS = RunOptions(device="cpu", threads=1)


def finish(makeRun):
    """Run to the end and return what `onFinished` got."""
    ends = []
    run = makeRun(
        lambda progress: None,
        lambda result: ends.append(result),
        lambda message, hint: ends.append(UserError(message, hint)),
        lambda: ends.append(None),
        lambda line: None,
    )
    run.start()
    deadline = time.monotonic() + 600
    while not ends:
        assert time.monotonic() < deadline
        run.poll()
        time.sleep(0.05)
    return ends[0]


@pytest.fixture(scope="module")
def gradedFolder(smallPhantom, tmp_path_factory):  # noqa: F811
    """Results of grading the true vertebrae of the phantom."""
    folder = tmp_path_factory.mktemp("graded")
    core = CoreCommand()
    phantom = smallPhantom.folder
    command = core.grade(phantom / "ct.nii.gz", phantom / "labels.nii.gz", folder, OPTIONS)
    subprocess.run(command, env=core.environment(), check=True, capture_output=True, timeout=600)
    return folder


@pytest.fixture
def graded(slicer, smallPhantom, gradedFolder):  # noqa: F811
    """The graded vertebrae as a result set of the scene."""
    yield SceneWriter().write(gradedFolder, smallPhantom.addCtTo(slicer))
    if CoreRun._active is not None:
        CoreRun._active.cancel(wait=True)


def remeasured(resultSet, keys, review=None):
    """Measure vertebrae again, take that over as the panel does, and return it by key."""
    session = ReviewSession(SceneWriter(), lambda: "reader")
    session.open(resultSet)
    review = review or session.review
    scene = resultSet.scene
    nodes = scene.GetNumberOfNodes()
    found = finish(lambda *callbacks: Remeasure(resultSet, review, keys, OPTIONS, *callbacks))
    assert scene.GetNumberOfNodes() == nodes, "measuring leaves nothing behind"
    for key, measured in found.items():
        session.takeMeasurement(key, measured.vertebra, measured.body)
    return {key: measured.vertebra for key, measured in found.items()}


def cutTop(slicer, resultSet, key, shareMm):
    """Take the uppermost part off a segment, as with the eraser."""
    node, segmentId = resultSet.segmentationNode, resultSet.segmentIdOfKey(key)
    voxels = slicer.util.arrayFromSegmentInternalBinaryLabelmap(node, segmentId)
    own = voxels == node.GetSegmentation().GetSegment(segmentId).GetLabelValue()
    planes = np.nonzero(own.any((1, 2)))[0]
    spacing = resultSet.inputNode.GetSpacing()[2]
    count = round(shareMm / spacing)
    voxels[planes[-1] - count + 1 :][own[planes[-1] - count + 1 :]] = 0
    node.GetSegmentation().GetSegment(segmentId).Modified()


@pytest.mark.slow
def testEditedSegmentIsMeasuredAgainAndOthersAreNot(slicer, graded):
    review = graded.loadReview()
    measured = [v for v in review.vertebrae if v.heights_mm is not None]
    target = measured[len(measured) // 2]

    same = remeasured(graded, [target.key])
    assert list(same) == [target.key]
    assert same[target.key].level == target.level
    for name in ("anterior", "middle", "posterior"):
        before, after = (
            getattr(target.ai.heights_mm, name),
            getattr(same[target.key].heights_mm, name),
        )
        assert after == pytest.approx(before, abs=0.8)

    bodies = {v.key: bodyVoxels(slicer, graded, v.key) for v in review.vertebrae}
    cutTop(slicer, graded, target.key, 12.0)
    cut = remeasured(graded, [target.key])[target.key]
    assert cut.volume_ml < same[target.key].volume_ml - 1.0
    after = {key: bodyVoxels(slicer, graded, key) for key in bodies}
    vertebra = bodyVoxels(slicer, graded, target.key, False)
    assert bodies[target.key] - vertebra, "the old shape reaches into what was cut off"
    assert after[target.key] and after[target.key] <= vertebra
    assert [k for k in bodies if bodies[k] != after[k]] == [target.key], "no other is touched"


@pytest.mark.slow
def testWhatTheScanShowsWholeIsNotCutOffByTheBoxAroundTheSegments(slicer, graded):
    def cut(vertebra):
        return any(f.code == "cut_by_field_of_view" for f in vertebra.flags)

    review = graded.loadReview()
    keys = [v.key for v in review.vertebrae if not cut(v)]
    again = remeasured(graded, keys)
    assert keys and not [key for key in keys if cut(again[key])]


@pytest.mark.slow
def testBodiesFollowUnderATransform(slicer, graded):
    review = graded.loadReview()
    key = next(v.key for v in review.vertebrae if v.heights_mm is not None)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    matrix = np.eye(4)
    matrix[:3, 3] = 12.0, -5.0, 30.0
    transform.SetMatrixTransformToParent(matrixFromArray(matrix))
    for node in (graded.inputNode, graded.segmentationNode, graded.bodiesNode):
        node.SetAndObserveTransformNodeID(transform.GetID())
    cutTop(slicer, graded, key, 6.0)
    remeasured(graded, [key])
    body, vertebra = bodyVoxels(slicer, graded, key), bodyVoxels(slicer, graded, key, False)
    assert body and body <= vertebra


def bodyVoxels(slicer, resultSet, key, body=True):
    """World RAS of the voxels of a vertebra's body, or of the whole vertebra, in tenths of mm."""
    node = resultSet.bodiesNode if body else resultSet.segmentationNode
    segmentId = resultSet.segmentIdOfKey(key, bodies=body)
    if not segmentId:
        return set()
    labels = SegmentationExport.labels(node)
    number = next(n for n, own in labels.ids.items() if own == segmentId)
    ijk = np.argwhere(labels.voxels == number)[:, ::-1]
    world = ijk @ labels.ijkToWorld[:3, :3].T + labels.ijkToWorld[:3, 3]
    return set(map(tuple, np.rint(10 * world).astype(int).tolist()))


@pytest.mark.slow
def testLevelsAreThoseOfTheReview(slicer, graded):
    review = graded.loadReview()
    key = next(v.key for v in review.vertebrae if v.heights_mm is not None)
    review.shiftLevels(-1, "reader")
    assert remeasured(graded, [key], review)[key].level == review.vertebra(key).level


@pytest.mark.slow
def testWhatIsMissingIsToldAtOnce(slicer, graded):
    review = graded.loadReview()
    key = review.vertebrae[1].key
    segmentation = graded.segmentationNode.GetSegmentation()
    segmentation.RemoveSegment(graded.segmentIdOfKey(key))
    with pytest.raises(UserError, match="deleted"):
        remeasured(graded, [key], review)
    slicer.mrmlScene.RemoveNode(graded.segmentationNode)
    with pytest.raises(UserError, match="deleted"):
        remeasured(graded, [review.vertebrae[0].key], review)
    slicer.mrmlScene.RemoveNode(graded.inputNode)
    with pytest.raises(UserError, match="no longer"):
        remeasured(graded, [review.vertebrae[0].key], review)
