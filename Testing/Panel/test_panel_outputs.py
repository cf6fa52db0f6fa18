"""What leaves the panel: files, the clipboard, and what is said about them."""

from __future__ import annotations

import pytest


def segmentOf(driver, level):
    results = driver.panel.resultSet
    segmentId = results.segmentIdOfKey(driver.keyOf(level))
    return results.segmentationNode.GetSegmentation().GetSegment(segmentId)


def testMessageNamesTheSegmentsThatTheLabelMapLeavesOut(driver, tmp_path):
    segmentOf(driver, "L1").SetName("L1 fracture?")
    driver.panel.resultSet.segmentationNode.GetSegmentation().AddEmptySegment("own", "Cage")
    driver.dialogs.path = str(tmp_path / "labels.nii.gz")
    driver.click("exportLabelsButton")
    assert driver.panel.messages.kind == "warning"
    assert "Cage" in driver.panel.messages.text and "L1" not in driver.panel.messages.text


def testASegmentRenamedToAnotherLevelIsNamedBackAndThatIsSaid(driver):
    segmentOf(driver, "L1").SetName("T12")
    segmentOf(driver, "L2").SetName("L2 old fracture")
    driver.panel.exit()
    driver.panel.enter()
    assert segmentOf(driver, "L1").GetName() == "L1"
    assert segmentOf(driver, "L2").GetName() == "L2 old fracture", "says nothing wrong"
    assert driver.panel.messages.kind == "warning"
    assert "table again: L1." in driver.panel.messages.text
    driver.panel.messages.clear()
    driver.panel.enter()
    assert driver.panel.messages.text == ""


def testMessageNamesTheVertebraeThatTheLabelMapLacks(driver, tmp_path):
    results = driver.panel.resultSet
    segmentId = results.segmentIdOfKey(driver.keyOf("L1"))
    results.segmentationNode.GetSegmentation().RemoveSegment(segmentId)
    driver.dialogs.path = str(tmp_path / "labels.nii.gz")
    driver.click("exportLabelsButton")
    assert driver.panel.messages.kind == "warning"
    assert driver.panel.messages.text.endswith("Without a mask, so not in it: L1.")


@pytest.mark.parametrize("button", ["editSegmentButton", "remeasureButton"])
def testAVertebraThatNeverHadAMaskIsNotSaidToHaveLostIt(driver, button):
    results = driver.panel.resultSet
    segmentId = results.segmentIdOfKey(driver.keyOf("L1"))
    results.segmentationNode.GetSegmentation().RemoveSegment(segmentId)
    driver.clickRow(driver.rows("Level").index("L1"))
    driver.click(button)
    assert driver.panel.messages.kind == "error"
    assert "has no mask" in driver.panel.messages.text and not driver.panel.running


@pytest.mark.parametrize("name", ["\u810a" * 100, "a" * 300, "\u00e9" * 149 + " ."])
def testSuggestedNamesFitIntoAFileSystem(driver, name):
    driver.panel.resultSet.inputNode.SetName(name)
    driver.click("exportCsvButton")
    suggested = driver.dialogs.questions[-1].split(": ", 1)[1].rsplit(" [", 1)[0].split("/")[-1]
    assert suggested.startswith(name[0] * 40) and suggested.endswith(" vertebrae.csv")
    assert len(suggested.encode()) < 200 and "\ufffd" not in suggested


@pytest.mark.parametrize(
    ("typed", "written"),
    [("T 1.5 mm", "T 1.5 mm.csv"), ("plain", "plain.csv"), ("Upper.CSV", "Upper.CSV")],
)
def testTablesGetTheirEndingWhateverDotsTheNameHas(driver, tmp_path, typed, written):
    driver.dialogs.path = str(tmp_path / typed)
    driver.click("exportCsvButton")
    assert (tmp_path / written).read_text("utf-8")
    assert driver.dialogs.questions[1:] == []


