"""Adding a vertebra that the analysis missed: the button, a click in a view, the result."""

from __future__ import annotations

from dataclasses import replace

import pytest
from example_ct import suitableCt
from missed_vertebra import lackingFolder, measuredVertebra
from result_folder import example, writeFolder
from ScriptedCore import REFUSES, WAITS, ScriptedCore, leaves

SLOWLY = "time.sleep(0.5)\n"
NOTHING_THERE = REFUSES.replace("No vertebra was found.", "No vertebra was found at this point.")


def gradedFolder(folder):
    """What ``grade --add`` leaves: T12, L1 under a name that was given, and L2."""
    analysis = example()[3]
    own = {v.level: v for v in analysis.vertebrae} | {"L1": measuredVertebra("L1")}
    return writeFolder(folder, replace(analysis, vertebrae=tuple(own.values())))


@pytest.fixture
def driver(openPanel, slicer, tmp_path):
    """A panel that shows T12 and L2, and whose core finds L1."""
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    SceneWriter().write(lackingFolder(tmp_path / "results", "L1"), suitableCt(slicer))
    return openPanel(core=ScriptedCore(leaves(gradedFolder(tmp_path / "graded"))))


def nodes(slicer):
    selection = slicer.app.applicationLogic().GetSelectionNode()
    return selection, slicer.app.applicationLogic().GetInteractionNode()


def isPlacing(slicer):
    interaction = nodes(slicer)[1]
    return interaction.GetCurrentInteractionMode() == interaction.Place


def rasOf(level):
    x, y, z = next(v.center_lps_mm for v in example()[3].vertebrae if v.level == level)
    return -x, -y, z


def clickInView(driver, slicer, point):
    """Place a point as a view does: preview, position, and back to the usual mouse."""
    import vtk

    selection, interaction = nodes(slicer)
    node = slicer.mrmlScene.GetNodeByID(selection.GetActivePlaceNodeID())
    node.AddControlPoint(vtk.vtkVector3d(0, 0, 0), "")
    node.SetNthControlPointPosition(0, 0, 0, 0, node.PositionPreview)
    driver.settle()
    assert isPlacing(slicer), "a preview is no click"
    node.SetNthControlPointPositionWorld(0, *point, node.PositionDefined)
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)
    driver.settle()


def add(driver, slicer, point=None):
    driver.click("addVertebraButton")
    clickInView(driver, slicer, point or rasOf("L1"))


def finished(driver):
    return driver.waitUntil(lambda: not driver.panel.running)


def testAClickInAViewAddsTheMissingLevelAndJumpsToIt(driver, slicer):
    before = {v.key: v.current for v in driver.panel.session.vertebrae}
    add(driver, slicer)
    assert driver.panel.running and not driver.ui.addVertebraButton.enabled
    assert finished(driver) and driver.dialogs.questions == []
    assert driver.rows("Level") == ["T12", "L1*", "L2"]
    ((point, level),) = driver.core.added
    assert level == "L1"
    assert point == pytest.approx((-rasOf("L1")[0], -rasOf("L1")[1], rasOf("L1")[2]), abs=0.01)
    assert driver.panel.table.text(driver.panel.table.selectedKey, "Level") == "L1*"
    assert driver.ui.correctionBox.title == "Correct L1"
    assert driver.panel.messages.text == "L1 was added. Check its outline and its heights."
    assert "missed by the AI" in driver.ui.detailsLabel.text
    assert driver.panel.reader in driver.ui.detailsLabel.text
    assert driver.ui.summaryLabel.text.startswith("3 vertebrae")
    assert {v.key: v.current for v in driver.panel.session.vertebrae if v.key in before} == before
    assert driver.panel.resultSet.segmentIdOfKey(driver.panel.table.selectedKey)


def testWhatToDoIsSaidAndTheViewsAreGivenBack(driver, slicer):
    selection, interaction = nodes(slicer)
    selection.SetReferenceActivePlaceNodeClassName("vtkMRMLMarkupsLineNode")
    interaction.SetPlaceModePersistence(1)
    lists = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode")
    driver.click("addVertebraButton")
    assert isPlacing(slicer) and not interaction.GetPlaceModePersistence()
    assert "Click once into the body" in driver.panel.messages.text
    assert driver.ui.addVertebraButton.text == "Cancel adding"
    clickInView(driver, slicer, rasOf("L1"))
    assert not isPlacing(slicer)
    assert selection.GetActivePlaceNodeClassName() == "vtkMRMLMarkupsLineNode"
    assert interaction.GetPlaceModePersistence() == 1
    assert finished(driver)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == lists
    assert driver.ui.addVertebraButton.text == "Add missed vertebra..."


