"""Reviewing results in the panel: the real review and the real scene."""

from __future__ import annotations

import json

import pytest
from example_ct import suitableCt
from result_folder import writeFolder


@pytest.fixture
def driver(openPanel, slicer, tmp_path):
    """A panel that shows the example: T12 G0, L1 G1 wedge, borderline, L2 not graded."""
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    ct = suitableCt(slicer)
    SceneWriter().write(writeFolder(tmp_path / "results"), ct)
    opened = openPanel()
    assert opened.panel.session.isOpen, "results of the scene are shown when the panel opens"
    return opened


def selectLevel(driver, level):
    driver.clickRow(driver.rows("Level").index(level))
    return driver.keyOf(level)


def segmentNames(driver):
    segmentation = driver.panel.resultSet.segmentationNode.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(i) for i in range(segmentation.GetNumberOfSegments())]
    return {i: segmentation.GetSegment(i).GetName() for i in ids}


def testRowsRunFromHeadToFootWithGradesAsText(driver):
    assert driver.rows("Level") == ["T12", "L1", "L2"]
    grades = driver.rows("Grade")
    assert [text.split()[-1] for text in grades[:2]] == ["G0", "G1?"]
    assert grades[2] == "\N{EN DASH}"
    assert driver.rows("Shape")[1] == "wedge"
    assert driver.rows("Loss")[1].endswith("%")


def testClickingARowBringsTheVertebraIntoViewAndSaysWhatIsKnown(driver, slicer):
    scene = slicer.mrmlScene
    view = scene.AddNode(slicer.vtkMRMLSliceNode())
    view.SetLayoutName("Yellow")
    view.SetOrientation("Sagittal")
    key = selectLevel(driver, "L1")
    x, y, z = driver.panel.session.review.vertebra(key).center_lps_mm
    matrix = view.GetSliceToRAS()
    shown = [matrix.GetElement(i, 3) for i in range(3)]
    assert shown == pytest.approx([-x, -y, z], abs=1e-3)
    assert "L1" in driver.ui.detailsLabel.text
    assert driver.ui.correctionBox.title == "Correct L1"
    assert driver.ui.levelSelector.currentText == "L1"


def testClickingAPointSelectsItsRow(driver, slicer):
    points = driver.panel.resultSet.centersNode
    display = points.GetDisplayNode()
    event = slicer.vtkMRMLMarkupsDisplayNode
    display.SetActiveComponent(event.ComponentControlPoint, 2, "Red")
    display.InvokeEvent(event.JumpToPointEvent)
    driver.settle()
    assert driver.panel.table.selectedKey == driver.keyOf("L2")


def testSettingALevelRenamesAllAndUndoBringsTheNamesBack(driver):
    selectLevel(driver, "L1")
    driver.choose("levelSelector", "T12")
    driver.click("setLevelButton")
    assert driver.rows("Level") == ["T11*", "T12*", "L1*"]
    assert segmentNames(driver) == {
        "vertebra_T11": "T11", "vertebra_T12": "T12", "vertebra_L1": "L1",
    }  # fmt: skip
    driver.click("undoButton")
    assert driver.rows("Level") == ["T12", "L1", "L2"]
    assert list(segmentNames(driver)) == ["vertebra_T12", "vertebra_L1", "vertebra_L2"]
    assert not driver.ui.undoButton.enabled


def testShiftingGoesBothWays(driver):
    driver.click("shiftDownButton")
    assert driver.rows("Level") == ["L1*", "L2*", "L3*"]
    driver.click("shiftUpButton")
    assert driver.rows("Level") == ["T12", "L1", "L2"]


def testImpossibleLevelIsRefusedAndNothingChanges(driver):
    selectLevel(driver, "L1")
    driver.choose("levelSelector", "C1")
    driver.click("setLevelButton")
    assert driver.panel.messages.kind == "error"
    assert driver.rows("Level") == ["T12", "L1", "L2"]
    assert driver.ui.levelSelector.currentText == "L1"


def testSecondChoiceOfLevelsIsOneClickWhereThereIsOne(driver):
    labelling = driver.panel.session.review.runnerUpLabelling()
    assert driver.ui.runnerUpButton.isVisible() == (labelling is not None)
    if labelling is None:
        pytest.skip("the example has no second choice")
    driver.click("runnerUpButton")
    assert [text.rstrip("*") for text in driver.rows("Level")] == list(labelling.values())


