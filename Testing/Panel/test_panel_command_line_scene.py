"""``scene.mrb`` of the command line, opened by a radiologist who has the extension."""

from __future__ import annotations

import pytest


@pytest.fixture
def driver(openPanel, slicer, tmp_path):
    """An open panel, and a scene of the command line that is opened after it."""
    from test_command_line_scene import writeMrb

    opened = openPanel()
    assert not opened.panel.session.isOpen
    assert slicer.mrmlScene.ReadFromMRB(str(writeMrb(tmp_path)))
    opened.settle()
    return opened


def testItsVertebraeAreListedAndSelectable(driver):
    assert driver.panel.session.isOpen, driver.panel.messages.text
    assert driver.rows("Level") == ["T12", "L1", "L2"]
    assert driver.ui.resultsSelector.currentNode() is driver.panel.resultSet.textNode
    driver.clickRow(1)
    assert driver.ui.correctionBox.title == "Correct L1"


def testItIsCheckedAndCorrected(driver):
    driver.clickRow(1)
    driver.choose("gradeSelector", "G3")
    driver.ui.reasonSelector.setEditText("seen")
    driver.click("overrideButton")
    driver.click("shiftDownButton")
    assert driver.rows("Level") == ["L1*", "L2*", "L3*"]
    assert driver.rows("Grade")[1].endswith("G3*")
    found = driver.panel.resultSet
    assert found.centersNode.GetNthControlPointLabel(1).startswith("L2  G3")
    segmentation = found.segmentationNode.GetSegmentation()
    assert segmentation.GetSegment(found.segmentIdOfKey("v01")).GetName() == "L1"
    assert found.tableNode.GetTable().GetValueByName(1, "Reader's reason").ToString() == "seen"
    driver.click("acceptAllButton")
    assert driver.panel.session.review.remaining == 0