@pytest.mark.parametrize("how", ["button", "Escape", "another mouse mode", "another module"])
def testNothingIsAddedWhenItIsCancelled(driver, slicer, how):
    from PySide6 import QtCore, QtTest

    driver.click("addVertebraButton")
    assert isPlacing(slicer)
    if how == "button":
        driver.click("addVertebraButton")
    elif how == "Escape":
        driver.widget.activateWindow()
        driver.ui.resultsTable.setFocus()
        driver.settle()
        QtTest.QTest.keyClick(driver.ui.resultsTable, QtCore.Qt.Key_Escape)
    elif how == "another module":
        driver.panel.exit()
    else:
        interaction = nodes(slicer)[1]
        interaction.SetCurrentInteractionMode(interaction.ViewTransform)
    driver.settle()
    assert not isPlacing(slicer) and driver.core.runs == 0
    assert driver.panel.messages.text == "No vertebra was added."
    assert driver.ui.addVertebraButton.text == "Add missed vertebra..."
    assert driver.rows("Level") == ["T12", "L2"]
    add(driver, slicer)
    assert finished(driver) and driver.rows("Level") == ["T12", "L1*", "L2"]


def testUndoTakesTheRowAwayAndLeavesTheOtherChosen(driver, slicer):
    driver.clickRow(1)
    add(driver, slicer)
    assert finished(driver)
    driver.clickRow(2)
    chosen = driver.panel.table.selectedKey
    driver.click("undoButton")
    assert driver.rows("Level") == ["T12", "L2"]
    assert driver.panel.table.selectedKey == chosen
    assert not driver.ui.undoButton.enabled


def testTheRowOfWhatWasTakenBackIsNotChosenAnyMore(driver, slicer):
    add(driver, slicer)
    assert finished(driver)
    driver.click("undoButton")
    assert driver.panel.table.selectedKey == "" and driver.panel.review.selected is None
    driver.clickRow(0)
    assert driver.ui.correctionBox.title == "Correct T12"


def testItIsReviewedCorrectedAndRejectedLikeAnyOther(driver, slicer):
    add(driver, slicer)
    assert finished(driver)
    key = driver.panel.table.selectedKey
    driver.click("rejectButton")
    assert driver.ui.correctionBox.title == "L1 is no vertebra"
    assert driver.ui.summaryLabel.text.startswith("2 vertebrae")
    driver.click("rejectButton")
    driver.click("reviewedButton")
    assert driver.panel.session.review.vertebra(key).reviewed
    driver.click("shiftDownButton")
    assert driver.rows("Level") == ["L1*", "L2*", "L3*"]


def testAPlaceWithoutAFreeNameIsToldAndNothingRuns(driver, slicer):
    add(driver, slicer)
    assert finished(driver)
    (x, y, upper), lower = rasOf("L1"), rasOf("L2")
    add(driver, slicer, (x, y, (upper + lower[2]) / 2))
    assert driver.core.runs == 1 and not driver.panel.running
    assert driver.panel.messages.kind == "error"
    assert driver.panel.messages.text == (
        "There is no level free between L1 and L2. Rename the vertebrae above or below first."
    )


def testAClickIntoAVertebraThatIsThereSaysWhichItIs(driver, slicer):
    add(driver, slicer, rasOf("T12"))
    assert driver.core.runs == 0 and driver.panel.messages.kind == "error"
    assert driver.panel.messages.text == (
        "There is T12 already. Click into a body that has no outline yet."
    )
    driver.clickRow(0)
    driver.click("rejectButton")
    add(driver, slicer, rasOf("T12"))
    assert driver.core.added[0][1] == "L1", "what is no vertebra is not in the way"
    assert finished(driver)


def testWhereTwoNamesArePossibleTheReaderChooses(driver, slicer):
    x, y, z = rasOf("T12")
    driver.click("shiftDownButton")
    driver.dialogs.level = ""
    add(driver, slicer, (x, y, z + 30))
    assert driver.dialogs.levels == ("T12", "T13") and driver.core.runs == 0
    assert "Few spines have T13 or L6." in driver.dialogs.questions[-1]
    assert not isPlacing(slicer) and driver.rows("Level") == ["L1*", "L3*"]
    driver.dialogs.level = "T13"
    add(driver, slicer, (x, y, z + 30))
    assert driver.core.added[0][1] == "T13"
    assert finished(driver)


def testAClickBesideAllVertebraeChangesNothing(driver, slicer):
    text = driver.panel.resultSet.textNode.GetText()
    driver.panel.services._core = ScriptedCore(NOTHING_THERE)
    add(driver, slicer)
    assert finished(driver)
    assert driver.panel.messages.kind == "error"
    assert driver.panel.messages.text.startswith("No vertebra was found at this point.")
    assert driver.rows("Level") == ["T12", "L2"]
    assert driver.panel.resultSet.textNode.GetText() == text