def testOverrideNeedsAReasonAndKeepsBothValues(driver):
    key = selectLevel(driver, "L1")
    driver.choose("gradeSelector", "G2")
    driver.ui.reasonSelector.setEditText("")
    driver.click("overrideButton")
    assert driver.panel.messages.kind == "error"
    assert driver.panel.session.review.vertebra(key).grade == 1
    driver.ui.reasonSelector.setEditText("Schmorl node")
    driver.press("reasonSelector", "Return")
    vertebra = driver.panel.session.review.vertebra(key)
    assert (vertebra.ai.grade, vertebra.grade, vertebra.reason) == (1, 2, "Schmorl node")
    assert driver.panel.table.text(key, "Grade").endswith("G2*")
    assert "AI" in driver.ui.detailsLabel.text
    assert driver.panel.messages.kind == ""
    change = driver.panel.session.review.changes[-1]
    assert (change.action, change.reason) == ("grade", "Schmorl node")
    assert f"{change.reader}: G1 wedge, borderline" in driver.ui.detailsLabel.text
    driver.choose("gradeSelector", "as measured")
    driver.click("overrideButton")
    assert driver.panel.session.review.vertebra(key).grade == 1
    assert not driver.panel.session.review.vertebra(key).gradeOverridden


def lineOf(driver, key, name):
    return driver.panel.resultSet.heightLineNodes[key, name]


def moveTop(line, mm):
    x, y, z = line.GetNthControlPointPositionWorld(0)
    line.SetNthControlPointPositionWorld(0, x, y, z + mm)


def testDraggingAHeightLineShowsTheGradeAtOnceAndKeepsItAtTheEnd(driver, slicer):
    key = selectLevel(driver, "L1")
    line = lineOf(driver, key, "anterior")
    before = driver.panel.table.text(key, "Ha")
    node = slicer.vtkMRMLMarkupsNode
    line.InvokeEvent(node.PointStartInteractionEvent)
    for _ in range(5):
        moveTop(line, -1)
        driver.settle()
    assert driver.waitUntil(lambda: driver.panel.table.text(key, "Ha") != before)
    assert not driver.panel.session.review.changes, "nothing is kept while the mouse is down"
    line.InvokeEvent(node.PointEndInteractionEvent)
    driver.settle()
    vertebra = driver.panel.session.review.vertebra(key)
    assert vertebra.heightsChanged
    assert driver.panel.table.text(key, "Ha") == f"{vertebra.heights_mm.anterior:.1f}*"
    assert driver.panel.table.text(key, "Loss").endswith("*")
    assert len(driver.panel.session.review.changes) == 1, "a drag is one change"
    driver.click("undoButton")
    assert driver.panel.table.text(key, "Ha") == before
    end = lineOf(driver, key, "anterior").GetNthControlPointPositionWorld(0)
    x, y, z = vertebra.ai.height_lines["anterior"].top_lps_mm
    assert list(end) == pytest.approx([-x, -y, z], abs=1e-2)


def testLineThatIsNoHeightIsPutBack(driver, slicer):
    key = selectLevel(driver, "L1")
    line = lineOf(driver, key, "anterior")
    before = list(line.GetNthControlPointPositionWorld(0))
    line.SetNthControlPointPositionWorld(0, *line.GetNthControlPointPositionWorld(1))
    assert driver.waitUntil(lambda: driver.panel.messages.kind == "error")
    assert list(line.GetNthControlPointPositionWorld(0)) == pytest.approx(before, abs=1e-3)
    assert not driver.panel.session.review.changes


def testReviewedGoesToTheNextAndCountsDown(driver):
    selectLevel(driver, "T12")
    driver.click("reviewedButton")
    assert driver.panel.table.selectedKey == driver.keyOf("L1")
    assert "2 left to review" in driver.ui.summaryLabel.text
    driver.press("resultsTable", "R")
    assert "1 left to review" in driver.ui.summaryLabel.text
    driver.press("resultsTable", "U")
    assert "2 left to review" in driver.ui.summaryLabel.text
    driver.click("acceptAllButton")
    assert "all reviewed" in driver.ui.summaryLabel.text
    assert not driver.ui.acceptAllButton.enabled
    driver.click("undoButton")
    assert "2 left to review" in driver.ui.summaryLabel.text


def testTickInTheTableMarksReviewed(driver):
    key = selectLevel(driver, "L2")
    item = driver.ui.resultsTable.item(2, 0)
    import qt

    item.setCheckState(qt.Qt.Checked)
    driver.settle()
    assert driver.panel.session.review.vertebra(key).reviewed


def testArrowKeysWalkThroughTheVertebrae(driver):
    selectLevel(driver, "T12")
    driver.press("resultsTable", "Down")
    assert driver.panel.table.selectedKey == driver.keyOf("L1")
    assert driver.ui.correctionBox.title == "Correct L1"


