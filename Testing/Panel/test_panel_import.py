"""Opening in the panel what the command line wrote."""

from __future__ import annotations

import pytest
from example_ct import suitableCt
from result_folder import writeFolder
from ScriptedCore import WAITS, ScriptedCore


@pytest.fixture
def driver(openPanel, slicer, tmp_path):
    """A panel with the example's CT and no results; the folder of results is chosen."""
    suitableCt(slicer)
    opened = openPanel(core=ScriptedCore(WAITS))
    opened.dialogs.path = str(writeFolder(tmp_path / "Ergebnisse ä 1"))
    return opened


def testFolderIsOpenedAndReviewed(driver):
    driver.click("importButton")
    assert driver.rows("Level") == ["T12", "L1", "L2"]
    assert driver.panel.resultSet.inputNode is driver.ui.inputSelector.currentNode()
    assert driver.panel.messages.kind != "error"
    assert "Folder" in driver.dialogs.questions[-1]
    driver.click("shiftDownButton")
    assert driver.rows("Level") == ["L1*", "L2*", "L3*"]
    assert driver.core.runs == 0


def testNothingHappensWithoutAFolder(driver):
    driver.dialogs.path = ""
    driver.click("importButton")
    assert driver.panel.resultSet is None and driver.panel.messages.kind == ""


def testResultsOfAnotherCtAreToldAndNothingIsAdded(driver, slicer):
    ct = driver.ui.inputSelector.currentNode()
    ct.SetOrigin(0, 0, 0)
    scene = slicer.mrmlScene
    before = scene.GetNumberOfNodes()
    driver.click("importButton")
    assert driver.panel.messages.kind == "error"
    assert "another CT than CT spine" in driver.panel.messages.text
    assert driver.panel.resultSet is None and scene.GetNumberOfNodes() == before


def testFurtherResultsStandBesideThoseThatAreReviewed(driver, slicer):
    driver.click("importButton")
    first = driver.panel.resultSet
    driver.click("shiftDownButton")
    driver.click("importButton")
    assert driver.panel.resultSet != first and first.exists
    assert driver.rows("Level") == ["T12", "L1", "L2"]
    driver.choose("resultsSelector", first.name)
    assert driver.rows("Level") == ["L1*", "L2*", "L3*"]


def testItNeedsACtAndNoRunAtWork(driver, slicer):
    driver.click("analyzeButton")
    assert driver.panel.running and not driver.ui.importButton.enabled
    driver.click("analyzeButton")
    assert driver.waitUntil(lambda: not driver.panel.running)
    assert driver.ui.importButton.enabled
    assert "command line" in driver.ui.importButton.toolTip
    driver.ui.inputSelector.setCurrentNode(None)
    driver.settle()
    assert not driver.ui.importButton.enabled
    assert driver.ui.importButton.toolTip == "Choose a CT first"


def testPathsAreNotLogged(driver):
    driver.click("importButton")
    assert "Ergebnisse" not in driver.panel.log.text
    assert "opened" in driver.panel.log.text
