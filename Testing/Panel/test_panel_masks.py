"""Masks that are edited outside the panel, and that the row says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from result_folder import reopen, writeFolder

NOTE = "press Re-measure"


def noted(driver):
    """Levels of the rows that ask for a new measurement."""
    found = []
    for row, level in enumerate(driver.rows("Level")):
        driver.clickRow(row)
        assert (NOTE in driver.ui.detailsLabel.text) == ("mask" in driver.rows("Flags")[row])
        if NOTE in driver.ui.detailsLabel.text:
            found.append(level)
    return found


def paint(driver, slicer, level, cut):
    """Change a segment as an effect of Segment Editor does."""
    node = driver.panel.resultSet.segmentationNode
    segmentId = driver.panel.resultSet.segmentIdOfKey(driver.keyOf(level))
    image = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(segmentId, image)
    from vtk.util.numpy_support import vtk_to_numpy

    voxels = vtk_to_numpy(image.GetPointData().GetScalars())
    voxels[: len(voxels) // cut] = 0
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetBinaryLabelmapToSegment(image, node, segmentId, logic.MODE_REPLACE)
    driver.waitUntil(lambda: False, 0.4)


def testAHandEditedMaskIsNotedAtItsRowUntilItIsMeasuredAgain(driver, slicer):
    assert noted(driver) == []
    paint(driver, slicer, "L1", 2)
    assert noted(driver) == ["L1"]
    key = driver.keyOf("L1")
    measured = driver.panel.session.review.vertebra(key).ai
    driver.panel.session.change(lambda r, reader: r.setMeasurement(key, measured, reader))
    assert noted(driver) == []


def testUndoingAMeasurementAsksForItAgain(driver):
    key = driver.keyOf("L1")
    vertebra = driver.panel.session.review.vertebra(key).ai
    driver.panel.session.change(lambda r, reader: r.setMeasurement(
        key, replace(vertebra, volume_ml=20.0), reader))  # fmt: skip
    assert noted(driver) == []
    driver.click("undoButton")
    assert noted(driver) == ["L1"]


def testAnEditAfterTheMeasurementStaysNoted(driver, slicer):
    key = driver.keyOf("L1")
    measured = driver.panel.session.review.vertebra(key).ai
    driver.panel.session.change(lambda r, reader: r.setMeasurement(key, measured, reader))
    paint(driver, slicer, "L1", 2)
    driver.panel.session.restore({key})
    assert noted(driver) == ["L1"]


def testANeighbourThatLostVoxelsToTheEditIsNotedToo(driver, slicer):
    """Segments of one layer overwrite each other, which Slicer tells of the edited one only."""
    import numpy as np

    node = driver.panel.resultSet.segmentationNode
    results = driver.panel.resultSet
    ids = [results.segmentIdOfKey(driver.keyOf(level)) for level in ("L1", "L2")]
    voxels = slicer.util.arrayFromSegmentInternalBinaryLabelmap(node, ids[0])
    values = [node.GetSegmentation().GetSegment(i).GetLabelValue() for i in ids]
    voxels[np.argwhere(voxels == values[1])[0][0]] = 0
    node.GetSegmentation().GetSegment(ids[0]).GetRepresentation("Binary labelmap").Modified()
    driver.waitUntil(lambda: False, 0.4)
    assert noted(driver) == ["L2"]


def testTheNoteIsKeptInTheSceneAndBesideOtherResults(driver, slicer, tmp_path):
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    first = driver.panel.resultSet
    paint(driver, slicer, "L1", 2)
    other = SceneWriter().write(writeFolder(tmp_path / "again"), first.inputNode)
    driver.choose("resultsSelector", other.name)
    assert noted(driver) == []
    driver.choose("resultsSelector", first.name)
    assert noted(driver) == ["L1"]
    reopen(slicer, tmp_path / "kept.mrb")
    driver.settle()
    driver.choose("resultsSelector", first.name)
    assert noted(driver) == ["L1"]


def testWhatThePanelItselfWritesIsNoEdit(driver, slicer):
    driver.click("shiftDownButton")
    driver.click("surfacesCheckBox")
    driver.click("undoButton")
    driver.panel.enter()
    driver.waitUntil(lambda: False, 0.4)
    assert noted(driver) == []


@pytest.mark.parametrize("lost", ["node", "segment"])
def testADeletedMaskIsNotOpenedAndTheRowNotMarked(driver, slicer, lost):
    key, results = driver.keyOf("L1"), driver.panel.resultSet
    if lost == "node":
        slicer.mrmlScene.RemoveNode(results.segmentationNode)
    else:
        results.segmentationNode.GetSegmentation().RemoveSegment(results.segmentIdOfKey(key))
    driver.clickRow(1)
    driver.click("editSegmentButton")
    assert driver.panel.messages.kind == "error"
    assert "deleted" in driver.panel.messages.text
    assert NOTE not in driver.ui.detailsLabel.text