def testExportsHoldBothValues(driver, tmp_path):
    selectLevel(driver, "L1")
    driver.ui.reasonSelector.setEditText("seen otherwise")
    driver.choose("gradeSelector", "G3")
    driver.click("overrideButton")
    folder = tmp_path / "Ergebnisse \u00e4\u00f6\u00fc"
    folder.mkdir()
    driver.dialogs.path = str(folder / "out.csv")
    driver.click("exportCsvButton")
    assert driver.panel.messages.kind == "information"
    assert "seen otherwise" in (folder / "out.csv").read_text("utf-8")
    driver.dialogs.path = str(folder / "out.json")
    driver.click("exportJsonButton")
    content = json.loads((folder / "out.json").read_text("utf-8"))
    assert content["vertebrae"][1]["grade"] == 1
    assert content["review"]["changes"]
    driver.dialogs.path = str(folder / "labels.nii.gz")
    driver.click("exportLabelsButton")
    assert (folder / "labels.nii.gz").stat().st_size > 0


def testFileThatCannotBeWrittenIsToldPlainly(driver, tmp_path):
    driver.dialogs.path = str(tmp_path / "missing" / "out.csv")
    driver.click("exportCsvButton")
    assert driver.panel.messages.kind == "error"


def testSurfacesAreMadeOnDemand(driver):
    node = driver.panel.resultSet.segmentationNode
    assert not node.GetSegmentation().ContainsRepresentation("Closed surface")
    driver.click("surfacesCheckBox")
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")
    driver.click("surfacesCheckBox")
    assert not node.GetDisplayNode().GetVisibility3D()


def testSavedSceneIsReviewedOn(driver, slicer, tmp_path):
    selectLevel(driver, "L1")
    driver.choose("gradeSelector", "G3")
    driver.ui.reasonSelector.setEditText("kept")
    driver.click("overrideButton")
    driver.click("reviewedButton")
    path = tmp_path / "case 1 \u00e9.mrb"
    assert slicer.mrmlScene.WriteToMRB(str(path))
    slicer.mrmlScene.Clear(False)
    driver.settle()
    assert not driver.panel.session.isOpen
    assert slicer.mrmlScene.ReadFromMRB(str(path))
    driver.settle()
    assert driver.rows("Grade")[1].endswith("G3*")
    assert "2 left to review" in driver.ui.summaryLabel.text
    driver.click("undoButton")
    driver.click("undoButton")
    assert driver.rows("Grade")[1].endswith("G1?")
    selectLevel(driver, "L2")
    driver.choose("levelSelector", "L3")
    driver.click("setLevelButton")
    assert driver.rows("Level") == ["L1*", "L2*", "L3*"]


def testRemovingTheResultsEmptiesThePanel(driver, slicer):
    slicer.mrmlScene.RemoveNode(driver.panel.resultSet.textNode)
    driver.settle()
    assert not driver.panel.session.isOpen
    assert driver.panel.table.keys == ()
    assert not driver.ui.resultsSection.enabled


def testAbsentLevelIsReachedByLettingOnlyThoseBelowFollow(driver):
    selectLevel(driver, "L1")
    driver.choose("scopeSelector", "those below")
    driver.choose("levelSelector", "L2")
    driver.click("setLevelButton")
    assert driver.rows("Level") == ["T12", "L2*", "L3*"]


def testOtherResultsOfTheSceneAreOneChoiceAway(driver, slicer, tmp_path):
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    first = driver.panel.resultSet
    driver.click("shiftDownButton")
    second = SceneWriter().write(writeFolder(tmp_path / "again"), first.inputNode)
    driver.choose("resultsSelector", second.name)
    assert driver.rows("Level") == ["T12", "L1", "L2"]
    driver.choose("resultsSelector", first.name)
    assert driver.rows("Level") == ["L1*", "L2*", "L3*"]


def testHeightLinesOfAnIntactBodyAreShownOnRequest(driver):
    key = selectLevel(driver, "T12")
    assert (key, "anterior") not in driver.panel.resultSet.heightLineNodes
    driver.click("heightLinesCheckBox")
    line = lineOf(driver, key, "anterior")
    moveTop(line, -3)
    assert driver.waitUntil(lambda: driver.panel.session.review.vertebra(key).heightsChanged)
    driver.click("heightLinesCheckBox")
    assert not line.GetDisplayVisibility()


@pytest.mark.parametrize("column", range(10))
def testEveryCellOfARowHighlightsIt(driver, column):
    def highlighted():
        return {index.row() for index in driver.ui.resultsTable.selectedIndexes()}

    driver.clickRow(0, 3)
    driver.clickRow(1, column)
    assert highlighted() == {1}
    driver.press("resultsTable", "Down")
    assert highlighted() == {2}
    assert driver.panel.table.selectedKey == driver.keyOf("L2")


