"""Calling a row no vertebra in the panel, and taking that back."""

from __future__ import annotations

import csv


def select(driver, row):
    driver.clickRow(row)
    return driver.panel.table.selectedKey


def isStruck(driver, row, column=1):
    return driver.ui.resultsTable.item(row, column).font().strikeOut()


def testRejectedRowStaysStruckThroughAndSaysSo(driver):
    key = select(driver, 1)
    assert driver.ui.rejectButton.text == "Not a vertebra"
    driver.click("rejectButton")
    assert driver.panel.session.review.vertebra(key).rejected
    assert driver.rows("Level") == ["T12", "L1", "L2"]
    assert driver.panel.table.text(key, "Flags") == "rejected"
    assert all(isStruck(driver, 1, column) for column in (0, 2, 4))
    assert not any(isStruck(driver, row) for row in (0, 2))
    assert driver.panel.table.selectedKey == key
    assert "not a vertebra" in driver.ui.detailsLabel.text
    assert driver.panel.reader in driver.ui.detailsLabel.text
    assert driver.ui.correctionBox.title == "L1 is no vertebra"


def testRejectedRowLeavesTheCounts(driver):
    assert driver.ui.summaryLabel.text.startswith("3 vertebrae")
    select(driver, 1)
    driver.click("rejectButton")
    text = driver.ui.summaryLabel.text
    assert text.startswith("2 vertebrae") and "none fractured" in text
    assert "1 rejected" in text and "2 left to review" in text
    assert not driver.ui.exportPicturesButton.enabled


def testRestoreAndUndoBringItBack(driver):
    key = select(driver, 1)
    driver.click("rejectButton")
    assert driver.ui.rejectButton.text == "Restore"
    driver.click("rejectButton")
    assert driver.rows("Grade")[1].endswith("G1?") and not isStruck(driver, 1)
    driver.click("rejectButton")
    driver.click("undoButton")
    assert not driver.panel.session.review.vertebra(key).rejected
    assert driver.ui.rejectButton.text == "Not a vertebra"
    assert "rejected" not in driver.ui.summaryLabel.text


def testNothingElseOfItCanBeCorrectedAndLevelsShiftPastIt(driver):
    select(driver, 1)
    driver.click("rejectButton")
    for name in ("setLevelButton", "overrideButton", "heightLinesCheckBox", "editSegmentButton",
                 "remeasureButton", "reviewedButton"):  # fmt: skip
        assert not getattr(driver.ui, name).enabled, name
    driver.click("shiftDownButton")
    assert driver.rows("Level") == ["L1*", "L1", "L3*"]
    select(driver, 0)
    for name in ("setLevelButton", "overrideButton", "editSegmentButton", "reviewedButton"):
        assert getattr(driver.ui, name).enabled, name


def testReviewGoesPastIt(driver):
    select(driver, 1)
    driver.click("rejectButton")
    driver.press("resultsTable", "R")
    assert not driver.panel.session.review.vertebra(driver.panel.table.keys[1]).reviewed
    assert driver.panel.messages.kind == ""
    select(driver, 0)
    driver.click("reviewedButton")
    assert driver.panel.table.selectedKey == driver.panel.table.keys[2]
    driver.click("reviewedButton")
    assert "all reviewed" in driver.ui.summaryLabel.text


def testWithAllRejectedNothingIsSaidToBeReviewedOrSaved(driver, tmp_path):
    driver.click("copyTableButton")
    for row in range(3):
        select(driver, row)
        driver.click("rejectButton")
    assert driver.ui.summaryLabel.text == "No vertebra is left: all 3 were rejected"
    driver.click("copyTableButton")
    assert driver.panel.messages.text.startswith("No vertebra is left to copy.")
    driver.dialogs.path = str(tmp_path / "labels.nii.gz")
    driver.click("exportLabelsButton")
    assert driver.panel.messages.text.startswith("No vertebra is left that the label map")
    assert list(tmp_path.glob("*labels*")) == []


def testRejectedRowHasNoTick(driver):
    import qt

    select(driver, 1)
    driver.click("rejectButton")
    assert not driver.ui.resultsTable.item(1, 0).flags() & qt.Qt.ItemIsUserCheckable
    driver.click("undoButton")
    assert driver.ui.resultsTable.item(1, 0).flags() & qt.Qt.ItemIsUserCheckable


def testRestoreWithoutAFreeLevelIsToldAndChangesNothing(driver):
    select(driver, 1)
    driver.click("rejectButton")
    select(driver, 2)
    driver.choose("levelSelector", "L1")
    driver.choose("scopeSelector", "alone")
    driver.click("setLevelButton")
    select(driver, 1)
    driver.click("rejectButton")
    assert driver.panel.messages.kind == "error"
    assert "between T12 and L1" in driver.panel.messages.text
    assert driver.panel.session.review.vertebra(driver.panel.table.selectedKey).rejected


def testSavedTableNamesIt(driver, tmp_path):
    select(driver, 1)
    driver.click("rejectButton")
    driver.dialogs.path = str(tmp_path / "out.csv")
    driver.click("exportCsvButton")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["rejected"] for row in csv.DictReader(file)] == ["no", "yes", "no"]


def testItIsStillRejectedInTheSavedScene(driver, slicer, tmp_path):
    select(driver, 1)
    driver.click("rejectButton")
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    driver.settle()
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    driver.settle()
    assert isStruck(driver, 1) and "1 rejected" in driver.ui.summaryLabel.text
    driver.click("undoButton")
    assert not isStruck(driver, 1)