@pytest.mark.parametrize(
    ("typed", "written"),
    [("map", "map.nii.gz"), ("map.nii", "map.nii.gz"), ("map 1.5", "map 1.5.nii.gz"),
     ("map.nrrd", "map.nrrd")],
)  # fmt: skip
def testLabelMapsGetTheirEnding(driver, tmp_path, typed, written):
    driver.dialogs.path = str(tmp_path / typed)
    driver.click("exportLabelsButton")
    assert (tmp_path / written).stat().st_size


@pytest.mark.parametrize("yes", [True, False])
def testAFileThatTheAddedEndingHitsIsReplacedOnlyAfterAsking(driver, tmp_path, yes):
    (tmp_path / "old.csv").write_text("mine")
    driver.dialogs.path, driver.dialogs.yes = str(tmp_path / "old"), yes
    driver.click("exportCsvButton")
    assert "old.csv" in driver.dialogs.questions[-1]
    assert ((tmp_path / "old.csv").read_text("utf-8") == "mine") is not yes


def testOnePictureIsSpokenOfAsOne(driver, tmp_path, monkeypatch):
    monkeypatch.setattr(driver.panel.services, "writePictures", lambda results, folder: [folder])
    driver.dialogs.path = str(tmp_path)
    driver.click("exportPicturesButton")
    assert driver.panel.messages.text == f"1 picture was saved in {tmp_path}."


def testWithoutASegmentationThereIsNothingToShowOrSave(driver, slicer):
    assert driver.ui.surfacesCheckBox.isEnabled() and driver.ui.exportLabelsButton.isEnabled()
    slicer.mrmlScene.RemoveNode(driver.panel.resultSet.segmentationNode)
    driver.settle()
    assert not driver.ui.surfacesCheckBox.isEnabled()
    assert not driver.ui.exportLabelsButton.isEnabled()
    assert driver.ui.exportCsvButton.isEnabled()


def testHidingTheSurfacesElsewhereUnticksTheBox(driver):
    driver.click("surfacesCheckBox")
    driver.panel.resultSet.segmentationNode.GetDisplayNode().SetVisibility3D(False)
    driver.panel.enter()
    assert not driver.ui.surfacesCheckBox.checked


def testSegmentEditorsUndoDoesNotBringOldLevelsBack(driver, slicer):
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(driver.panel.resultSet.segmentationNode.GetSegmentation())
    history.SaveState()
    driver.click("shiftDownButton")
    history.RestorePreviousState()
    segmentation = driver.panel.resultSet.segmentationNode.GetSegmentation()
    assert "vertebra_T12" in segmentation.GetSegmentIDs()
    driver.panel.enter()
    levels = ["L1", "L2", "L3"]
    assert [segmentOf(driver, level).GetName() for level in levels] == levels


def clipboard():
    import qt

    return qt.QApplication.clipboard().text()


@pytest.mark.parametrize("how", ["button", "key"])
def testTheTableIsCopiedForAReport(driver, how):
    from PySide6 import QtCore, QtTest

    key = driver.panel.session.vertebrae[1].key
    driver.panel.session.change(lambda r, reader: r.setReviewed(key, True, reader))
    if how == "button":
        driver.click("copyTableButton")
    else:
        driver.clickRow(1)
        driver.ui.resultsTable.setFocus()
        QtTest.QTest.keyClick(driver.ui.resultsTable, QtCore.Qt.Key_C, QtCore.Qt.ControlModifier)
    lines = [line.split("\t") for line in clipboard().splitlines()]
    header, t12, l1, l2 = lines
    assert header[:5] == ["Level", "Grade", "Shape", "Loss", "Ha (mm)"]
    assert len({len(line) for line in lines}) == 1
    assert (t12[0], t12[1], t12[-1]) == ("T12", "G0", "")
    assert (l1[0], l1[1], l1[2], l1[-1]) == ("L1", "G1?", "wedge", "yes")
    assert l2[1] == "not graded"
    assert driver.panel.messages.kind == "information"


def testWhatWasRejectedIsNotCopied(driver):
    key = driver.panel.session.vertebrae[0].key
    driver.panel.session.change(lambda r, reader: r.setRejected(key, True, reader))
    driver.click("copyTableButton")
    assert [line.split("\t")[0] for line in clipboard().splitlines()] == ["Level", "L1", "L2"]
