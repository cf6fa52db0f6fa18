"""Measuring a vertebra again in the panel, and taking that back, with a core that is scripted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from example_ct import suitableCt
from result_folder import segmentVoxelsRas, writeFolder
from ScriptedCore import ScriptedCore, leaves
from vertebra_core.output.label_map import write_label_map

SLOWLY = "time.sleep(0.5)\n"

CUT_VOXELS = 5
"""Uppermost slices of L1 that re-measuring leaves out of its body."""


def cutFolder(folder):
    """What grading gives when the top of L1 was erased: a lower body, and its volume."""
    from example_analysis import LEVELS, example

    _, grid, bodies, analysis = example()
    number, _ = LEVELS["L1"]
    top = np.argwhere(bodies == number)[:, 0].max()
    bodies[top - CUT_VOXELS + 1 :][bodies[top - CUT_VOXELS + 1 :] == number] = 0
    # Bodies of the others are other ones too, and must not be taken over.
    bodies[bodies == LEVELS["L2"][0]] = 0
    cut = tuple(replace(v, volume_ml=v.volume_ml - 10) for v in analysis.vertebrae)
    writeFolder(folder, replace(analysis, vertebrae=cut))
    write_label_map(folder / "bodies.nii.gz", bodies, grid)
    return folder


@pytest.fixture
def driver(openPanel, slicer, tmp_path):
    """A panel that shows the example, and whose core measures L1 with its top cut off."""
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    SceneWriter().write(writeFolder(tmp_path / "results"), suitableCt(slicer))
    return openPanel(core=ScriptedCore(leaves(cutFolder(tmp_path / "measured"))))


def place(slicer, shiftRas, *nodes):
    """Put nodes under one transform that shifts them."""
    from VertebraAnalysisLib.Coordinates import matrixFromArray

    matrix = np.eye(4)
    matrix[:3, 3] = shiftRas
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrixFromArray(matrix))
    for node in nodes:
        if node.IsA("vtkMRMLTransformableNode"):
            node.SetAndObserveTransformNodeID(transform.GetID())


def bodyVoxels(driver):
    """World RAS of the voxels of every body, in tenths of mm, by level."""
    found, node = {}, driver.panel.resultSet.bodiesNode
    for vertebra in driver.panel.session.vertebrae:
        segmentId = driver.panel.resultSet.segmentIdOfKey(vertebra.key, bodies=True)
        points = np.rint(10 * segmentVoxelsRas(node, segmentId)).astype(int)
        found[vertebra.level] = set(map(tuple, points.tolist()))
    return found


def remeasure(driver, level):
    driver.clickRow(driver.rows("Level").index(level))
    driver.click("remeasureButton")
    assert driver.waitUntil(lambda: not driver.panel.running), driver.panel.messages.text
    assert driver.panel.messages.text == f"{level} was measured again."


def volume(driver, level):
    return next(v.volume_ml for v in driver.panel.session.vertebrae if v.level == level)


def testAnUneditedMaskIsMeasuredAgainOnlyAfterAsking(driver):
    driver.clickRow(driver.rows("Level").index("L1"))
    driver.dialogs.yes = False
    driver.click("remeasureButton")
    assert not driver.panel.running and not driver.core.asked
    assert "was not edited" in driver.dialogs.questions[-1]
    driver.dialogs.yes = True
    remeasure(driver, "L1")


def testAnEditedMaskIsMeasuredWithoutAsking(driver, slicer):
    results = driver.panel.resultSet
    segment = results.segmentationNode.GetSegmentation().GetSegment(
        results.segmentIdOfKey(driver.keyOf("L1"))
    )
    image = segment.GetRepresentation("Binary labelmap")
    from vtk.util.numpy_support import vtk_to_numpy

    voxels = vtk_to_numpy(image.GetPointData().GetScalars())
    voxels[np.flatnonzero(voxels == segment.GetLabelValue())[:5]] = 0
    image.Modified()
    # At once: the stroke has not been told yet.
    remeasure(driver, "L1")
    assert not driver.dialogs.questions


def testUndoBringsBackTheBodyThatReMeasuringReshaped(driver):
    before = bodyVoxels(driver)
    remeasure(driver, "L1")
    cut = bodyVoxels(driver)
    assert cut["L1"] < before["L1"], "the body is that which was measured"
    assert len(cut["L1"]) == len(before["L1"]) * (13 - CUT_VOXELS) // 13
    assert {**cut, "L1": before["L1"]} == before, "no other is touched"
    assert volume(driver, "L1") == 38.25
    driver.click("undoButton")
    assert volume(driver, "L1") == 48.25
    assert bodyVoxels(driver) == before


def testUndoBringsTheBodyBackAfterReopeningAndRelabelling(driver, slicer, tmp_path):
    before = bodyVoxels(driver)
    remeasure(driver, "L1")
    driver.click("shiftUpButton")
    path = tmp_path / "measured.mrb"
    assert slicer.mrmlScene.WriteToMRB(str(path))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(path))
    driver.settle()
    assert [v.level for v in driver.panel.session.vertebrae] == ["T11", "T12", "L1"]
    driver.click("undoButton")
    assert len(bodyVoxels(driver)["L1"]) < len(before["L1"]), "only the last step is taken back"
    driver.click("undoButton")
    assert bodyVoxels(driver) == before


def testEveryMeasurementIsTakenBackByItself(driver, tmp_path):
    before = bodyVoxels(driver)
    remeasure(driver, "L1")
    once = bodyVoxels(driver)
    remeasure(driver, "T12")
    driver.click("undoButton")
    assert bodyVoxels(driver) == once and volume(driver, "L1") == 38.25
    driver.click("undoButton")
    assert bodyVoxels(driver) == before and not driver.ui.undoButton.enabled


def testABodyThatWasEmptyIsEmptyAgain(driver, slicer):
    results = driver.panel.resultSet
    key = next(v.key for v in driver.panel.session.vertebrae if v.level == "L1")
    node, segmentId = results.bodiesNode, results.segmentIdOfKey(key, bodies=True)
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        np.zeros(results.inputNode.GetImageData().GetDimensions()[::-1], np.uint8),
        node, segmentId, results.inputNode,
    )  # fmt: skip
    before = bodyVoxels(driver)
    assert not before["L1"]
    remeasure(driver, "L1")
    assert bodyVoxels(driver)["L1"]
    driver.click("undoButton")
    assert bodyVoxels(driver) == before


def startMeasuring(driver, script):
    """Choose L1 and let a core of its own measure it; returns its key."""
    driver.panel.services._core = ScriptedCore(script)
    driver.clickRow(driver.rows("Level").index("L1"))
    driver.click("remeasureButton")
    assert driver.panel.running
    return next(v.key for v in driver.panel.session.vertebrae if v.level == "L1")


def testResultsDeletedMeanwhileAreNotSaidToBeMeasured(driver, slicer, tmp_path):
    startMeasuring(driver, SLOWLY + leaves(cutFolder(tmp_path / "again")))
    slicer.mrmlScene.RemoveNode(driver.panel.resultSet.textNode)
    assert driver.waitUntil(lambda: not driver.panel.running)
    assert driver.panel.messages.kind == "warning"
    assert "L1 was measured again" not in driver.panel.messages.text


def testOtherResultsOpenedMeanwhileAreNotTouched(driver, slicer, tmp_path):
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    first = driver.panel.resultSet
    other = SceneWriter().write(writeFolder(tmp_path / "other"), first.inputNode)
    key = startMeasuring(driver, SLOWLY + leaves(cutFolder(tmp_path / "again")))
    driver.panel.parameters.results = other.textNode
    driver.settle()
    assert driver.panel.resultSet == other and driver.panel.running
    assert driver.waitUntil(lambda: not driver.panel.running)
    assert driver.panel.messages.kind == "warning"
    for results in (first, other):
        assert not results.loadReview().vertebra(key).remeasured


def testAMovedCtIsNotMeasured(driver, slicer):
    place(slicer, [15, -10, 30], driver.panel.resultSet.inputNode)
    driver.clickRow(driver.rows("Level").index("L1"))
    driver.click("remeasureButton")
    assert not driver.panel.running and driver.core.runs == 0
    assert driver.panel.messages.kind == "error"
    assert "not where it was" in driver.panel.messages.text


def testACtMovedWhileItIsMeasuredGivesNoMeasurement(driver, slicer, tmp_path):
    results = driver.panel.resultSet
    key = startMeasuring(driver, SLOWLY + leaves(cutFolder(tmp_path / "again")))
    place(slicer, [15, -10, 30], results.inputNode, *results.nodes)
    assert driver.waitUntil(lambda: not driver.panel.running)
    assert driver.panel.messages.kind == "error" and "moved" in driver.panel.messages.text
    assert not driver.panel.session.review.vertebra(key).remeasured


def testAMeasurementUnderACommonTransformIsKeptWhereTheAnalysisIs(driver, slicer, tmp_path):
    results = driver.panel.resultSet
    key = next(v.key for v in driver.panel.session.vertebrae if v.level == "L1")
    before = driver.panel.session.review.vertebra(key)
    place(slicer, [15, -10, 30], results.inputNode, *results.nodes)
    point = list(results.centersNode.GetNthControlPointPositionWorld(1))
    # What the core measures is in the world as it is now.
    folder = writeFolder(tmp_path / "moved", move=lambda lps: np.asarray(lps) + [-15, 10, 30])
    driver.panel.services._core = ScriptedCore(leaves(folder))
    remeasure(driver, "L1")
    after = driver.panel.session.review.vertebra(key)
    assert after.remeasured
    assert after.center_lps_mm == pytest.approx(before.center_lps_mm, abs=1e-4)
    assert list(results.centersNode.GetNthControlPointPositionWorld(1)) == pytest.approx(
        point, abs=1e-3
    )


def testUndoWorksWithoutTheBodies(driver, slicer):
    remeasure(driver, "L1")
    slicer.mrmlScene.RemoveNode(driver.panel.resultSet.bodiesNode)
    driver.click("undoButton")
    assert volume(driver, "L1") == 48.25


def testUndoPutsTheBodyWhereATransformHasTakenItsSegmentation(driver, slicer):
    from VertebraAnalysisLib.Coordinates import matrixFromArray

    node, before = driver.panel.resultSet.bodiesNode, bodyVoxels(driver)
    remeasure(driver, "L1")
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    turned = np.array([[0, -1, 0, 12.0], [1, 0, 0, -5.0], [0, 0, 1, 30.0], [0, 0, 0, 1]])
    transform.SetMatrixTransformToParent(matrixFromArray(turned))
    node.SetAndObserveTransformNodeID(transform.GetID())
    driver.click("undoButton")
    node.SetAndObserveTransformNodeID(None)
    assert bodyVoxels(driver) == before
