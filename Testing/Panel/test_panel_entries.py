"""What a reader enters: the name that signs, and a grade of their own before it is in force."""

from __future__ import annotations

from result_folder import writeFolder


def selectLevel(driver, level):
    driver.clickRow(driver.rows("Level").index(level))


def testTheReaderIsForgottenWhenTheNameIsCleared(driver, openPanel):
    unknown = driver.panel.reader
    driver.ui.advancedSection.collapsed = False
    driver.ui.readerEdit.text = "Dr. A"
    driver.press("readerEdit", "Return")
    driver.ui.readerEdit.text = "  "
    driver.press("readerEdit", "Return")
    assert driver.ui.readerEdit.text == unknown, "who signs now is seen"
    driver.click("shiftDownButton")
    assert driver.panel.session.review.changes[-1].reader == unknown != "Dr. A"
    assert openPanel().panel.reader == unknown


def choices(driver):
    ui = driver.ui
    return ui.gradeSelector.currentText, ui.shapeSelector.currentText, ui.reasonSelector.currentText


def testAGradeThatWasNotOverriddenIsToldAndKeptForTheWayBack(driver):
    selectLevel(driver, "L1")
    driver.choose("gradeSelector", "G3")
    driver.choose("shapeSelector", "crush")
    driver.ui.reasonSelector.setEditText("seen on MRI")
    typed = choices(driver)
    selectLevel(driver, "T12")
    assert driver.panel.messages.kind == "warning"
    assert "L1" in driver.panel.messages.text and "Override" in driver.panel.messages.text
    assert "G0" in choices(driver)[0] and choices(driver)[2] == ""
    driver.panel.messages.clear()
    selectLevel(driver, "L1")
    assert choices(driver) == typed
    driver.click("shiftDownButton")
    assert choices(driver) == typed, "other corrections do not take it away"
    driver.click("overrideButton")
    vertebra = driver.panel.session.review.vertebra(driver.panel.table.selectedKey)
    assert (vertebra.grade, vertebra.shape, vertebra.reason) == (3, "crush", "seen on MRI")
    driver.clickRow(0)
    assert driver.panel.messages.kind == ""


def testAGradeThatWasNotOverriddenIsNotCarriedToOtherResults(driver, tmp_path):
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    other = SceneWriter().write(writeFolder(tmp_path / "again"), driver.panel.resultSet.inputNode)
    selectLevel(driver, "L1")
    driver.choose("gradeSelector", "G3")
    driver.choose("resultsSelector", other.name)
    assert driver.panel.messages.kind == "warning"
    selectLevel(driver, "L1")
    assert "G1" in choices(driver)[0]


def testLookingAtRowsWithoutChoosingAGradeSaysNothing(driver):
    for level in ("L1", "T12", "L2", "L1"):
        selectLevel(driver, level)
    driver.click("shiftDownButton")
    driver.click("undoButton")
    driver.clickRow(0)
    assert driver.panel.messages.kind == ""