def testAResultWithoutTheVertebraChangesNothing(driver, slicer, tmp_path):
    driver.panel.services._core = ScriptedCore(leaves(lackingFolder(tmp_path / "lacks", "L1")))
    add(driver, slicer)
    assert finished(driver)
    assert driver.panel.messages.kind == "error"
    assert driver.panel.messages.text.startswith("No vertebra was found at this point.")
    assert driver.rows("Level") == ["T12", "L2"]


def testCancellingTheRunAddsNothing(driver, slicer):
    driver.panel.services._core = ScriptedCore(WAITS)
    add(driver, slicer)
    assert driver.panel.running
    driver.click("analyzeButton")
    assert finished(driver) and driver.rows("Level") == ["T12", "L2"]
    assert driver.ui.addVertebraButton.enabled


def testOtherResultsOpenedMeanwhileAreNotTouched(driver, slicer, tmp_path):
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    first = driver.panel.resultSet
    folder = lackingFolder(tmp_path / "other", "L1")
    other = SceneWriter().write(folder, first.inputNode)
    driver.panel.services._core = ScriptedCore(SLOWLY + leaves(gradedFolder(tmp_path / "late")))
    add(driver, slicer)
    driver.panel.parameters.results = other.textNode
    driver.settle()
    assert finished(driver) and driver.panel.messages.kind == "warning"
    assert "L1 was not added" in driver.panel.messages.text
    for results in (first, other):
        assert len(results.loadReview().vertebrae) == 2


def testOpeningOtherResultsEndsWaitingForAClick(driver, slicer, tmp_path):
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    folder = lackingFolder(tmp_path / "other", "L1")
    other = SceneWriter().write(folder, driver.panel.resultSet.inputNode)
    driver.click("addVertebraButton")
    driver.panel.parameters.results = other.textNode
    driver.settle()
    assert driver.panel.resultSet == other and not isPlacing(slicer)


def testClosingTheSceneEndsWaitingForAClick(driver, slicer):
    driver.click("addVertebraButton")
    slicer.mrmlScene.Clear(False)
    driver.settle()
    assert not isPlacing(slicer) and not driver.ui.addVertebraButton.enabled
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0


def testWithoutTheCtOrWithAMovedOneItIsToldBeforeTheClick(driver, slicer):
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    import vtk

    shift = vtk.vtkMatrix4x4()
    shift.SetElement(0, 3, 15)
    transform.SetMatrixTransformToParent(shift)
    results = driver.panel.resultSet
    results.inputNode.SetAndObserveTransformNodeID(transform.GetID())
    driver.click("addVertebraButton")
    assert not isPlacing(slicer) and "not where it was" in driver.panel.messages.text
    slicer.mrmlScene.RemoveNode(results.inputNode)
    driver.settle()
    driver.click("addVertebraButton")
    assert not isPlacing(slicer) and "no longer in the scene" in driver.panel.messages.text


def testWithoutTheSegmentationItIsToldBeforeTheClick(driver, slicer):
    slicer.mrmlScene.RemoveNode(driver.panel.resultSet.segmentationNode)
    driver.settle()
    driver.click("addVertebraButton")
    assert not isPlacing(slicer)
    assert driver.panel.messages.kind == "error"
    assert "segmentation of these results was deleted" in driver.panel.messages.text


def testThePointIsTakenToWhereTheResultsWereWhenTheyLieUnderATransform(driver, slicer):
    import vtk

    results, matrix = driver.panel.resultSet, vtk.vtkMatrix4x4()
    matrix.SetElement(2, 3, 200)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix)
    for node in (results.inputNode, *results.nodes):
        if node.IsA("vtkMRMLTransformableNode"):
            node.SetAndObserveTransformNodeID(transform.GetID())
    x, y, z = rasOf("L1")
    driver.panel.services._core = core = ScriptedCore(WAITS)
    add(driver, slicer, (x, y, z + 200))
    ((point, level),) = core.added
    assert level == "L1", "between T12 and L2, not far above both"
    assert point[2] == pytest.approx(z + 200, abs=0.01), "the core works in the world"
    driver.panel.runs.cancel(wait=True)


def testItIsThereInTheSavedScene(driver, slicer, tmp_path):
    add(driver, slicer)
    assert finished(driver)
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    driver.settle()
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    driver.settle()
    assert driver.rows("Level") == ["T12", "L1*", "L2"]
    driver.click("undoButton")
    assert driver.rows("Level") == ["T12", "L2"]