@pytest.mark.parametrize(
    ("levels", "graded", "told"),
    [
        (["T12", "L1"], True, "2 vertebrae \u00b7 1 fractured \u00b7 2 left to review"),
        (["T12"], True, "1 vertebra \u00b7 none fractured \u00b7 1 left to review"),
        (["T12", "L2"], True,
         "2 vertebrae \u00b7 none fractured \u00b7 1 not graded \u00b7 2 left to review"),
        (["T12", "L1"], False, "2 vertebrae \u00b7 none graded \u00b7 2 left to review"),
        ([], True, "No vertebra was found"),
    ],
)  # fmt: skip
def testSummaryClaimsNothingOfWhatWasNotGraded(slicer, levels, graded, told):
    from dataclasses import replace

    from example_analysis import example
    from vertebra_core.analysis_json import analysis_to_json
    from VertebraAnalysisLib.Review import Review
    from VertebraAnalysisLib.ReviewSection import summary

    analysis = example()[3]
    found = [v for v in analysis.vertebrae if v.level in levels]
    if not graded:
        found = [replace(analysis.vertebrae[2], level=v.level) for v in found]
    text = analysis_to_json(replace(analysis, vertebrae=tuple(found)))
    assert summary(Review.fromJson(text)) == told


def testADamagedAnalysisSaysWhatToDoInThePanel(driver):
    results = driver.panel.resultSet
    driver.choose("resultsSelector", "None")
    results.textNode.SetText("{}")
    driver.choose("resultsSelector", results.name)
    assert driver.panel.messages.kind == "error"
    assert driver.panel.messages.text.endswith("Analyze the CT again.")


def testNamesAreNotTakenForMarkup(driver, slicer):
    driver.panel.messages.error("<b>a & b</b>")
    assert driver.ui.messageLabel.text == "<b>a & b</b>"

    import qt

    assert driver.ui.messageLabel.textFormat == qt.Qt.PlainText


def testTurningTheWheelOverALevelRenamesNothing(driver):
    selectLevel(driver, "L1")
    driver.choose("levelSelector", "L3")
    assert driver.rows("Level") == ["T12", "L1", "L2"]


def testReasonBeingTypedSurvivesAChangeElsewhere(driver):
    selectLevel(driver, "L1")
    driver.ui.reasonSelector.setEditText("half a sent")
    driver.panel.session.change(lambda r, reader: r.setReviewed(driver.keyOf("T12"), True, reader))
    assert driver.ui.reasonSelector.currentText == "half a sent"


def testEditedSegmentIsRememberedUntilItIsMeasuredAgain(driver, monkeypatch):
    key = selectLevel(driver, "L1")
    opened = []
    monkeypatch.setattr(
        driver.panel.services, "editSegment", lambda results, chosen: opened.append(chosen)
    )
    driver.click("editSegmentButton")
    assert opened == [key]
    assert "press Re-measure" in driver.ui.detailsLabel.text
    measured = driver.panel.session.review.vertebra(key).ai
    driver.panel.session.change(lambda r, reader: r.setMeasurement(key, measured, reader))
    assert "press Re-measure" not in driver.ui.detailsLabel.text


def testReaderIsRememberedOnTheComputerAndNotInTheScene(driver, openPanel, slicer):
    driver.ui.advancedSection.collapsed = False
    driver.ui.readerEdit.text = "Dr. A"
    driver.press("readerEdit", "Return")
    driver.click("shiftDownButton")
    assert driver.panel.session.review.changes[-1].reader == "Dr. A"
    assert openPanel().panel.reader == "Dr. A"
    node = driver.panel.parameters.parameterNode
    assert "Dr. A" not in [node.GetParameter(name) for name in node.GetParameterNames()]


def testGradeAboveItsOwnLossIsExplained(slicer):
    from dataclasses import replace

    from example_analysis import example
    from vertebra_core.analysis import HeightLoss
    from VertebraAnalysisLib.ReviewedVertebra import ReviewedVertebra
    from VertebraAnalysisLib.VertebraDetails import detailsHtml

    wedge = replace(
        example()[3].vertebrae[1], grade=3, morphometric_grade=3, shape="wedge",
        height_loss=HeightLoss(0.38, 0.34, 0.13),
    )  # fmt: skip
    assert "posterior loss adds" in detailsHtml(ReviewedVertebra("v01", wedge, wedge))
    plain = replace(wedge, grade=2, morphometric_grade=2)
    assert "posterior loss" not in detailsHtml(ReviewedVertebra("v01", plain, plain))
